# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks by root of a user namespace: what was mounted for it stays as it is, nothing of the host is in reach, and ids are its own only."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from lab import leaks, people
from lab.run import program
from lab.tree import TOP
from test_attacks import MORE, ROOTS, armed, canary, journals, spell  # noqa: F401 # fixtures
from test_attacks_probe import attack, swapped  # noqa: F401 # a fixture

pytestmark = pytest.mark.requires("root", "userns", "idmap")

MAPPED = ["--private-users=7340032:65536", "--private-users-ownership=map"]
IDENTITY = ["--private-users=identity"]
HOW = {"mapped": MAPPED, "identity": IDENTITY}
IN_THE_KERNEL = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/sysrq", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
                 "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper", "/sys/module/kernel/parameters/panic", "/sys/power/state"]


@pytest.fixture(scope="session")
def attacker(tmp_path_factory):
    path = tmp_path_factory.mktemp("attacker") / "attacker"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-static", "-w", "-o", path, TOP / "test/integration/attack-users.c"], check=True)
    return path


@pytest.fixture
def inside(tree, run, attacker):
    """What the attacker broke in a new tree, as lines."""
    def start(options, *words, entries=None, prepare=None):
        root = tree({"attacker!": attacker, **(entries or {})})
        if prepare:
            prepare(root)
        result = run("-q", "-P", "-D", root, *options, "/attacker", *words)
        assert result.code == 0 and result.text.endswith("done\n"), result
        return root, [line for line in result.text.splitlines() if line.startswith("broke")]

    return start


@pytest.mark.parametrize("network", [[], ["--private-network"]], ids=["host", "private"])
@pytest.mark.parametrize("how", HOW)
def test_walls_stay(inside, tmp_path, how, network):
    for name in ("one", "two/deep"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "two/deep/file").touch()
    options = [*HOW[how], *network, f"--bind-ro={tmp_path}/one:/mnt", f"--bind-ro={tmp_path}/two/deep/file:/file", f"--bind={tmp_path}/two:/two",
               "--inaccessible=/hidden", "--inaccessible=/secret", "--tmpfs=/memory:ro"]
    walls = ["/mnt", "/file", "~/two", "/hidden", "/secret", "/memory", "/run/host", "+/run", "+/dev", "+/dev/shm", "-/", "-/run", "-/dev"]
    late = ["/proc/sys", "/proc/kallsyms", "/proc/sys/kernel/random/boot_id", "-/proc"] if how == "identity" else []
    sysfs = ["/sys"] if not network or late else []
    _, broken = inside(options, "walls", *walls, *late, *sysfs, entries={"hidden/": None, "secret": "", "mnt/": None, "file": "", "two/": None})
    assert not broken


@pytest.mark.parametrize("how", HOW)
def test_a_read_only_root_stays(inside, tmp_path, how):
    _, broken = inside([*HOW[how], "--read-only"], "walls", "/", "-/", entries={"proc/": None, "sys/": None, "dev/": None, "run/": None, "tmp/": None, "root/": None})
    assert not broken
    (tmp_path / "one").mkdir()


@pytest.mark.parametrize("network", [[], ["--private-network"]], ids=["host", "private"])
@pytest.mark.parametrize("how", HOW)
def test_the_kernel_stays_shut(inside, how, network):
    """By its id the host's root may write there, without any right; only mounts are in its way."""
    _, broken = inside([*HOW[how], *network], "kernel", *IN_THE_KERNEL)
    assert not broken


@pytest.mark.parametrize("how", HOW)
def test_the_stub_init_stays_shut(inside, how):
    _, broken = inside([*HOW[how], "-a"], "first")
    assert not broken


@pytest.mark.parametrize("how", HOW)
def test_nobody_becomes_somebody_else(inside, how):
    root, broken = inside(HOW[how], "ids")
    assert not broken
    status = (root / "file").stat() if (root / "file").exists() else root.stat()
    assert status.st_uid < 65536 and status.st_gid < 65536


def test_control_groups_of_others(inside):
    _, broken = inside(MAPPED, "groups")
    assert not broken


@pytest.mark.parametrize("how", HOW)
def test_what_is_made_inside(tree, do, how):
    """Root's own on disk, whatever the range; so such trees belong where users of the host cannot go."""
    root = tree()
    (root / "keep").mkdir()
    do(root, "write", "/keep/file", "x", options=HOW[how])
    assert (root / "keep/file").stat()[4:6] == (0, 0)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ROOTS)
