# SPDX-License-Identifier: LGPL-2.1-or-later
"""--nesting: what containers inside need is there, out of sight, and was tried before the program runs."""
import os

import pytest

from lab.run import program

pytestmark = pytest.mark.requires("root", "cgroup2", "userns", "netns", "idmap")

WAYS = [[], ["--private-network"]]


def shell(run, root, script, *options):
    return run("-q", "-P", "-D", root, *options, "/bin/sh", "-c", script, timeout=60)


def test_it_takes_a_user_namespace(tree, run):
    result = run("-q", "-D", tree(), "--nesting", "--private-users=no", "/payload", "exit", "0")
    assert result.code == 1 and "'--nesting' needs a user namespace" in result.complaint
    assert len(result.complaint.splitlines()) == 2


def check_users(run, root):
    if shell(run, root, "grep -q 4294967295 /proc/self/uid_map", "-U").code == 0:
        pytest.fail("-U gives no user namespace")


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_container_inside(tree, run, way):
    """As its maker would: all of its own, with proc, sysfs and an overlay."""
    root = tree({"merged/": None}, kind="busybox")
    check_users(run, root)
    inside = ("mount -t sysfs -o ro sysfs /sys && mount -t tmpfs tmpfs /tmp && mkdir /tmp/l /tmp/u /tmp/w && "
              "mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w overlay /merged && echo $$")
    script = f"unshare -Urpfmn --mount-proc sh -c '{inside}'"
    assert shell(run, root, script, "-U", "--nesting", *way).text == "1\n"
    # Which is not so by itself: the test would say nothing otherwise.
    assert shell(run, root, script, "-U", *way).text != "1\n"


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_the_instances_are_out_of_sight(tree, run, way):
    root = tree({"etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"}, kind="busybox")
    check_users(run, root)
    seen = shell(run, root, "ls /run/host/nesting; cat /run/host/nesting/proc/version", "-U", "--nesting", "-u", "nobody", *way)
    assert seen.text == "" and "denied" in seen.complaint
    assert shell(run, root, "ls -d /run/host/nesting", "-U", *way).code != 0


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_what_is_covered_in_proc_is_still_the_hosts_alone(tree, run, way):
    """All that keeps the guest's root from it there is the kernel."""
    root = tree(kind="busybox")
    check_users(run, root)
    for path in ("sys/kernel/core_pattern", "sys/kernel/hostname_of_no_host", "sysrq-trigger", "sys/vm/drop_caches"):
        result = shell(run, root, f"echo x >/run/host/nesting/proc/{path} && echo written", "-U", "--nesting", *way)
        assert "written" not in result.text, result
    for path in ("kcore", "kmsg"):
        result = shell(run, root, f"head -c 1 /run/host/nesting/proc/{path} | wc -c", "-U", "--nesting", *way)
        assert result.text.strip() == "0", result


def test_what_is_refused_is_named(tree, run):
    """In a machine without --nesting there is no proc that a container inside could have."""
    root = tree(kind="busybox")
    check_users(run, root)
    result = shell(run, root, "/nspawn -q -D /inner --private-users=identity true", "-U", "--private-network", f"--bind={program()[-1]}:/nspawn",
                   f"--bind={tree(kind='busybox')}:/inner")
    assert result.code != 0 and "nspawn: Cannot mount" in result.complaint, result
    assert "nspawn: In a container this takes '--nesting' of the one outside\n" in result.complaint


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_nspawn_inside(tree, run, way):
    """Also both on the host's network, a sysfs of which neither may mount."""
    root, inner = tree(kind="busybox"), tree(kind="busybox")
    for ids in ([], ["--private-users=identity"], ["--private-users=identity", "--nesting"]):
        result = shell(run, root, f"/nspawn -q -D /inner {' '.join(ids)} -P sh -c 'echo x >/dev/null && ls -d /sys/class/net && echo $$ in'", "-U",
                       "--nesting", *way, f"--bind={program()[-1]}:/nspawn", f"--bind={inner}:/inner")
        assert result.text == "/sys/class/net\n1 in\n", result


@pytest.mark.parametrize("ids", ["", "-U", "--private-users=identity"])
def test_changes_are_thrown_away_inside(tree, run, ids):
    """In a directory of a file system of its own; an overlay takes none, which is said."""
    root = tree({"var/tmp/": None, "merged/": None, "old/file": "x"}, kind="busybox")
    check_users(run, root)
    words = f"/nspawn -q -P -x -D /tmp/inner {ids} --ephemeral-dir=$place sh -c 'rm -r /old && mkdir /old && touch /old/new && ls /old'"
    script = ("mount -t tmpfs tmpfs /tmp && cp -a /var/tree /tmp/inner && mkdir /tmp/l /tmp/u /tmp/w && "
              "mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w overlay /merged && "
              f"for place in /tmp /merged; do {words}; done; ls /tmp/inner/old; ls -A /tmp | grep ephemeral")
    result = shell(run, root, script, "-U", "--nesting", f"--bind={program()[-1]}:/nspawn", f"--bind-ro={root}:/var/tree:idmap")
    assert result.text == "new\nfile\n", result
    assert result.complaint.splitlines() == [
        "nspawn: The machine's changes cannot lie in '/merged/', which is part of an overlay",
        "nspawn: Name a directory of another file system, such as a tmpfs, with --ephemeral-dir="], result


def test_there_are_ids_for_containers_inside(tree, run, Running):
    """Three ranges in one line, which the kernel wants for a map that is made out of it; locked like the first."""
    root = tree(kind="busybox")
    script = "cat /proc/self/uid_map /proc/self/gid_map"
    rows = [tuple(map(int, line.split())) for line in shell(run, root, script, "-U", "--nesting").text.splitlines()]
    assert rows[:2] == rows[2:] and [(row[0], row[2]) for row in rows[:2]] == [(0, 65536), (65536, 196608)]
    assert len(shell(run, root, script, "-U").text.splitlines()) == 2
    with Running("-q", "-P", "-D", root, "-U", "--nesting", "/bin/sh", "-c", "cat /proc/self/uid_map; echo ready; sleep 60") as machine:
        machine.expect("ready")
        first, further = (int(line.split()[1]) for line in machine.out.decode().splitlines()[:2])
        assert {str(first), *(str(further + i * 65536) for i in range(3))} <= set(os.listdir("/run/systemd/nspawn-uid"))


def test_users_inside_may_use_fuse_and_tun(tree, run):
    """As on a host with udev, however narrow the host's own nodes are."""
    root = tree(kind="busybox")
    check_users(run, root)
    script = "cd /dev; for node in fuse net/tun; do test ! -e $node || stat -c %a:%u $node; done"
    assert set(shell(run, root, script, "-U", "--nesting").text.split()) <= {"666:0"}
