# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn bind and unbind: files of the host in a machine that runs, also with ids of its own, and machines that resist."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from lab.run import leader_of

pytestmark = pytest.mark.requires("root")

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)
ENTRIES = {f"{name}/": None for name in ("etc", "mnt", "srv", "proc", "sys", "dev", "run", "tmp", "var", "usr/bin")}
WAYS = [pytest.param((), id="host-ids"), pytest.param(("-U",), id="own-ids", marks=pytest.mark.requires("userns", "idmap"))]


class Guest:
    """A machine whose shell does what it is told, line by line."""

    def __init__(self, machine):
        self.machine, self.count = machine, 0
        leader = leader_of(machine.pid)
        self.root = pathlib.Path(f"/proc/{leader}/root")
        self.mounts = pathlib.Path(f"/proc/{leader}/mounts")

    def do(self, script):
        """What the script said."""
        self.count += 1
        mark = f"[{self.count}]".encode()
        before = len(self.machine.out)
        self.machine.process.stdin.write(f"{{ {script}\n}} 2>&1; echo '[{self.count}]'\n".encode())
        self.machine.process.stdin.flush()
        self.machine.expect(mark)
        return bytes(self.machine.out[before:]).split(mark)[0].decode()


@pytest.fixture
def start(tree, Running):
    if not BUSYBOX:
        pytest.skip("there is no static busybox")
    machines = []

    def starting(*options):
        root = tree(ENTRIES)
        shutil.copy(BUSYBOX, root / "usr/bin/sh")
        for name in ("ls", "ln", "mv", "rm", "mkdir", "mount", "umount", "stat", "cat", "sleep", "touch", "grep"):
            (root / "usr/bin" / name).symlink_to("sh")
        words = ("-q", "-D", root, "-P", "-M", "lab", "-E", "PATH=/usr/bin", *options, "/usr/bin/sh")
        machine = Running(*words).__enter__()
        machines.append(machine)
        guest = Guest(machine)
        guest.do("true")
        return guest

    yield starting
    for machine in machines:
        machine.__exit__()


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "file").write_text("of the host\n")
    folder.chmod(0o755)
    return folder


@pytest.mark.parametrize("options", WAYS)
def test_a_directory_comes_and_goes(start, run, source, options):
    guest = start(*options)
    result = run("bind", "lab", source, "/srv")
    assert result.code == 0 and result.err == b"", result
    assert guest.do("cat /srv/file") == "of the host\n"
    # Who owns what is as with --bind: not mapped unless that is asked for.
    assert guest.do("stat -c %u /srv/file") == ("65534\n" if options else "0\n")
    result = run("unbind", "lab", "/srv")
    assert result.code == 0 and result.err == b"", result
    assert guest.do("ls /srv") == "" and "source" not in guest.mounts.read_text()
    result = run("unbind", "lab", "/srv")
    assert result.code == 1 and "Nothing is mounted at '/srv'" in result.complaint, result


@pytest.mark.parametrize("options", WAYS)
def test_read_only_stays_read_only(start, run, source, options):
    guest = start(*options)
    (source / "mine").mkdir()
    os.chmod(source / "mine", 0o777)
    assert run("bind", "lab", source, "/srv", "--read-only").code == 0
    assert "Read-only" in guest.do("touch /srv/mine/new")
    said = guest.do("mount -o remount,bind,rw /srv; touch /srv/mine/new")
    # Root of ids of its own must not take that off; one with the host's ids can with --bind-ro as well.
    assert not options or ("Read-only" in said and not (source / "mine/new").exists()), said
    assert run("unbind", "lab", "/srv").code == 0
    assert guest.do("ls /srv") == ""


@pytest.mark.parametrize("options", WAYS)
def test_what_is_missing_is_made_when_asked(start, run, source, options):
    guest = start(*options)
    result = run("bind", "lab", source, "/opt/deep/er")
    assert result.code == 1 and "--mkdir" in result.complaint and not (guest.root / "opt").exists(), result
    assert run("bind", "--mkdir", "lab", source, "/opt/deep/er").code == 0
    assert guest.do("cat /opt/deep/er/file; stat -c %u /opt/deep") == "of the host\n0\n"
    assert run("bind", "--mkdir", "lab", source / "file", "/etc/one").code == 0
    assert guest.do("cat /etc/one") == "of the host\n"
    result = run("bind", "lab", source / "file", "/srv")
    assert result.code == 1 and "is no directory, but" in result.complaint, result
    assert run("unbind", "lab", "/etc/one").code == run("unbind", "lab", "/opt/deep/er").code == 0


@pytest.mark.requires("userns", "idmap", "idmap-drop")
def test_owners_are_mapped_when_asked(start, run, source):
    guest = start("-U")
    os.chown(source / "file", 33, 33)
    (source / "a:b").mkdir()
    for words, owner in (("idmap", 33), ("rootidmap", 65534), ("owner=33>7", 7)):
        assert run("bind", "lab", source, f"/srv:{words}").code == 0, words
        assert guest.do("stat -c %u /srv/file") == f"{owner}\n", words
        assert run("unbind", "lab", "/srv").code == 0
    assert run("bind", "--mkdir", "lab", source / "a:b", "/mnt/c:d").code == 0
    assert guest.do("ls /mnt") == "c:d\n" and run("unbind", "lab", "/mnt/c:d").code == 0
    assert run("bind", "lab", source, "/srv:idmap,what").code == 1


