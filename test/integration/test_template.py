# SPDX-License-Identifier: LGPL-2.1-or-later
"""--template: a tree that is made before its first start, whole or not at all."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from lab import filesystem, tree as lab_tree
from lab.manifest import differences, manifest
from lab.run import environment, program

pytestmark = pytest.mark.requires("root")

# All that a start would add to a tree, so that it can be read-only and what it finds be compared.
COMPLETE = {"etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/hosts": "",
            **{name + "/": None for name in ("proc", "sys", "dev", "run", "tmp", "root", "var")}}


@pytest.fixture
def template(tree):
    """A tree that can be started, with one of everything."""
    root = tree({**COMPLETE, "a/b/c/d/file": "text"})
    fill(root)
    return root


def fill(root):
    (root / "a").mkdir(exist_ok=True)
    lab_tree.put_what_chown_takes_away(root / "a")
    subprocess.run(["setfacl", "-m", "u:1000:rwx,g:50:r", root / "a/capable"], check=True)
    (root / "a/listed").mkdir()
    subprocess.run(["setfacl", "-d", "-m", "u:1000:rwx", root / "a/listed"], check=True)
    (root / "a/listed/inside").write_text("")
    subprocess.run(["setfacl", "-b", root / "a/listed/inside"], check=True)
    (root / "a/sticky").mkdir()
    (root / "a/sticky").chmod(0o3777)
    os.setxattr(root / "a/sticky", "trusted.mine", b"\0\1binary")
    (root / "a/secret").write_text("secret")
    (root / "a/secret").chmod(0)
    os.link(root / "a/suid", root / "again")
    (root / "link").symlink_to("/etc/passwd")
    os.lchown(root / "link", 1000, 100)
    (root / "loop").symlink_to("loop")
    os.symlink(b"\xff\n", root / "bad")
    os.mknod(root / "node", 0o20666, os.makedev(1, 3))
    os.link(root / "node", root / "a/node")
    os.mknod(root / "whiteout", 0o20000, 0)
    os.mkfifo(root / "fifo")
    os.mknod(root / "socket", 0o140755)
    with open(root / "sparse", "wb") as file:
        file.write(b"begin")
        file.seek(64 << 20)
        file.write(b"end")
        file.truncate(96 << 20)
    os.chown(root, 0, 7)
    root.chmod(0o2751)
    for folder, directories, files in os.walk(root, topdown=False):
        for name in [*files, *directories, "."]:
            os.utime(os.path.join(folder, name), ns=(10**18 + 5, 10**18 + 7), follow_symlinks=False)


def names(folder):
    return sorted(entry.name for entry in pathlib.Path(folder).iterdir())


def start(run, template, target, *options, **more):
    return run("-q", "-P", "--read-only", f"--template={template}", "-D", target, *options, "/payload", "exit", "7", **more)


def planned(run, *options):
    """What a dry run says, in one line."""
    result = run("--dry-run", *options, "/payload")
    assert result.code == 0, result
    return " ".join(result.text.split())


def lost(template, target):
    return differences(manifest(template), manifest(target))


def test_the_copy_has_everything(template, run, tmp_path):
    before = manifest(template)
    assert start(run, template, tmp_path / "new").code == 7
    assert lost(template, tmp_path / "new") == {}
    assert differences(before, manifest(template)) == {}, "the template is as it was"
    assert os.stat(tmp_path / "new/sparse").st_blocks * 512 < 1 << 20
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs", "tmpfs"])
def test_on_other_file_systems(template, run, tmp_path, kind):
    if not filesystem.is_possible(kind):
        pytest.skip(f"needs {kind}")
    with filesystem.mounted(kind, tmp_path) as place:
        assert start(run, template, place / "first").code == 7
        assert lost(template, place / "first") == {}
        # The second is a copy within the file system: shared, where it can do that.
        assert start(run, place / "first", place / "second").code == 7
        assert lost(template, place / "second") == {}
        assert [name for name in names(place) if name != "lost+found"] == ["first", "second"]


@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_contents_are_shared(tree, run, tmp_path, kind):
    if not filesystem.is_possible(kind):
        pytest.skip(f"needs {kind}")
    with filesystem.mounted(kind, tmp_path, mebibytes=400) as place:
        shutil.copytree(tree(COMPLETE), place / "from", symlinks=True)
        (place / "from/big").write_bytes(os.urandom(1 << 20) * 120)
        os.sync()
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        assert start(run, place / "from", place / "to").code == 7
        os.sync()
        assert free - os.statvfs(place).f_bavail * os.statvfs(place).f_frsize < 60 << 20


@pytest.mark.skipif(not filesystem.is_possible("btrfs"), reason="needs btrfs")
def test_snapshots_of_subvolumes_in_subvolumes(tree, run, tmp_path):
    with filesystem.mounted("btrfs", tmp_path) as place:
        for name in ("from", "from/inner", "from/inner/most", "from/beside"):
            subprocess.run(["btrfs", "-q", "subvolume", "create", place / name], check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(tree(COMPLETE), place / "from", symlinks=True, dirs_exist_ok=True)
        for name in ("inner/x", "inner/most/y", "beside/z"):
            (place / "from" / name).write_text(name)
        subprocess.run(["btrfs", "property", "set", place / "from", "ro", "true"], check=True)
        assert "a snapshot of this is made" in planned(run, f"--template={place / 'from'}", "-D", place / "to")
        assert not (place / "to").exists()
        assert start(run, place / "from", place / "to").code == 7
        for name in ("inner/x", "inner/most/y", "beside/z"):
            assert (place / "to" / name).read_text() == name
        for name in ("to", "to/inner", "to/inner/most", "to/beside"):
            assert os.stat(place / name).st_ino == 256, "a subvolume"
        assert lost(place / "from", place / "to") == {}
        (place / "to/mine").write_text("can be written")
        assert names(place) == ["from", "to"]


def test_what_is_there_is_left_alone(template, run, tmp_path):
    assert start(run, template, tmp_path / "new").code == 7
    (tmp_path / "new/mark").write_text("")
    result = run("--console=read-only", f"--template={template}", "-D", tmp_path / "new", "/payload", "exit", "7")
    assert f"There is '{tmp_path}/new' already: nothing is taken from the template '{template}'" in result.complaint
    assert result.code == 7 and (tmp_path / "new/mark").exists() and not (template / "mark").exists()
    assert "unused the tree is there already" in planned(run, f"--template={template}", "-D", tmp_path / "new")


def test_by_the_name_of_the_machine(template, run, tmp_path):
    name = f"nspawn-test-{os.getpid()}"
    target = pathlib.Path("/var/lib/machines") / name
    had = target.parent.exists()
    try:
        result = run("-q", "-P", f"--template={template}", "-M", name, "/payload", "exit", "7")
        assert result.code == 7 and (target / "a/suid").exists()
        assert run("-q", "-P", "-M", name, "/payload", "exit", "7").code == 7
    finally:
        shutil.rmtree(target, ignore_errors=True)
        if not had:
            target.parent.rmdir()


def test_ephemeral_without_a_directory(template, run):
    """As it was always understood: the template is the tree, and changes are thrown away."""
    before = manifest(template)
    beside = names(template.parent)
    assert run("-q", "-P", "-x", f"--template={template}", "/payload", "write", "/new", "x").json["errno"] == 0
    assert not (template / "new").exists() and names(template.parent) == beside
    assert differences(before, manifest(template)) == {}


@pytest.mark.parametrize("options, complaint", [
    (["-x", "-D", "/srv/x"], "'--template' cannot be combined with '--ephemeral'"),
    ([], "'--template' needs '--directory' or '--machine'"),
    (["-D", "/nonexistent/below/x"], "Cannot open the directory of the new tree '/nonexistent/below/x'"),
])
def test_refusals(template, run, options, complaint):
    result = run("-q", "-P", f"--template={template}", *options, "/payload")
    assert result.code == 1 and complaint in result.complaint


@pytest.mark.parametrize("what", ["missing", "file"])
def test_no_template(run, tmp_path, what):
    (tmp_path / "file").write_text("")
    result = start(run, tmp_path / what, tmp_path / "new")
    assert result.code == 1 and f"Cannot open the template '{tmp_path}/{what}'" in result.complaint
    assert "new" not in names(tmp_path)


def test_a_dry_run_tells_and_makes_nothing(template, run, tmp_path):
    assert "a copy of this is made" in planned(run, f"--template={template}", "-D", tmp_path / "new")
    assert names(tmp_path) == []


def test_too_little_room(template, run, tmp_path):
    (template / "big").write_bytes(os.urandom(1 << 20) * 24)
    place = tmp_path / "place"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "nspawn-test", place], check=True)
    try:
        result = start(run, template, place / "new")
        assert result.code == 1
        assert f"There is not enough room for a copy of '{template}' as '{place}/new': No space left on device" in result.complaint
        assert names(place) == []
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def large(tree):
    """So large that it can be interrupted."""
    root = tree(COMPLETE)
    for folder in range(40):
        (root / f"many{folder}").mkdir()
        for number in range(200):
            (root / f"many{folder}/{number}").write_text("x" * 5000)
    return root


def begin(template, target):
    """A start that is in the middle of copying."""
    process = subprocess.Popen([*program(), "-q", "-P", f"--template={template}", "-D", target, "/payload", "exit", "7"],
                               env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True)
    making = pathlib.Path(target).parent / f".#{pathlib.Path(target).name}.making"
    while not (making / "tree").exists() or not names(making / "tree"):
        assert process.poll() is None
    return process, making


def said_on_terminal(template, target, *options):
    """What a start says on its terminal whose copying takes longer than a second."""
    leader, follower = os.openpty()
    making = pathlib.Path(target).parent / f".#{pathlib.Path(target).name}.making"
    process = subprocess.Popen([*program(), "--console=read-only", *options, f"--template={template}", "-D", target, "/payload", "exit", "7"],
                               env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    while not (making / "tree/many0").exists() and process.poll() is None:
        pass
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    process.send_signal(signal.SIGCONT)
    said = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:
            break
        if not chunk:
            break
        said += chunk
    os.close(leader)
    assert process.wait(timeout=20) == 7, said
    return said.decode()


def test_how_far_it_is(large, tmp_path):
    said = said_on_terminal(large, tmp_path / "new")
    assert "\r\033[KCopying '" in said
    lines = said.split("Copying '")[-1].split("\r\033[K")
    assert len(lines) == 2 and "Spawning" in lines[1], "the line is taken away"
    assert "Copying" not in said_on_terminal(large, tmp_path / "other", "--quiet")
    assert "Copying" not in said_on_terminal(large, tmp_path / "third", "--json-errors")


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(large, tmp_path, signo):
    process, _ = begin(large, tmp_path / "new")
    process.send_signal(signo)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"Interrupted while '{tmp_path}/new' was being made" in said
    assert names(tmp_path) == []


def test_what_a_killed_start_leaves_is_removed_by_the_next(large, run, tmp_path):
    process, making = begin(large, tmp_path / "new")
    process.kill()
    process.communicate(timeout=20)
    assert names(tmp_path) == [making.name] and making.stat().st_mode & 0o777 == 0o700
    (making / "tree/of-before").write_text("")
    assert start(run, large, tmp_path / "new").code == 7
    assert names(tmp_path) == ["new"] and not (tmp_path / "new/of-before").exists()


def test_of_two_starts_one_makes_it(large, run, tmp_path):
    process, _ = begin(large, tmp_path / "new")
    process.send_signal(signal.SIGSTOP)
    try:
        result = start(run, large, tmp_path / "new")
    finally:
        process.send_signal(signal.SIGCONT)
    assert result.code == 1
    assert f"Another start is making the tree '{tmp_path}/new' out of a template just now" in result.complaint
    process.communicate(timeout=20)
    assert process.returncode == 7 and names(tmp_path) == ["new"]


def test_many_starts_at_once_make_it_once(template, tmp_path):
    words = [*program(), "-q", "-P", f"--template={template}", "-D", tmp_path / "new", "--read-only", "/payload", "exit", "7"]
    processes = [subprocess.Popen([*words[:1], f"--machine=m{number}", *words[1:]], env=environment(), stderr=subprocess.PIPE, text=True)
                 for number in range(6)]
    said = [process.communicate(timeout=30)[1] for process in processes]
    codes = [process.returncode for process in processes]
    assert 7 in codes and set(codes) <= {1, 7}, said
    for code, text in zip(codes, said):
        assert code == 7 or "Another start is making the tree" in text, text
    assert names(tmp_path) == ["new"] and lost(template, tmp_path / "new") == {}


def test_the_template_is_locked_meanwhile(large, run, tmp_path):
    process, _ = begin(large, tmp_path / "new")
    process.send_signal(signal.SIGSTOP)
    try:
        result = run("-q", "-P", "-D", large, "/payload", "exit", "7")
        assert result.code == 1 and "is in use by another machine" in result.complaint
        assert run("-q", "-P", "-D", large, "--read-only", "-M", "reader", "/payload", "exit", "7").code == 7
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=20)
    assert process.returncode == 7


def test_what_is_mounted_in_it_stays_there(template, run, tmp_path):
    (template / "mnt").mkdir()
    (template / "mnt/below").write_text("covered")
    subprocess.run(["mount", "-t", "tmpfs", "nspawn-test", template / "mnt"], check=True)
    try:
        (template / "mnt/mounted").write_text("")
        assert start(run, template, tmp_path / "new").code == 7
    finally:
        subprocess.run(["umount", template / "mnt"], check=True)
    assert names(tmp_path / "new/mnt") == ["below"]


def test_a_place_inside_the_template(template, run):
    """It does not copy what it is just making."""
    assert start(run, template, template / "srv-new").code == 7
    assert not (template / "srv-new/srv-new").exists()
    assert not [name for name in names(template / "srv-new") if name.startswith(".#")]


def test_depth_is_no_limit(tree, tmp_path):
    root = tree(COMPLETE)
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=descriptor)
        deeper = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.link("file", "twin", src_dir_fd=descriptor, dst_dir_fd=descriptor)
    os.close(descriptor)
    done = subprocess.run(["prlimit", "--nofile=128", *program(), "-q", "-P", f"--template={root}", "-D", tmp_path / "new", "/payload",
                           "exit", "7"], env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")
    descriptor = os.open(tmp_path / "new", os.O_RDONLY)
    for _ in range(3000):
        deeper = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    assert os.stat("file", dir_fd=descriptor).st_nlink == 2
    os.close(descriptor)
    subprocess.run(["rm", "-rf", tmp_path / "new", root / "d"], check=True)


def test_a_parent_with_a_default_list(template, run, tmp_path):
    """New files of that directory inherit an access list; those of the copy have their own."""
    subprocess.run(["setfacl", "-d", "-m", "u:1234:rwx", tmp_path], check=True)
    assert start(run, template, tmp_path / "new").code == 7
    assert lost(template, tmp_path / "new") == {}


def test_a_name_that_somebody_took(template, run, tmp_path):
    """Where everybody may write, what has the name of our directory may be somebody else's."""
    for make in (lambda path: path.symlink_to("/etc"), lambda path: path.write_text(""),
                 lambda path: (path.mkdir(), os.chown(path, 1000, 1000))):
        path = tmp_path / ".#new.making"
        make(path)
        result = start(run, template, tmp_path / "new")
        assert result.code == 1 and "Cannot make the directory '.#new.making' beside the new tree" in result.complaint
        assert names(tmp_path) == [".#new.making"]
        subprocess.run(["rm", "-r", path], check=True)
