# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn diff, commit and export: what a running throw-away machine changed, written back, and its whole tree."""
import hashlib
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tarfile

import pytest

pytestmark = pytest.mark.requires("root")

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)

ENTRIES = {"etc/same": "same", "etc/content": "old", "etc/mode": "mode", "etc/gone": "gone", "opt/dir/inner": "inner",
           "opt/replaced/a": "a", "opt/replaced/b": "b", "srv/wasdir/x": "x", "srv/wasfile": "f", "etc/link=": "same",
           "proc/": None, "sys/": None, "dev/": None, "run/": None, "tmp/": None, "root/": None, "bin/": None,
           "sbin/": None, "lib/": None, "lib64/": None, "var/": None}

CHANGES = r"""
cd / && echo new >etc/content && chmod 600 etc/mode && rm etc/gone && rm -r opt/dir && rm -r opt/replaced &&
mkdir opt/replaced && echo b2 >opt/replaced/b && rm -r srv/wasdir && echo f >srv/wasdir && rm srv/wasfile &&
mkdir -m 711 srv/wasfile && echo in >srv/wasfile/in && mkdir -p srv/new/deep && echo x >srv/new/deep/file &&
ln srv/new/deep/file srv/new/again && ln -s /etc/shadow srv/new/link && mkfifo srv/new/fifo && mknod srv/new/null c 1 3 &&
chown 7:8 srv/new/deep/file && chmod 4755 srv/new/deep/file && echo ODD >"srv/new/odd
name" && rm etc/link && ln -s content etc/link && echo done && exec sleep 100
"""

EXPECTED = """C /etc/content
D /etc/gone
C /etc/link
C /etc/mode (metadata)
D /opt/dir
D /opt/replaced/a
C /opt/replaced/b
A /srv/new
A /srv/new/again
A /srv/new/deep
A /srv/new/deep/file
A /srv/new/fifo
A /srv/new/link
A /srv/new/null
A /srv/new/odd\\x0aname
C /srv/wasdir (file, was directory)
C /srv/wasfile (directory, was file)
A /srv/wasfile/in
"""


def look(top, path, found):
    """Status first: looking changes the time of access, which then gets its old value back."""
    status = path.lstat()
    content = ""
    if stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    elif stat.S_ISDIR(status.st_mode):
        for name in os.listdir(path):
            look(top, path / name, found)
    xattrs = {key: os.getxattr(path, key, follow_symlinks=False) for key in os.listxattr(path, follow_symlinks=False)}
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
    found[str(path.relative_to(top))] = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_mtime_ns,
                                         status.st_atime_ns, status.st_ino, content, xattrs)


def manifest(root):
    """Everything of a tree, access times included."""
    found = {}
    look(root, pathlib.Path(root), found)
    return found


def shell(root):
    shutil.copy(BUSYBOX, root / "usr/sh")
    for name in ("sh", "rm", "mkdir", "ln", "mkfifo", "mknod", "chown", "chmod", "sleep", "touch"):
        (root / "usr/bin" / name).symlink_to("../sh")
    return root


@pytest.fixture
def root(tree):
    if not BUSYBOX:
        pytest.skip("there is no static busybox")
    return shell(tree({**ENTRIES, "usr/bin/": None}))


@pytest.fixture
def changed(root, Running):
    with Running("-D", root, "-P", "-x", "-M", "lab", "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", CHANGES) as machine:
        machine.expect("done")
        yield root


def ours(text):
    """Without what every start makes: the host's files in /etc."""
    return "".join(line for line in text.splitlines(True) if not line.split()[1].startswith(("/etc/resolv", "/etc/localtime")))


def test_diff_tells_what_changed(changed, run):
    before = manifest(changed)
    result = run("diff", "lab")
    assert result.code == 0 and ours(result.text) == EXPECTED, result
    found = {item["path"]: item for item in run("diff", "lab", "--json").json}
    assert found["/etc/content"]["content"] and found["/etc/mode"] == {
        "path": "/etc/mode", "change": "changed", "type": "file", "was": "file", "content": False, "metadata": True}
    assert found["/opt/dir"] == {"path": "/opt/dir", "change": "removed", "was": "directory"}
    assert found["/srv/new/odd\nname"]["change"] == "added"
    assert manifest(changed) == before


