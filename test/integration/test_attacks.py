# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on what makes the root and on what is handed in: nothing of the host may be open, or in reach, in any way of starting."""
import os
import pathlib
import shutil

import pytest

from test_attacks_probe import attack  # noqa: F401 # a fixture

pytestmark = pytest.mark.requires("root")

BASE = {"proc/": None, "sys/": None, "dev/": None, "run/": None, "tmp/": None, "root/": None, "inner/usr/": None, "inner/tmp/": None,
        "etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/machine-id": "0123456789abcdef0123456789abcdef\n"}


@pytest.fixture
def armed(tree, attack):
    """A tree, and one in it, with the attacker's program in /usr."""
    root = tree(BASE)
    for top in (root, root / "inner"):
        shutil.copyfile(attack, top / "usr/attack")
        (top / "usr/attack").chmod(0o755)
    return root


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    path.write_text("of the host\n")
    return path


ROOTS = {
    "the tree": [],
    "read-only": ["--read-only"],
    "a bind mount": ["--bind={root}/inner:/"],
    "two bind mounts": ["--bind={root}:/", "--bind={root}/inner:/"],
    "a bind mount of the tree": ["--bind=+/inner:/"],
    "an overlay": ["--overlay={root}:{top}:/"],
    "an overlay of the tree": ["--overlay=+/:{top}:/"],
    "a bind and an overlay": ["--bind={root}/inner:/", "--overlay={root}:{top}:/"],
    "an overlay to be read": ["--overlay-ro={root}:{top}:/"],
    "volatile": ["--volatile=yes"],
    "volatile state": ["--volatile=state"],
    "volatile overlay": ["--volatile=overlay"],
    "ephemeral": ["-x"],
    "ephemeral and read-only": ["-x", "--read-only"],
    "another": ["--pivot-root=/inner"],
    "another and the old": ["--pivot-root=/inner:/old"],
    "another and the old, volatile": ["--pivot-root=/inner:/old", "--volatile=overlay"],
    "another, ephemeral, and overlays": ["--pivot-root=/inner:/old", "-x", "--overlay=+/usr::/tmp/x", "--bind=:/tmp/y"],
    "volatile with overlays": ["--volatile=yes", "--overlay=+/usr:{top}:/mnt", "--overlay-ro=+/usr:+/etc:/srv"],
}
MORE = {
    "plain": [],
    "as process 2": ["-a"],
    "credentials": ["--set-credential=a:b", "--load-credential=b:/etc/hostname"],
    "a journal": ["--link-journal=try-host"],
    "no network": ["--private-network"],
    "everything": ["-a", "--set-credential=a:b", "--link-journal=try-host", "--private-network", "--overlay=+/usr::/o1",
                   "--overlay={root}/inner:{top}2:/o2", "--overlay-ro=+/usr:+/etc:/o3", "--bind=:/o4", "--tmpfs=/o5", "--no-new-privileges=yes"],
}


def spell(options, root, tmp_path):
    (tmp_path / "top").mkdir(exist_ok=True)
    return [option.format(root=root, top=tmp_path / "top") for option in options]


@pytest.fixture
def journals():
    """Where the host keeps journals; the bed has its own."""
    place = pathlib.Path("/var/log/journal")
    made = not place.exists()
    if made:
        place.mkdir()
    yield place
    shutil.rmtree(place / "0123456789abcdef0123456789abcdef", ignore_errors=True)
    if made:
        place.rmdir()


@pytest.mark.parametrize("name", ROOTS)
def test_nothing_is_under_the_root(armed, run, canary, tmp_path, name):
    """Whoever may umount(2) and setns(2) takes everything off the root that there is, and comes back to it."""
    result = run("-q", "-P", "-D", armed, *spell(ROOTS[name], armed, tmp_path), "/usr/attack", "under", canary)
    assert result.code == 0 and result.text.endswith("done\n"), result
    assert "found" not in result.text, result


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("name", ["the tree", "an overlay", "volatile overlay", "ephemeral", "another and the old"])
def test_nothing_of_the_host_is_open(armed, run, tmp_path, journals, name, more):
    """Neither in the payload nor in the stub init: standard streams are all there is."""
    options = spell([*ROOTS[name], *MORE[more]], armed, tmp_path)
    result = run("-q", "-P", "-D", armed, *options, "/usr/attack", "fds")
    assert result.code == 0, result
    assert result.err.count(b"\n") <= 1, result
    found = [line.split(" ", 3) for line in result.text.splitlines()]
    assert [words for words in found if len(words) == 2] == [[str(pid), "seen"] for pid in range(1, 2 + ("-a" in options))], result
    assert not [words for words in found if len(words) > 2 and int(words[1]) > 2], result


