# SPDX-License-Identifier: LGPL-2.1-or-later
"""--nesting: what containers inside need is there, out of sight, and was tried before the program runs."""
import pytest

from lab.run import program

pytestmark = pytest.mark.requires("root", "cgroup2", "userns", "netns")

WAYS = [[], ["--private-network"]]


def shell(run, root, script, *options):
    return run("-q", "-P", "-D", root, *options, "/bin/sh", "-c", script, timeout=60)


def test_it_takes_a_user_namespace(tree, run):
    result = run("-q", "-D", tree(), "--nesting", "--private-users=no", "/payload", "exit", "0")
    assert result.code == 1 and "'--nesting' needs a user namespace" in result.complaint
    assert len(result.complaint.splitlines()) == 2


def skip_without_users(run, root):
    if shell(run, root, "grep -q 4294967295 /proc/self/uid_map", "-U").code == 0:
        pytest.fail("-U gives no user namespace")


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_container_inside(tree, run, way):
    """As its maker would: all of its own, with proc, sysfs and an overlay."""
    root = tree({"merged/": None}, kind="busybox")
    skip_without_users(run, root)
    inside = ("mount -t sysfs -o ro sysfs /sys && mount -t tmpfs tmpfs /tmp && mkdir /tmp/l /tmp/u /tmp/w && "
              "mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w overlay /merged && echo $$")
    script = f"unshare -Urpfmn --mount-proc sh -c '{inside}'"
    assert shell(run, root, script, "-U", "--nesting", *way).text == "1\n"
    # Which is not so by itself: the test would say nothing otherwise.
    assert shell(run, root, script, "-U", *way).text != "1\n"


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_the_instances_are_out_of_sight(tree, run, way):
    root = tree({"etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"}, kind="busybox")
    skip_without_users(run, root)
    seen = shell(run, root, "ls /run/host/nesting; cat /run/host/nesting/proc/version", "-U", "--nesting", "-u", "nobody", *way)
    assert seen.text == "" and "denied" in seen.complaint
    assert shell(run, root, "ls -d /run/host/nesting", "-U", *way).code != 0


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_what_is_covered_in_proc_is_still_the_hosts_alone(tree, run, way):
    """All that keeps the guest's root from it there is the kernel."""
    root = tree(kind="busybox")
    skip_without_users(run, root)
    for path in ("sys/kernel/core_pattern", "sys/kernel/hostname_of_no_host", "sysrq-trigger", "sys/vm/drop_caches"):
        result = shell(run, root, f"echo x >/run/host/nesting/proc/{path} && echo written", "-U", "--nesting", *way)
        assert "written" not in result.text, result
    for path in ("kcore", "kmsg"):
        result = shell(run, root, f"head -c 1 /run/host/nesting/proc/{path} | wc -c", "-U", "--nesting", *way)
        assert result.text.strip() == "0", result


def test_what_is_refused_is_named(tree, run):
    """In a machine without --nesting there is no proc that a container inside could have."""
    root = tree(kind="busybox")
    skip_without_users(run, root)
    from lab.run import program
    result = shell(run, root, "/nspawn -q -D /inner --private-users=identity true", "-U", "--private-network", f"--bind={program()[-1]}:/nspawn",
                   f"--bind={tree(kind='busybox')}:/inner")
    assert result.code != 0 and "nspawn: Cannot mount" in result.complaint, result
    assert "nspawn: In a container this takes '--nesting' of the one outside\n" in result.complaint


def test_nspawn_inside(tree, run):
    root, inner = tree(kind="busybox"), tree(kind="busybox")
    for way in ([], ["--private-users=identity"], ["--private-users=identity", "--nesting"]):
        result = shell(run, root, f"/nspawn -q -D /inner {' '.join(way)} -P sh -c 'echo x >/dev/null && echo $$ in'", "-U", "--nesting",
                       "--private-network", f"--bind={program()[-1]}:/nspawn", f"--bind={inner}:/inner")
        assert result.text == "1 in\n", result