def test_commit_writes_all_of_it(changed, run):
    result = run("commit", "lab")
    assert result.code == 0, result
    assert (changed / "etc/content").read_text() == "new\n" and not (changed / "etc/gone").exists()
    assert stat.S_IMODE((changed / "etc/mode").stat().st_mode) == 0o600
    assert sorted(os.listdir(changed / "opt")) == ["replaced"] and os.listdir(changed / "opt/replaced") == ["b"]
    assert (changed / "srv/wasdir").read_text() == "f\n" and (changed / "srv/wasfile/in").read_text() == "in\n"
    assert stat.S_IMODE((changed / "srv/wasfile").stat().st_mode) == 0o711
    file = (changed / "srv/new/deep/file").stat()
    assert (file.st_uid, file.st_gid, file.st_nlink, stat.S_IMODE(file.st_mode)) == (7, 8, 2, 0o4755)
    assert file.st_ino == (changed / "srv/new/again").stat().st_ino
    assert os.readlink(changed / "srv/new/link") == "/etc/shadow" and os.readlink(changed / "etc/link") == "content"
    assert (changed / "srv/new/fifo").is_fifo() and (changed / "srv/new/null").is_char_device()
    assert not list(changed.rglob(".nspawn-*"))
    assert ours(run("diff", "lab").text) == ""


def test_commit_of_single_paths(changed, run):
    before = manifest(changed)
    assert run("commit", "lab", "/etc/mode", "/srv/new/deep/file").code == 0
    after = manifest(changed)
    assert {name for name in after if name not in before} == {"srv/new", "srv/new/deep", "srv/new/deep/file"}
    assert {name for name in before if before[name] != after.get(name)} - {"etc", "srv", "etc/mode"} == set()
    for path, complaint in (("/etc/same", "Nothing changed"), ("etc/mode", "no absolute path"), ("/etc/../srv", "no absolute path")):
        result = run("commit", "lab", path)
        assert result.code == 1 and complaint in result.complaint


