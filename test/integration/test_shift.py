# SPDX-License-Identifier: LGPL-2.1-or-later
"""The owners of a tree on disk, moved to another range of ids: all of them, nothing else, and however often it is
interrupted."""
import os
import pathlib
import random
import signal
import struct
import subprocess
import time

import pytest

from lab import filesystem, tree as lab_tree
from lab.manifest import differences, manifest
from lab.run import environment

pytestmark = pytest.mark.requires("root", "compiler")

SHIFT = 0x80000
BUSY = 0xFFFE


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """shift_tree() on its own."""
    path = tmp_path_factory.mktemp("shift") / "shift"
    sources = [lab_tree.TOP / "test/integration/shift.c", *sorted((lab_tree.TOP / "src/base").glob("*.c")),
               *sorted((lab_tree.TOP / "src/ids").glob("shift*.c"))]
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-w", "-D_GNU_SOURCE", "-I", lab_tree.TOP / "src", "-o", path, *sources], check=True)
    return path


@pytest.fixture
def shift(program):
    def action(root, by=SHIFT, words=()):
        return subprocess.run([*words, program, hex(by), root], capture_output=True, text=True, env=environment(), check=False)

    return action


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
ACCESS = acl((1, 6, NOBODY), (2, 4, 1000), (2, 6, 1001), (4, 4, NOBODY), (8, 7, 50), (16, 7, NOBODY), (32, 4, NOBODY))


@pytest.fixture
def full(tmp_path):
    """One of everything that a shift could lose."""
    root = tmp_path / "tree"
    fill(root)
    return root


def fill(root):
    (root / "a/b/c").mkdir(parents=True)
    lab_tree.put_what_chown_takes_away(root / "a")
    (root / "a/both").write_text("both")
    (root / "a/both").chmod(0o4711)
    os.setxattr(root / "a/both", "security.capability", lab_tree.FILE_CAPABILITIES)
    os.setxattr(root / "a/both", "user.note", b"text")
    (root / "a/listed").write_text("listed")
    os.setxattr(root / "a/listed", "system.posix_acl_access", ACCESS)
    os.setxattr(root / "a/b", "system.posix_acl_default", ACCESS)
    os.setxattr(root / "a/b", "system.posix_acl_access", ACCESS)
    (root / "a/b").chmod(0o3770)
    (root / "a/open").mkdir(mode=0o700)
    (root / "a/open").chmod(0o1777)
    (root / "secret").write_text("secret")
    (root / "secret").chmod(0)
    os.link(root / "a/suid", root / "a/b/c/again")
    (root / "link").symlink_to("/etc/passwd")
    os.lchown(root / "link", 1000, 100)
    os.mknod(root / "node", 0o20666, os.makedev(1, 3))
    os.mkfifo(root / "fifo")
    os.chown(root / "fifo", 65534, 65533)
    os.chown(root, 0, 7)
    root.chmod(0o2751)
    for number in range(300):
        (root / f"a/b/c/f{number}").write_text("")
        os.chown(root / f"a/b/c/f{number}", number, number * 7)
    (root / "a/b/c").chmod(0o2755)
    for folder, directories, files in os.walk(root, topdown=False):
        for name in [*files, *directories, "."]:
            os.utime(os.path.join(folder, name), ns=(10**18 + 5, 10**18 + 7), follow_symlinks=False)


def owners(root):
    return {path: entry[1] for path, entry in manifest(root).items()}


def test_everything_moves_and_nothing_else_changes(full, shift):
    before = manifest(full)
    result = shift(full)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
    after = manifest(full)
    assert before.keys() == after.keys()
    for path, entry in before.items():
        assert after[path][1] == (SHIFT + entry[1][0], SHIFT + entry[1][1]), path
        strip = lambda e: (e[0], *e[2:7], {key: value for key, value in e[7].items() if "acl" not in key})
        assert strip(after[path]) == strip(entry), path
    assert after["a/listed"][7]["system.posix_acl_access"] == acl(
        (1, 6, NOBODY), (2, 4, SHIFT + 1000), (2, 6, SHIFT + 1001), (4, 4, NOBODY), (8, 7, SHIFT + 50), (16, 7, NOBODY),
        (32, 4, NOBODY))
    assert after["a/b"][7].keys() == {"system.posix_acl_default", "system.posix_acl_access"}