def test_nothing_is_under_the_root(armed, run, canary, tmp_path, name, how):
    options = [*HOW[how], *spell(ROOTS[name], armed, tmp_path)]
    result = run("-q", "-P", "-D", armed, *options, "/usr/attack", "under", canary)
    if "--private-users-ownership=off" in result.complaint:  # the root is somebody else's mount, as nspawn says
        options.remove(MAPPED[1])
        result = run("-q", "-P", "-D", armed, *options, "--private-users-ownership=off", "/usr/attack", "under", canary)
    assert result.code == 0 and result.text.endswith("done\n"), result
    assert "found" not in result.text, result


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize("how", HOW)
def test_nothing_of_the_host_is_open(armed, run, tmp_path, journals, more, how):
    options = spell([*HOW[how], *MORE[more]], armed, tmp_path)
    result = run("-q", "-P", "-D", armed, *options, "/usr/attack", "fds")
    assert result.code == 0, result
    found = [line.split(" ", 3) for line in result.text.splitlines()]
    own = 1 + ("-a" in options)
    assert [str(own), "seen"] in found, result
    assert not [words for words in found if len(words) > 2 and words[1].isdigit() and (int(words[1]) > 2 or int(words[0]) != own)], result


def test_getent_of_the_tree_finds_nothing(armed, run, attack):
    (armed / "usr/bin").mkdir()
    shutil.copyfile(attack, armed / "usr/bin/getent")
    (armed / "usr/bin/getent").chmod(0o755)
    for how in HOW.values():
        result = run("-q", "-P", "-D", armed, *how, "-u", "somebody", "/usr/attack", "ids")
        assert result.code == 0 and result.text == "7 7 8\n", result


@pytest.mark.parametrize("entry", ["tmp", "run", "proc", "sys", "dev", "run/host", "dev/shm", "dev/pts", "etc", "mnt"])
@pytest.mark.parametrize("target", ["{canary}", "../../../../../../..{canary}", "/proc/self/root{canary}", "/proc/1/root{canary}"])
def test_links_of_the_tree_lead_nowhere(tree, run, tmp_path, entry, target):
    folder = tmp_path / "canary"
    folder.mkdir()
    (folder / "file").write_text("mine")
    root = tree()
    shutil.rmtree(root / "etc")
    (root / "etc").mkdir()
    if entry == "etc":
        (root / "etc").rmdir()
    (root / entry).parent.mkdir(exist_ok=True)
    (root / entry).symlink_to(target.format(canary=folder))
    before = folder.stat()
    run("-q", "-P", "-D", root, *MAPPED, f"--bind={tmp_path}:/mnt", "--tmpfs=/mnt/canary/x", "/payload", "write", f"/{entry}/made", "x")
    after = folder.stat()
    assert sorted(os.listdir(folder)) in (["file"], ["file", "x"]) and (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode)
    assert (folder / "file").read_text() == "mine"


@pytest.mark.parametrize("owner", [(65534, 65534), (4294967294, 4294967294), (1000, 1000), (0, 5), (65536, 65536), (65536, 0), (7340032, 7340032),
                                   (4294901760, 0), (2147483648, 2147483648)])
@pytest.mark.parametrize("mode", [0o755, 0o000])
@pytest.mark.parametrize("how", [["-U"], MAPPED, [*MAPPED[:1], "--private-users-ownership=off"], ["--private-users-ownership=foreign", "-U"], IDENTITY], ids=str)
def test_trees_of_odd_owners(tree, run, how, owner, mode):
    """Runs or says one sentence, and leaves the owner as it is."""
    root = tree()
    os.chown(root, *owner)
    root.chmod(mode)
    result = run("-q", "-P", "-D", root, *how, "/payload", "exit", "7")
    assert result.code in (1, 7), result
    lines = [line for line in result.complaint.splitlines() if line.startswith("nspawn: ")]
    assert lines or result.code == 7, result
    assert "without a word" not in result.complaint and "killed by signal" not in result.complaint, result
    assert root.stat()[4:6] == owner and root.stat().st_mode & 0o7777 == mode


@pytest.fixture(scope="session")
def fault(tmp_path_factory):
    path = tmp_path_factory.mktemp("fault") / "fault"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", path, TOP / "test/integration/fault.c"], check=True)
    return path


def faulty(fault, call, how):
    return [str(fault), str(call), how, "-", shutil.which(program()[0])]