def test_one_commit_at_a_time(changed, run):
    import fcntl
    fd = os.open(changed, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    result = run("commit", "lab")
    os.close(fd)
    assert result.code == 1 and "Somebody else writes" in result.complaint


def test_export_has_the_tree_as_it_is_seen(changed, run, tmp_path):
    with open(changed / "etc/same", "r+b") as file:
        file.truncate(5 << 20)  # a hole
    os.setxattr(changed / "etc/same", "user.probe", b"v\0\xff")
    long = changed / ("srv/" + "n" * 200)
    long.write_text("long")
    result = run("export", "lab", "-")
    assert result.code == 0, result.complaint
    archive = tarfile.open(fileobj=io.BytesIO(result.out))
    names = archive.getnames()
    assert "etc/gone" not in names and "opt/dir" not in names and "opt/replaced/a" not in names
    assert archive.extractfile("etc/content").read() == b"new\n" and f"srv/{'n' * 200}" in names
    assert len(result.out) < 40 << 20
    same = archive.getmember("etc/same")
    assert same.size == 5 << 20 and same.issparse()
    assert archive.extractfile("etc/same").read() == b"same" + b"\0" * ((5 << 20) - 4)
    file = archive.getmember("srv/new/deep/file")
    assert file.mode == 0o4755 and (file.uid, file.gid) == (7, 8)
    assert {archive.getmember("srv/new/again").islnk(), file.islnk()} == {True, False}
    assert archive.getmember("srv/new/null").ischr() and archive.getmember("srv/new/fifo").isfifo()
    assert not [name for name in names if name.startswith(("proc/", "dev/", "run/"))]
    target = tmp_path / "x.tar"
    assert run("export", "lab", target).code == 0 and stat.S_IMODE(target.stat().st_mode) == 0o600
    into = tmp_path / "into"
    into.mkdir()
    subprocess.run(["tar", "-C", into, "--xattrs", "--xattrs-include=*", "-xpf", target], check=True)
    assert os.getxattr(into / "etc/same", "user.probe") == b"v\0\xff"
    assert (into / "etc/same").stat().st_blocks < 100
    assert (into / "srv/new/odd\nname").read_text() == "ODD\n"


def test_the_tree_is_untouched_access_times_included(root, run, Running):
    def start():
        with Running("-D", root, "-P", "-x", "-M", "lab", "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", CHANGES) as machine:
            machine.expect("done")
            assert run("diff", "lab").code == 0 and run("export", "lab", "-").code == 0

    before = manifest(root)
    start()
    after = manifest(root)
    assert {name: values for name, values in after.items() if before.get(name) != values} == {}


def test_a_name_that_nobody_has(run):
    for words in (["diff", "nobody"], ["commit", "nobody"], ["export", "nobody", "-"], ["diff", "../x"]):
        result = run(*words)
        assert result.code == 1 and f"No machine named '{words[1]}' is running" in result.complaint
    for words in (["diff"], ["commit"], ["export", "x"], ["diff", "a", "b"], ["diff", "--what"]):
        assert run(*words).code == 1


def test_a_machine_that_keeps_its_changes(root, run, Running):
    with Running("-D", root, "-P", "-M", "kept", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        result = run("diff", "kept")
        assert result.code == 1 and "changes its tree itself" in result.complaint
        assert tarfile.open(fileobj=io.BytesIO(run("export", "kept", "-").out)).getmember("payload").isreg()


def test_a_killed_one_is_not_running(root, run, Running):
    with Running("-D", root, "-P", "-x", "-M", "killed", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        assert json.loads(pathlib.Path("/run/nspawn/killed/state.json").read_text())["machine"] == "killed"
        machine.signal(9)
        machine.wait()
    assert "No machine named 'killed'" in run("diff", "killed").complaint
    assert run("-D", root, "-P", "-x", "-M", "killed", "/payload", "exit", "0").code == 0


HOSTILE = """
cd /srv; mknod white c 0 0; mknod disk c 1 5; ln -s / way; ln -s ../../../etc/shadow up; mkfifo pipe; mkdir "a
b" && echo x >"a
b/%2f"; printf x >"$(printf 'n\\377')"; mkdir -p ../etc2 && ln -s /etc ../etc2/out; echo done; exec sleep 100
"""


NAME = "0123456789012345678"


def below(top, deed):
    """Calls deed with each directory on the way down, as long as it says that there is one: no path could be so long."""
    fd = os.open(top, os.O_RDONLY)
    while deed(fd):
        inner = os.open(NAME, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
        os.close(fd)
        fd = inner
    return fd


def make_deep(top, depth):
    left = iter(range(depth, -1, -1))

    def make(fd):
        if next(left):
            os.mkdir(NAME, dir_fd=fd)
            return True
        return False

    fd = below(top, make)
    with open(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "w", encoding="utf-8") as file:
        file.write("deep")
    os.close(fd)


def read_deep(top):
    fd = below(top, lambda fd: os.listdir(fd) == [NAME] or NAME in os.listdir(fd))
    with open(os.open("file", os.O_RDONLY, dir_fd=fd), encoding="utf-8") as file:
        os.close(fd)
        return file.read()


def test_what_a_guest_makes_to_hurt(root, run, Running, tmp_path):
    with Running("-D", root, "-P", "-x", "-M", "lab", "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", HOSTILE) as machine:
        machine.expect("done")
        changes = pathlib.Path(json.loads(pathlib.Path("/run/nspawn/lab/state.json").read_text())["changes"])
        make_deep(changes / "srv", 400)
        result = run("diff", "lab")
        assert result.code == 0 and "A /srv/a\\x0ab/%2f\n" in result.text and "white" not in result.text
        assert f"{f'/{NAME}' * 400}/file\n" in result.text
        result = run("export", "lab", tmp_path / "x.tar")
        assert result.code == 0 and result.err == b"", result
        names = tarfile.open(tmp_path / "x.tar", encoding="utf-8", errors="surrogateescape").getnames()
        assert "srv/n\udcff" in names and "srv/a\nb/%2f" in names and "srv/white" not in names
        result = run("commit", "lab")
        assert result.code == 0, result
        assert os.readlink(root / "srv/way") == "/" and os.readlink(root / "srv/up") == "../../../etc/shadow"
        assert (root / "srv/disk").is_char_device() and (root / "srv/a\nb/%2f").read_text() == "x\n"
        assert ours(run("diff", "lab").text) == "" and not os.path.exists(root / "srv/white")
        assert read_deep(root / "srv") == "deep"
    subprocess.run(["rm", "-rf", root / "srv" / NAME], check=True)


# Each line is one state; the machine goes on to the next one when it is told.
STATES = """
cd /srv; echo one; read x; rm -r wasdir; echo f >wasdir; ln wasdir twin; echo two; read x; rm wasdir; mkdir wasdir; echo y >wasdir/y;
echo three; read x; rm -r wasdir; mkdir wasdir; echo x >wasdir/x; rm twin; echo four; exec sleep 100
"""


def test_back_and_forth(root, run, Running):
    before = manifest(root)
    with Running("-D", root, "-P", "-x", "-M", "lab", "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", STATES) as machine:
        machine.expect("one")
        assert ours(run("diff", "lab").text) == ""
        result = run("diff", "lab", "--json")
        assert result.code == 0 and [item for item in result.json if not item["path"].startswith("/etc")] == []
        machine.process.stdin.write(b"\n")
        machine.process.stdin.flush()
        machine.expect("two")
        assert run("commit", "lab", "/srv").code == 0 and (root / "srv/wasdir").stat().st_ino == (root / "srv/twin").stat().st_ino
        machine.process.stdin.write(b"\n")
        machine.process.stdin.flush()
        machine.expect("three")
        assert run("commit", "lab", "/srv").code == 0
        assert os.listdir(root / "srv/wasdir") == ["y"] and (root / "srv/twin").read_text() == "f\n"
        assert (root / "srv/twin").stat().st_nlink == 1
        machine.process.stdin.write(b"\n")
        machine.process.stdin.flush()
        machine.expect("four")
        assert run("commit", "lab", "/srv").code == 0 and os.listdir(root / "srv/wasdir") == ["x"]
        assert not (root / "srv/twin").exists() and ours(run("diff", "lab").text) == ""
    assert set(manifest(root)) == set(before)


MANY = """
cd /srv && i=0; while [ $i -lt 20000 ]; do echo $i >f$i; i=$((i+1)); done; echo done; exec sleep 100
"""


@pytest.fixture
def many(root, Running):
    with Running("-D", root, "-P", "-x", "-M", "lab", "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", MANY) as machine:
        machine.expect("done")
        yield root


def test_an_interrupted_commit_leaves_nothing_half_made(many, run, Running):
    with Running("commit", "lab") as commit:
        while not (many / "srv/f1000").exists():
            assert commit.process.poll() is None
        # Another one must wait for its turn, also when it comes from us.
        assert "Somebody else writes" in run("commit", "lab").complaint
        commit.signal(2)
        commit.wait()
        assert commit.process.returncode == 1
    count = int(commit.err.decode().split("Interrupted after ")[1].split()[0])
    names = [name for name in os.listdir(many / "srv") if name.startswith("f")]
    assert 0 < len(names) < 20000 and abs(count - len(names)) < 4
    assert not [name for name in os.listdir(many / "srv") if name.startswith(".")]
    assert all((many / "srv" / name).read_text() == f"{name[1:]}\n" for name in names)
    assert run("commit", "lab").code == 0 and len(os.listdir(many / "srv")) == 20000 + 2
    assert ours(run("diff", "lab").text) == ""


RESTLESS = """
cd /srv; mkdir a; echo begun; while :; do mkdir -p b/c/d; echo 1 >b/c/d/f; echo 22 >a/g; rm -r b; ln -s /etc b; rm b; rm -f a/g; done
"""


def test_a_machine_that_changes_meanwhile(root, run, Running):
    with Running("-D", root, "-P", "-x", "-M", "lab", "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", RESTLESS) as machine:
        machine.expect("begun")
        for _ in range(20):
            assert run("diff", "lab").code in (0, 1)
            out = run("export", "lab", "-").out
            assert tarfile.open(fileobj=io.BytesIO(out)).getmember("payload").isreg()
            run("commit", "lab", "/srv")
        assert (root / "etc/same").read_text() == "same" and not (root / "etc/c").exists()
        assert not [path for path in root.rglob(".nspawn-*")]


@pytest.mark.parametrize("options,words", [(["--read-only"], "keeps no changes"), (["--volatile=overlay"], "keeps no changes")])
def test_a_machine_that_cannot_have_changes(root, run, Running, options, words):
    with Running("-D", root, "-P", *options, "-M", "kept", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        assert words in run("diff", "kept").complaint and words in run("commit", "kept").complaint
        result = run("export", "kept", "-")
        if options == ["--read-only"]:
            assert tarfile.open(fileobj=io.BytesIO(result.out)).getmember("payload").isreg()
        else:
            assert result.code == 1 and words in result.complaint