def test_undo_is_exact(full, shift):
    before = manifest(full)
    for by in (SHIFT, 0x10000, SHIFT, 0):
        assert shift(full, by).returncode == 0
    assert differences(before, manifest(full)) == {}


def test_times_of_reading_stay(full, shift):
    assert shift(full).returncode == 0
    assert os.stat(full / "a/b").st_atime_ns == 10**18 + 5


@pytest.mark.parametrize("kind", ["tmpfs", "btrfs", "xfs"])
def test_other_file_systems(shift, tmp_path, kind):
    if not filesystem.is_possible(kind):
        pytest.skip(f"needs {kind}")
    with filesystem.mounted(kind, tmp_path) as place:
        root = place / "tree"
        fill(root)
        before = manifest(root)
        assert shift(root).returncode == 0
        assert all(uid >> 16 == SHIFT >> 16 for uid, _ in owners(root).values())
        assert shift(root, 0).returncode == 0
        assert differences(before, manifest(root)) == {}


def test_a_finished_tree_costs_nothing(full, shift, tmp_path):
    """The owner of the root directory answers for all."""
    shift(full)
    os.chown(full / "secret", 5, 5)
    assert shift(full).returncode == 0
    assert owners(full)["secret"] == (5, 5)


def kill_at(program, root, by, calls):
    """Runs it until it has changed something that many times; true if it was killed."""
    result = subprocess.run(["strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=fchown,fchownat,chmod,setxattr,removexattr",
                             "-e", f"inject=fchown,fchownat,chmod,setxattr,removexattr:signal=KILL:when={calls}", program, hex(by), root],
                            capture_output=True, env=environment(), check=False)
    return result.returncode != 0


@pytest.mark.skipif(subprocess.run(["which", "strace"], capture_output=True, check=False).returncode != 0, reason="needs strace")
def test_killed_at_any_call_it_goes_on(full, shift, program):
    """After each call that changes something, one after the other, until it is through."""
    before = manifest(full)
    assert shift(full).returncode == 0
    wanted = manifest(full)
    assert shift(full, 0).returncode == 0
    # Each round is killed a little later; the others of the run go on where the one before was killed.
    killed = 0
    for calls in range(1, 30):
        while kill_at(program, full, SHIFT, calls):
            killed += 1
            root = os.stat(full)
            assert root.st_uid >> 16 in (0, BUSY) or root.st_uid >> 16 == SHIFT >> 16
            if killed % 7 == 0:
                break
        assert shift(full).returncode == 0
        assert differences(wanted, manifest(full)) == {}, calls
        assert shift(full, 0).returncode == 0
        assert differences(before, manifest(full)) == {}, calls
    assert killed > 20


def test_killed_at_any_moment_it_goes_on(full, shift, program):
    before = manifest(full)
    chance = random.Random(7)
    for _ in range(40):
        process = subprocess.Popen([program, hex(chance.choice([SHIFT, 0x90000])), full], env=environment(), stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.01)
        process.kill()
        process.wait()
    shift(full, 0x10000)
    assert all(uid >> 16 == 1 and gid >> 16 == 1 for uid, gid in owners(full).values())
    assert shift(full, 0).returncode == 0
    assert differences(before, manifest(full)) == {}


def test_the_root_says_that_it_is_not_done(full, shift, tmp_path):
    subprocess.run(["chattr", "+i", full / "secret"], check=True)
    try:
        result = shift(full)
        assert result.returncode == 1
        assert f"Cannot change the owner of '{full}/secret': Operation not permitted" in result.stderr
        assert "chattr" in result.stderr
        assert os.stat(full).st_uid == BUSY << 16 and os.stat(full).st_gid == (BUSY << 16) + 7
    finally:
        subprocess.run(["chattr", "-i", full / "secret"], check=True)
    assert shift(full).returncode == 0
    assert os.stat(full).st_uid == SHIFT


