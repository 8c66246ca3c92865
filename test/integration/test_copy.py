# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn copy-to and copy-from: all of a file and of a tree, and a machine that wants something else."""
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time

import pytest

from lab.manifest import differences, manifest
from lab.run import leader_of, program

pytestmark = pytest.mark.requires("root")

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)
ENTRIES = {f"{name}/": None for name in ("etc", "opt", "srv", "proc", "sys", "dev", "run", "tmp", "var", "usr/bin")}


class Guest:
    """A machine, and what is in it as the host sees it."""

    def __init__(self, machine, root):
        self.machine, self.tree = machine, root
        leader = leader_of(machine.pid)
        self.root = pathlib.Path(f"/proc/{leader}/root")
        self.shift = int(pathlib.Path(f"/proc/{leader}/uid_map").read_text(encoding="utf-8").split()[1])

    def manifest(self, path):
        """As the machine sees the owners."""
        return {name: (entry[0], tuple(number - self.shift for number in entry[1]), *entry[2:])
                for name, entry in manifest(self.root / path).items()}


@pytest.fixture
def root(tree):
    if not BUSYBOX:
        pytest.skip("there is no static busybox")
    made = tree(ENTRIES)
    shutil.copy(BUSYBOX, made / "usr/bin/sh")
    for name in ("ln", "mv", "rm", "mkdir", "mkfifo", "mknod", "sleep", "dd", "touch", "chmod"):
        (made / "usr/bin" / name).symlink_to("sh")
    return made


WAYS = [pytest.param((), id="host-ids"), pytest.param(("-U",), id="own-ids", marks=pytest.mark.requires("userns", "idmap"))]


@pytest.fixture
def start(root, Running):
    """Starts a machine called lab that runs a script, which says "ready"."""
    machines = []

    def starting(script="", options=()):
        words = ("-q", "-D", root, "-P", "-M", "lab", "-E", "PATH=/usr/bin", *options, "/usr/bin/sh", "-c")
        machine = Running(*words, f"{script}\necho ready; exec sleep 100").__enter__()
        machines.append(machine)
        machine.expect("ready")
        return Guest(machine, root)

    yield starting
    for machine in machines:
        machine.__exit__()