@pytest.mark.parametrize("options", WAYS)
def test_what_is_mounted_in_it_comes_along(start, run, source, options):
    guest = start(*options)
    subprocess.run(["mount", "-t", "tmpfs", "inner", source / "sub"], check=True)
    try:
        (source / "sub/inner").write_text("x")
        assert run("bind", "lab", source, "/srv").code == 0
        assert guest.do("ls /srv/sub") == "inner\n"
        assert run("bind", "lab", source, "/mnt:norbind").code == 0
        assert guest.do("ls /mnt/sub") == ""
        # Nothing of the host follows later, nor goes there.
        subprocess.run(["mount", "-t", "tmpfs", "later", source / "sub"], check=True)
        assert guest.do("ls /srv/sub") == "inner\n"
        subprocess.run(["umount", source / "sub"], check=True)
        assert run("unbind", "lab", "/srv").code == run("unbind", "lab", "/mnt").code == 0
        assert guest.do("ls /srv /mnt") == "/mnt:\n\n/srv:\n"
    finally:
        subprocess.run(["umount", source / "sub"], check=True)


def test_unbind_leaves_others_alone(start, run, source):
    guest = start("--bind", f"{source}:/srv")
    guest.do("mkdir /mnt/own; mount -t tmpfs own /mnt/own")
    for path in ("/srv", "/mnt/own", "/proc", "/"):
        result = run("unbind", "lab", path)
        assert result.code == 1 and "was not brought there by 'bind'" in result.complaint, result
    assert guest.do("cat /srv/file") == "of the host\n"
    for path in ("/etc", "/missing", "relative", "/srv/" + "n" * 300):
        assert run("unbind", "lab", path).code == 1
    # The uppermost of two, one after the other.
    assert run("bind", "lab", source / "sub", "/srv").code == 0 and guest.do("ls /srv") == ""
    assert run("unbind", "lab", "/srv").code == 0 and guest.do("cat /srv/file") == "of the host\n"
    assert run("unbind", "lab", "/srv").code == 1


def test_links_stay_inside(start, run, source, tmp_path):
    (tmp_path / "canary").mkdir()
    guest = start()
    guest.do(f"ln -s {tmp_path}/canary /mnt/out; ln -s /srv /mnt/in")
    result = run("bind", "--mkdir", "lab", source, "/mnt/out/new")
    assert result.code == 1 and os.listdir(tmp_path / "canary") == [], result
    assert run("bind", "lab", source, "/mnt/in").code == 0 and guest.do("cat /srv/file") == "of the host\n"
    assert run("unbind", "lab", "/mnt/in").code == 0
    for path in ("/proc/1/root/srv", "/proc/self/cwd", "/", "relative", "/srv/../srv", "/srv/" + "n" * 300):
        result = run("bind", "lab", source, path)
        assert result.code == 1 and len(result.complaint.splitlines()) <= 2, result
    result = run("bind", "lab", source / "missing", "/srv")
    assert result.code == 1 and "Cannot open the bind source" in result.complaint
    assert run("bind", "lab", source, "/srv/odd\nname", "--mkdir").code == 0
    assert "odd\\012name" in guest.mounts.read_text() and run("unbind", "lab", "/srv/odd\nname").code == 0


@pytest.mark.parametrize("options", WAYS)
def test_a_race_of_directories_and_links(start, run, source, tmp_path, options):
    canary = tmp_path / "canary"
    canary.mkdir()
    guest = start(*options)
    guest.do("(while :; do mkdir -p /srv/a; mv /srv/a /srv/b; ln -s %s /srv/a; rm -f /srv/a; mv /srv/b /srv/a; done) >/dev/null 2>&1 &" % canary)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        result = run("bind", "--mkdir", "lab", source, "/srv/a/in")
        if result.code == 0:
            run("unbind", "lab", "/srv/a/in")
        assert os.listdir(canary) == []
    assert str(canary) not in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", ["bind", "unbind"])
def test_no_such_machine(run, verb):
    for words in ([], ["lab"], ["lab", "/x", "/y", "/z"], ["lab", "--what", "/x"], ["lab", "", "/y"]):
        result = run(verb, *words)
        assert result.code == 1 and len(result.complaint.splitlines()) == 1, result
    began = time.monotonic()
    result = run(verb, "lab", "/etc")
    assert result.code == 1 and result.complaint == "nspawn: No machine named 'lab' is running\n"
    assert time.monotonic() - began < 1


def test_nothing_is_left_of_it(start, run, source):
    guest = start()
    assert run("bind", "lab", source, "/srv").code == 0
    assert os.listdir("/run/nspawn/lab") and str(source) not in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
    guest.machine.signal(signal.SIGTERM)
    guest.machine.wait()
    assert not os.path.exists("/run/nspawn/lab")