@pytest.mark.parametrize("name", ["the tree", "an overlay", "volatile overlay", "ephemeral", "another and the old"])
def test_nothing_of_the_host_is_open_in_getent(armed, run, tmp_path, attack, journals, name):
    """It runs before the payload, from the tree, while whoever sets the machine up has the host open."""
    for top in (armed, armed / "inner"):
        (top / "usr/bin").mkdir()
        shutil.copyfile(attack, top / "usr/bin/getent")
        (top / "usr/bin/getent").chmod(0o755)
    options = spell([*ROOTS[name], *MORE["everything"]], armed, tmp_path)
    result = run("-q", "-P", "-D", armed, *options, "-u", "somebody", "/usr/attack", "ids")
    assert result.code == 0 and result.text == "7 7 8\n", result


@pytest.mark.parametrize("env", [{}, {"SYSTEMD_NSPAWN_SHARE_NS_IPC": "1"}, {"SYSTEMD_NSPAWN_SHARE_NS_UTS": "1"}])
def test_shared_namespaces_open_nothing(armed, run, env):
    result = run("-q", "-P", "-D", armed, "/usr/attack", "fds", env=env)
    assert [line.split()[1] for line in result.text.splitlines()] == ["seen", "0", "1", "2"], result


@pytest.mark.parametrize("name", ROOTS)
def test_what_mountinfo_tells(armed, run, tmp_path, name):
    """Host paths are in it only where a mount is of a directory deeper in its file system, which the kernel shows."""
    options = spell([*ROOTS[name], "--set-credential=a:b"], armed, tmp_path)
    for top in (armed, armed / "inner"):
        shutil.copyfile(armed / "payload", top / "usr/payload")
        (top / "usr/payload").chmod(0o755)
    for mount in run("-P", "-D", armed, *options, "/usr/payload", "mounts").json["mounts"]:
        words = " ".join([mount["source"], mount["super"], mount["target"]])
        assert "/var/tmp/" not in words and str(tmp_path) not in words, mount


PARTS_OF_THE_HOST = ["/proc/sysrq-trigger", "/proc/kcore", "/proc/kmem", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
                     "/proc/sys/kernel/sysrq", "/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register", "/proc/irq/default_smp_affinity",
                     "/proc/mtrr", "/proc/bus/pci/00/00.0", "/sys/kernel/uevent_helper", "/sys/kernel/uevent_seqnum", "/sys/power/state",
                     "/sys/module/kernel/parameters/panic", "/sys/fs/cgroup/cgroup.procs.none", "/proc/1/oom_score_adj.none"]


@pytest.mark.parametrize("share", [{}, {"SYSTEMD_NSPAWN_SHARE_SYSTEM": "1"}])
@pytest.mark.parametrize("name", ROOTS)
def test_the_kernel_is_masked_whatever_the_root_is(armed, run, tmp_path, name, share):
    options = spell(ROOTS[name], armed, tmp_path)
    result = run("-q", "-P", "-D", armed, *options, "/usr/attack", "open", *PARTS_OF_THE_HOST, env=share)
    assert result.text == "done\n", result


@pytest.mark.parametrize("name", ["another and the old", "an overlay", "a bind mount"])
def test_mounts_made_inside_stay_inside(armed, run, tmp_path, name):
    """What is a clone of the host's mounts must not be their peer."""
    def mounts():
        return pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()

    shutil.copyfile(armed / "payload", armed / "usr/payload")
    shutil.copyfile(armed / "payload", armed / "inner/usr/payload")
    (armed / "usr/payload").chmod(0o755)
    (armed / "inner/usr/payload").chmod(0o755)
    (armed / "old/tmp").mkdir(parents=True)
    before = mounts()
    for target in ("/old/tmp", "/tmp", "/"):
        result = run("-q", "-P", "-D", armed, *spell(ROOTS[name], armed, tmp_path), "/usr/payload", "mount", "none", target, "tmpfs", "0", "")
        assert result.code == 0, result
        assert mounts() == before


def test_the_first_process_of_the_host_stays_shut(armed, run, canary):
    """Where processes are shared. Others of the host are as open as their rights are few: the manual says that this is no boundary."""
    result = run("-q", "-P", "-D", armed, "/usr/attack", "victim", os.getpid(), "0", canary, env={"SYSTEMD_NSPAWN_SHARE_NS_PID": "1"})
    assert result.code == 0 and "found" not in result.text, result


@pytest.mark.parametrize("text", ["\x1b[31m", "\x9b31m", "\u202e", "\u2066", "\u200b\u2028x", "\x07", "\r", "\x7f", "\udc80\udc9b"])
def test_names_are_escaped_however_they_are_encoded(tree, run, text):
    root = tree()
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        pytest.skip("no name")
    for words in (["-q", "-P", f"--chdir=/no{text}"], ["--dry-run", f"--bind=/no{text}:/x"], ["config", f"--chdir=/no{text}"]):
        result = run(*words, "-D", root, "/payload", "exit", "0")
        said = (result.text + result.complaint).replace("\n", "")
        assert text not in said and not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in said), result