def fill(top):
    """A tree with all that there is to lose."""
    (top / "deep/er").mkdir(parents=True)
    (top / "deep/er/file").write_text("content\n")
    (top / "odd\nname").write_text("odd")
    (top / ("n" * 255)).write_text("long")
    os.link(top / "deep/er/file", top / "twin")
    os.symlink("/etc/shadow", top / "link")
    os.mkfifo(top / "fifo", 0o640)
    os.chown(top / "deep", 7, 8)
    os.chmod(top / "deep", 0o2711)
    os.chown(top / "link", 3, 4, follow_symlinks=False)
    (top / "rights").write_text("x")
    os.chmod(top / "rights", 0o6755)
    os.setxattr(top / "rights", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    with open(top / "holes", "wb") as file:
        file.write(b"begin")
        file.truncate(32 << 20)
    os.setxattr(top / "twin", "user.test", b"value\0")
    subprocess.run(["setfacl", "-m", "u:12:rwx,g:13:r", top / "twin"], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:12:rwx", top / "deep"], check=True)
    for path in [*top.rglob("*"), top]:
        os.utime(path, ns=(10 ** 18, 10 ** 18 + 5), follow_symlinks=False)
    return top


def without(tree, *names, mode=True, rights=True):
    """A manifest as it is on the other side of the border: rights are left behind."""
    kept = {}
    for name, entry in tree.items():
        if name in names:
            continue
        mode_text, attributes = entry[0], dict(entry[7])
        attributes.pop("security.capability", None)
        if stat.S_ISREG(int(mode_text, 8)):
            mode_text = oct(int(mode_text, 8) & ~0o6000)
        kept[name] = (mode_text, *entry[1:7], attributes)
    return kept


@pytest.mark.parametrize("options", WAYS)
def test_a_tree_goes_in_and_out_again(start, run, tmp_path, options):
    guest = start(options=options)
    source = tmp_path / "source"
    source.mkdir()
    fill(source)
    before = manifest(source)
    result = run("copy-to", "lab", source, "/srv/copy")
    assert result.code == 0 and result.err == b"", result
    inside = guest.manifest("srv/copy")
    # The root of the capabilities is the machine's: the host reads another revision of them then.
    if options:
        value = dict(inside["rights"][7])["security.capability"]
        assert int.from_bytes(value[-4:], "little") == guest.shift
        inside["rights"][7]["security.capability"] = before["rights"][7]["security.capability"]
        for name in ("twin", "deep/er/file", "deep"):
            assert inside[name][7].keys() == before[name][7].keys()
            inside[name][7].update(before[name][7])
    assert not differences(before, inside)
    assert (guest.root / "srv/copy/holes").stat().st_blocks < 1000
    result = run("copy-from", "lab", "/srv/copy", tmp_path / "back")
    assert result.code == 0 and "Set-user-id bits" in result.complaint, result
    assert not differences(without(before), manifest(tmp_path / "back"))
    assert sorted(os.listdir(tmp_path)) == ["back", "source"] and os.listdir(guest.root / "srv") == ["copy"]


@pytest.mark.parametrize("options", WAYS)
def test_access_lists_name_users_of_the_machine(start, run, tmp_path, options):
    guest = start(options=options)
    (tmp_path / "file").write_text("x")
    subprocess.run(["setfacl", "-m", "u:12:rwx", tmp_path / "file"], check=True)
    assert run("copy-to", "lab", tmp_path / "file", "/srv/file").code == 0
    said = subprocess.run(["getfacl", "-n", guest.root / "srv/file"], capture_output=True, text=True, check=False).stdout
    assert f"user:{guest.shift + 12}:rwx" in said


def test_an_owner_the_machine_does_not_have(start, run, tmp_path):
    guest = start(options=("-U",))
    (tmp_path / "file").write_text("x")
    os.chmod(tmp_path / "file", 0o4755)
    os.chown(tmp_path / "file", 70000, 5)
    os.chmod(tmp_path / "file", 0o4755)
    result = run("copy-to", "lab", tmp_path / "file", "/srv/file")
    assert result.code == 0 and "has no id in machine 'lab'" in result.complaint, result
    status = (guest.root / "srv/file").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (guest.shift, guest.shift + 5, 0o755)


def test_where_a_file_goes(start, run, tmp_path):
    guest = start()
    (tmp_path / "file").write_text("one")
    assert run("copy-to", "lab", "file", "/srv", cwd=tmp_path).code == 0
    assert run("copy-to", "lab", "./file", "/srv/other", cwd=tmp_path).code == 0
    assert run("copy-to", "lab", tmp_path / "file", "/srv/new/").code == 1
    assert run("copy-to", "lab", tmp_path / "file", "/missing/file").code == 1
    assert run("copy-to", "lab", tmp_path / "file").code == 1  # the same path is not there
    assert sorted(os.listdir(guest.root / "srv")) == ["file", "other"]
    for directory in ("/srv", "/srv/"):
        assert "'lab:/srv/file' is there already" in run("copy-to", "lab", tmp_path / "file", directory).complaint
    (tmp_path / "file").write_text("two")
    result = run("copy-to", "lab", tmp_path / "file", "/srv/file")
    assert result.code == 1 and "is there already" in result.complaint and "--force" in result.complaint
    assert (guest.root / "srv/file").read_text() == "one"
    assert run("copy-to", "--force", "lab", tmp_path / "file", "/srv/file").code == 0
    assert (guest.root / "srv/file").read_text() == "two"
    assert run("copy-from", "lab", "/srv/file", ".", cwd=tmp_path).code == 1
    assert run("copy-from", "lab", "/srv/file", "back", cwd=tmp_path).code == 0
    assert (tmp_path / "back").read_text() == "two"


def test_directories_are_merged(start, run, tmp_path):
    guest = start("mkdir -p /srv/web/conf; echo old >/srv/web/conf/a; echo kept >/srv/web/kept; chmod 711 /srv/web/conf")
    source = tmp_path / "web"
    (source / "conf").mkdir(parents=True)
    (source / "conf/b").write_text("b")
    (source / "new").mkdir()
    (source / "new/c").write_text("c")
    os.link(source / "new/c", source / "new/d")
    assert run("copy-to", "lab", source, "/srv/web").code == 0
    web = guest.root / "srv/web"
    assert (web / "conf/b").read_text() == "b" and (web / "kept").read_text() == "kept\n"
    assert stat.S_IMODE((web / "conf").stat().st_mode) == 0o711
    assert (web / "new/c").stat().st_ino == (web / "new/d").stat().st_ino
    shutil.rmtree(source)
    (source / "conf").mkdir(parents=True)
    (source / "conf/a").write_text("new")
    result = run("copy-to", "lab", source, "/srv/web")
    assert result.code == 1 and "conf/a" in result.complaint and "--force" in result.complaint
    assert (web / "conf/a").read_text() == "old\n"
    assert run("copy-to", "lab", source, "/srv/web", "--force").code == 0
    assert (web / "conf/a").read_text() == "new"
    assert not [name for name in web.rglob(".nspawn*")]
    # No file takes the place of a directory, nor the other way round.
    (source / "kept").mkdir()
    assert run("copy-to", "lab", source, "/srv/web", "--force").code == 1
    assert (web / "kept").read_text() == "kept\n"


def test_streams(start, run, tmp_path):
    guest = start("mkdir /srv/dir; mkfifo /srv/fifo; ln -s /srv/in /srv/link")
    assert run("copy-to", "lab", "-", "/srv/in", stdin=b"a\0b").code == 0
    assert (guest.root / "srv/in").read_bytes() == b"a\0b"
    assert run("copy-to", "lab", "-", "/srv/in", stdin=b"c").code == 1
    assert run("copy-from", "lab", "/srv/link", "-").out == b"a\0b"
    for words in (["copy-from", "lab", "/srv/fifo", "-"], ["copy-from", "lab", "/srv/dir", "-"], ["copy-from", "lab", "/dev/zero", "-"],
                  ["copy-to", "lab", "-", "/srv/dir"], ["copy-to", "lab", "-"]):
        result = run(*words, stdin=b"x", timeout=5)
        assert result.code == 1 and result.out == b"", result


def test_links_are_copied_and_not_followed(start, run, tmp_path):
    (tmp_path / "secret").write_text("of the host")
    guest = start(f"ln -s {tmp_path}/secret /srv/link; ln -s {tmp_path} /srv/out; ln -s /etc /srv/etc; echo inner >/etc/name")
    assert run("copy-from", "lab", "/srv/link", tmp_path / "got").code == 0
    assert os.readlink(tmp_path / "got") == f"{tmp_path}/secret"
    # Through a link the machine's own file is meant, if there is one.
    assert run("copy-from", "lab", "/srv/etc/name", tmp_path / "name").code == 0 and (tmp_path / "name").read_text() == "inner\n"
    result = run("copy-from", "lab", "/srv/out/secret", tmp_path / "stolen")
    assert result.code == 1 and not (tmp_path / "stolen").exists(), result
    result = run("copy-to", "lab", tmp_path / "name", "/srv/out/planted")
    assert result.code == 1 and not (tmp_path / "planted").exists(), result
    # A link in the place of a file is replaced, not written through.
    result = run("copy-to", "lab", tmp_path / "name", "/srv/link", "--force")
    assert result.code == 0 and (tmp_path / "secret").read_text() == "of the host", result
    assert (guest.root / "srv/link").read_text() == "inner\n"


def test_what_a_machine_makes_to_hurt(start, run, tmp_path):
    start("cd /srv; mkdir trap; cd trap; mkfifo fifo; mknod null c 1 3; echo x >root; chmod 6777 root; mkdir d; ln -s /proc/self/root d/r")
    began = time.monotonic()
    result = run("copy-from", "lab", "/srv/trap", tmp_path / "trap", timeout=10)
    assert result.code == 0 and time.monotonic() - began < 5 and "Device nodes" in result.complaint, result
    assert sorted(os.listdir(tmp_path / "trap")) == ["d", "fifo", "root"]
    assert stat.S_IMODE((tmp_path / "trap/root").stat().st_mode) == 0o777
    for path in ("/proc/1/root/etc/passwd", "/proc/self/exe", "/proc/1/cwd/etc", "/srv/" + "n" * 300, "/srv/missing", "relative", "/srv/trap/null"):
        result = run("copy-from", "lab", path, tmp_path / "no", timeout=5)
        if path == "/proc/self/exe":
            (tmp_path / "no").unlink(missing_ok=True)  # the link itself
            continue
        assert result.code == 1 and len(result.complaint.splitlines()) <= 2 and not (tmp_path / "no").exists(), result


RACE = """
while :; do
mkdir -p /made; echo inside >/made/secret; mv /made /srv/a; rm -rf /srv/a; ln -s %s /srv/a; rm -rf /srv/b; mv /srv/a /srv/b
done 2>/dev/null &
"""


@pytest.mark.parametrize("options", WAYS)
def test_a_race_of_directories_and_links(start, run, tmp_path, options):
    """A directory of the machine is a link to one of the host half of the time."""
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "secret").write_text("of the host")
    (tmp_path / "file").write_text("x")
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/file").write_text("x")
    before = manifest(canary)
    start(RACE % canary, options)
    deadline = time.monotonic() + 3
    worked = 0
    while time.monotonic() < deadline:
        shutil.rmtree(tmp_path / "got", ignore_errors=True)
        run("copy-to", "lab", tmp_path / "file", "/srv/a/../a/planted", "--force")
        run("copy-to", "lab", tmp_path / "tree", "/srv/a", "--force")
        worked += run("copy-from", "lab", "/srv/a/secret", tmp_path / "secret", "--force").code == 0
        if (tmp_path / "secret").exists():
            assert (tmp_path / "secret").read_text() == "inside\n"
        run("copy-from", "lab", "/srv", tmp_path / "got")
        for found in (tmp_path / "got").rglob("secret"):
            if not any(parent.is_symlink() for parent in found.parents):
                assert found.read_text() == "inside\n"
    assert worked and not differences(before, manifest(canary))


@pytest.mark.requires("cgroup2")
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_frozen_while_the_kernel_declines(start, run, Running, tmp_path):
    """Who moves directories about all the time makes the kernel say EAGAIN: here it says so anyway. SIGKILL thaws as well."""
    start("echo x >/srv/file")
    group = json.loads(pathlib.Path("/run/nspawn/lab/state.json").read_text(encoding="utf-8"))["cgroup"]
    frozen = pathlib.Path(group) / "cgroup.freeze"

    def traced(declined):
        return ["strace", "-f", "-o", tmp_path / "trace", "-e", "trace=openat2", "-e",
                f"inject=openat2:error=EAGAIN:delay_enter=5000:when=1..{declined}", *program(), "copy-from", "lab", "/srv/file", "-"]

    result = run(command=traced(70))
    assert (result.code, result.out, frozen.read_text()) == (0, b"x\n", "0\n"), result
    with Running(command=traced(200)) as copy:
        deadline = time.monotonic() + 10
        while frozen.read_text() == "0\n" and time.monotonic() < deadline:
            pass
        assert frozen.read_text() == "1\n"
        children = pathlib.Path(f"/proc/{copy.pid}/task/{copy.pid}/children").read_text(encoding="utf-8").split()
        os.kill(int(children[0]), signal.SIGKILL)
        copy.wait(5)
    deadline = time.monotonic() + 5
    while frozen.read_text() == "1\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert frozen.read_text() == "0\n"


def test_a_full_disk_leaves_nothing(start, run, tmp_path):
    guest = start(options=("--tmpfs=/mnt:size=2M",))
    with open(tmp_path / "large", "wb") as file:
        file.write(os.urandom(4 << 20))
    (tmp_path / "tree").mkdir()
    os.link(tmp_path / "large", tmp_path / "tree/large")
    for words in (("large", "/mnt/large"), ("tree", "/mnt/tree"), ("tree", "/mnt")):
        result = run("copy-to", "lab", tmp_path / words[0], words[1])
        assert result.code == 1 and "not enough room" in result.complaint, result
        assert os.listdir(guest.root / "mnt") == []
    result = run("copy-to", "lab", "-", "/mnt/large", stdin=(tmp_path / "large").read_bytes())
    assert result.code == 1 and os.listdir(guest.root / "mnt") == [], result


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(start, Running, number):
    guest = start()
    with Running("copy-to", "lab", "-", "/srv/half") as copy:
        copy.process.stdin.write(b"x" * 100000)
        copy.process.stdin.flush()
        deadline = time.monotonic() + 5
        while not os.listdir(guest.root / "srv") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [name for name in os.listdir(guest.root / "srv") if name.startswith(".nspawn-copy-")]
        copy.signal(number)
        result = copy.wait(5)
    assert result.code == 1 and "Interrupted" in result.complaint and os.listdir(guest.root / "srv") == [], result


def test_what_is_mounted_is_left_out_and_said(start, run, tmp_path):
    start("echo x >/srv/file; echo y >/mnt/inner", options=("--tmpfs=/mnt",))
    result = run("copy-from", "lab", "/", tmp_path / "all")
    assert result.code == 0 and "Something is mounted" in result.complaint, result
    assert (tmp_path / "all/srv/file").read_text() == "x\n" and os.listdir(tmp_path / "all/mnt") == os.listdir(tmp_path / "all/proc") == []
    assert run("copy-from", "lab", "/mnt", tmp_path / "inner").code == 0 and os.listdir(tmp_path / "inner") == ["inner"]


@pytest.mark.parametrize("verb", ["copy-to", "copy-from"])
def test_no_such_machine(run, verb):
    for words in ([], ["lab"], ["lab", "/x", "/y", "/z"], ["lab", "--what", "/x"], ["lab", "", "/y"]):
        result = run(verb, *words)
        assert result.code == 1 and len(result.complaint.splitlines()) == 1, result
    began = time.monotonic()
    result = run(verb, "lab", "/etc/hostname", "/y")
    assert result.code == 1 and result.complaint == "nspawn: No machine named 'lab' is running\n"
    assert time.monotonic() - began < 1


def test_a_machine_that_died(root, start, run):
    guest = start()
    guest.machine.signal(signal.SIGKILL)
    guest.machine.wait()
    result = run("copy-from", "lab", "/srv", "/tmp/never")
    assert result.code == 1 and result.complaint == "nspawn: No machine named 'lab' is running\n"
    assert run("-D", root, "-P", "-M", "lab", "/payload", "exit", "0").code == 0  # which tidies up