def test_an_interrupt_is_told(full, program):
    for number in range(4000):
        (full / f"a/many{number}").write_text("")
    process = subprocess.Popen([program, hex(SHIFT), full], stderr=subprocess.PIPE, text=True, env=environment())
    while os.stat(full).st_uid == 0 and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    if process.returncode == 0:
        pytest.skip("it was quicker than we are")
    assert process.returncode == 1
    assert f"Interrupted while the owners in '{full}' were being changed" in said and "goes on" in said
    assert os.stat(full).st_uid >> 16 == BUSY


def test_depth_is_no_limit(shift, tmp_path):
    root = tmp_path / "deep"
    root.mkdir()
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(12000):
        os.mkdir("d", dir_fd=descriptor)
        deeper = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    result = shift(root, words=["prlimit", "--nofile=64"])
    assert (result.returncode, result.stderr) == (0, "")
    assert os.fstat(descriptor).st_uid == SHIFT
    os.close(descriptor)
    subprocess.run(["rm", "-rf", root], check=True)


def test_what_is_mounted(full, shift, tmp_path):
    """File systems are crossed; what the kernel fills, the host's devices and what is read-only are not."""
    others = {}
    for name in ("plain", "frozen", "proc", "memory"):
        (full / name).mkdir()
        others[name] = full / name
    (full / "null").write_text("")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/file").write_text("")
    (tmp_path / "frozen").mkdir()
    (tmp_path / "frozen/file").write_text("")
    null = os.stat("/dev/null")
    done = []
    try:
        for words in (["--bind", tmp_path / "plain", full / "plain"], ["--bind", tmp_path / "frozen", full / "frozen"],
                      ["-o", "remount,bind,ro", full / "frozen"], ["-t", "proc", "proc", full / "proc"],
                      ["-t", "tmpfs", "none", full / "memory"], ["--bind", "/dev/null", full / "null"]):
            subprocess.run(["mount", *words], check=True)
            if "-o" not in words:
                done.append(words[-1])
        (full / "memory/file").write_text("")
        result = shift(full)
        assert (result.returncode, result.stderr) == (0, "")
        assert os.stat(full / "memory/file").st_uid == SHIFT and os.stat(full / "memory").st_uid == SHIFT
    finally:
        for path in reversed(done):
            subprocess.run(["umount", path], check=True)
    after = os.stat("/dev/null")
    assert (after.st_uid, after.st_gid, after.st_mode, after.st_ctime_ns) == (null.st_uid, null.st_gid, null.st_mode, null.st_ctime_ns)
    assert os.stat(tmp_path / "plain/file").st_uid == SHIFT
    assert os.stat(tmp_path / "frozen/file").st_uid == 0 and os.stat(tmp_path / "frozen").st_uid == 0


def test_nobody_gets_it_to_leave_the_tree(full, program, tmp_path):
    """Names that are directories, links and files by turns, and directories that are carried out."""
    outside = tmp_path / "outside"
    (outside / "deep/er").mkdir(parents=True)
    for name in ("file", "deep/file", "deep/er/file"):
        (outside / name).write_text("mine")
    mine = owners(outside)
    for number in range(40):
        (full / f"race/x{number}/sub/sub").mkdir(parents=True)
    racer = tmp_path / "racer.py"
    racer.write_text(f"""
import os, random
root, outside = {str(full / 'race')!r}, {str(outside)!r}
while True:
    name = root + "/x%d" % random.randrange(40)
    try:
        os.rename(name, name + ".away")
        os.symlink(outside, name)
        os.unlink(name)
        os.rename(name + ".away/sub", {str(tmp_path)!r} + "/carried")
        os.rename({str(tmp_path)!r} + "/carried", name + ".away/sub")
        os.rename(name + ".away", name)
    except OSError:
        pass
""")
    process = subprocess.Popen(["python3", racer])
    try:
        for round in range(60):
            subprocess.run([program, hex(SHIFT if round % 2 else 0x90000), full], capture_output=True, env=environment(), check=False)
    finally:
        process.kill()
        process.wait()
    assert owners(outside) == mine
    assert os.stat(tmp_path).st_uid == 0