def wait_until_stalled(top):
    """A process below waits for an answer to its system call."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in leaks.descendants(top):
            with contextlib.suppress(OSError):
                if "seccomp" in pathlib.Path(f"/proc/{pid}/wchan").read_text(encoding="ascii"):
                    return
        time.sleep(0.02)
    pytest.skip("the kernel does not tell what a process waits for")


# Numbers of x86-64: move_mount(2) before the payload's process is there, sethostname(2) after.
@pytest.mark.parametrize("call", [429, 170])
@pytest.mark.parametrize("how", [[], MAPPED, IDENTITY], ids=["host", "mapped", "identity"])
def test_who_is_held_up_can_be_stopped(tree, Running, fault, how, call):
    """As by a file system that does not answer: the machine is gone when that is asked for, and says so."""
    with Running("-q", "-P", "-D", tree(), *how, "/payload", "exit", "0", command=faulty(fault, call, "stall")) as machine:
        wait_until_stalled(machine.pid)
        machine.signal(signal.SIGTERM)
        result = machine.wait()
    assert result.code == 1 and b"Told to stop while the payload was still being set up" in result.err, result


def test_who_is_held_up_dies_with_the_supervisor(tree, Running, run, fault):
    """What it leaves, the next start of the tree takes away."""
    root = tree()
    for call in (429, 170):
        with Running("-q", "-P", "-D", root, *MAPPED, "/payload", "exit", "0", command=faulty(fault, call, "stall")) as machine:
            wait_until_stalled(machine.pid)
            machine.signal(signal.SIGKILL)
            machine.wait()
        assert run("-q", "-P", "-D", root, *MAPPED, "/payload", "exit", "7").code == 7


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("call", [46, 429, 308, 170])
def test_whoever_is_killed_while_it_sets_up(tree, run, fault, how, call):
    """Killed at sendmsg(2) the assembler has made the payload and not said so yet: the two must not wait for each other."""
    result = run("-q", "-P", "-D", tree(), *HOW[how], "/payload", "exit", "0", command=faulty(fault, call, "kill"), timeout=20)
    assert result.code == 1 and "was killed by signal SIGSYS while it was set up" in result.complaint, result


@pytest.mark.parametrize("step", range(12))
def test_a_killed_supervisor_leaves_nothing(tree, Running, run, step):
    """At twelve moments of a start. The next one has the same range, and the fixtures find no process, mount, lock or group."""
    root = tree()

    def its_range():
        return run("-q", "-U", "-P", "-D", root, "/payload", "read", "/proc/self/uid_map").text.split()[1]

    before = its_range()
    for _ in range(3):
        with Running("-q", "-U", "-P", "-D", root, "/payload", "sleep", "60") as machine:
            time.sleep(step * 0.004)
            machine.signal(signal.SIGKILL)
            machine.wait()
    assert its_range() == before


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".", "x" * 300, "-x", "a b", "x\x1b[31m"])
@pytest.mark.parametrize("how", [[], MAPPED], ids=["host", "mapped"])
def test_names_of_users_are_no_paths(tree, run, how, name):
    root = tree()
    with people.on_host(passwd=f"{name}:x:4711:4711::/root:/bin/sh\n"):
        result = run("-q", "-P", "-D", root, *how, f"--bind-user={name}", "/payload", "exit", "7")
    lines = result.complaint.splitlines()
    assert result.code == 1 and lines and all(line.startswith("nspawn: ") and line.isprintable() for line in lines), result


def test_a_passwd_of_a_million_lines(tree, run):
    """The tree's own: nspawn looks there for who has a name and which ids are free."""
    root = tree({"etc/passwd": "root:x:0:0::/:/bin/sh\n" + "".join(f"u{i}:x:{i % 60000 + 1}:1::/:/bin/sh\n" for i in range(1000000))})
    with people.on_host(passwd="attackbound:x:4711:4711::/root:/bin/sh\n"):
        result = run("-q", "-P", "-D", root, *MAPPED, "--bind-user=attackbound", "/payload", "exit", "7")
    assert result.code in (1, 7) and (result.code == 7 or result.complaint.startswith("nspawn: ")), result


def test_owners_are_changed_in_the_tree_only(tree, run, attack, tmp_path):
    """Directories and links to others that are exchanged all the time; whether it ends or says that it cannot, nothing else has a new owner."""
    precious = tmp_path / "precious"
    precious.mkdir()
    for i in range(20):
        (precious / f"f{i}").touch()
    (precious / "suid").touch()
    (precious / "suid").chmod(0o4755)
    root = tree()
    for i in range(20):
        (root / f"d{i}/deep").mkdir(parents=True)
        (root / f"l{i}").symlink_to(precious)
        for j in range(20):
            (root / f"d{i}/deep/{j}").touch()
    with swapped(attack, *((root / f"d{i}", root / f"l{i}") for i in (3, 17))):
        result = run("-q", "-P", "-D", root, MAPPED[0], "--private-users-ownership=chown", "/payload", "exit", "7")
    assert result.code in (1, 7), result
    assert {path.lstat()[4:6] for path in (precious, *precious.iterdir())} == {(0, 0)} and (precious / "suid").stat().st_mode & 0o7777 == 0o4755


@pytest.mark.parametrize("how", [IDENTITY, ["--private-users=0:65536", "--private-users-ownership=off"]], ids=["identity", "range"])
def test_no_nesting_for_the_id_of_the_hosts_root(tree, run, how):
    """What containers inside need is a procfs without covers, which that root could write to."""
    result = run("-q", "-P", "-D", tree(), "--nesting", *how, "/payload", "exit", "7")
    assert result.code == 1 and ("root of this one has the host's id" in result.complaint or "cannot be had" in result.complaint), result
