# SPDX-License-Identifier: LGPL-2.1-or-later
"""Credentials: what the payload finds, who may read it, and that nobody else gets to see a secret."""
import errno
import pathlib
import re
import signal
import socket
import stat
import threading
import time

import pytest

from lab import identity
from lab.run import leader_of

pytestmark = pytest.mark.requires("root")

PLACE = "/run/host/credentials"
SECRET = "correct-horse-battery-staple"
USERS = {"etc/passwd": "root:x:0:0::/root:/bin/sh\nu:x:77:77::/:/bin/sh\n", "etc/group": "u:x:77:\n"}


def served(path, content):
    """A stream socket at path that says content to the first who comes."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    identity.give(path)
    server.listen(1)
    server.settimeout(10)

    def serve():
        peer, _ = server.accept()
        # In pieces: what was read first is not all.
        for start in range(0, len(content), 3):
            peer.sendall(content[start:start + 3])
            time.sleep(0.01)
        peer.close()
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("value, content", [
    ("plain", b"plain"), ("", b""), (r"a\nb\x00c\tä", b"a\nb\0c\t\xc3\xa4"), ("with:colons:/and/slashes", b"with:colons:/and/slashes"),
    (r"\x00\377", b"\0\xff"), pytest.param("x" * 100000, b"x" * 100000, id="large"),
])
def test_a_value_set_on_the_command_line(tree, do, value, content):
    result = do(tree(), "read", f"{PLACE}/my.id", options=[f"--set-credential=my.id:{value}"])
    assert (result.code, result.out, result.err) == (0, content, b"")


def test_a_value_read_from_a_file(tree, do, tmp_path):
    content = bytes(range(256)) * 3
    (tmp_path / "file").write_bytes(content)
    assert do(tree(), "read", f"{PLACE}/id", options=[f"--load-credential=id:{tmp_path}/file"]).out == content


def test_a_relative_path_is_from_here(tree, do, tmp_path):
    (tmp_path / "file").write_text("here")
    assert do(tree(), "read", f"{PLACE}/id", options=["--load-credential=id:./file"], cwd=tmp_path).out == b"here"


def test_a_value_read_from_a_socket(tree, do, tmp_path):
    """At a path longer than the address of a socket."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    (tmp_path / "s").symlink_to(folder)
    thread = served(tmp_path / "s/t", b"from\0a socket")
    assert do(tree(), "read", f"{PLACE}/id", options=[f"--load-credential=id:{folder}/t"]).out == b"from\0a socket"
    thread.join()


def test_one_that_was_given_to_us_is_handed_on(tree, do, tmp_path):
    (tmp_path / "theirs").write_text("inherited")
    result = do(tree(), "read", f"{PLACE}/ours", options=["--load-credential=ours:theirs"],
                env={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert result.out == b"inherited"


@pytest.mark.parametrize("directory", [None, "relative/path"])
def test_none_was_given_to_us(tree, do, directory):
    result = do(tree(), "exit", "0", options=["--load-credential=a:theirs"], env={"CREDENTIALS_DIRECTORY": directory})
    assert result.code == 1 and "'theirs'" in result.complaint and "slash" in result.complaint
    assert len(result.complaint.splitlines()) == 2, result


def test_the_payload_is_told_where_they_are(tree, ask):
    root = tree()
    told = ask(root, "env", options=["--set-credential=a:b"])["env"]
    assert f"CREDENTIALS_DIRECTORY={PLACE}" in told
    assert not [line for line in ask(root, "env")["env"] if line.startswith("CREDENTIALS_DIRECTORY=")]


def test_a_start_without_has_no_place_for_them(tree, do, ask):
    root = tree()
    assert PLACE not in do(root, "list", "/run/host", "2").json
    assert not [mount for mount in ask(root, "mounts")["mounts"] if mount["type"] == "ramfs"]


def test_root_alone_may_read_them_and_nobody_write(tree, do, ask):
    root = tree()
    options = ["--set-credential=a:1", "--set-credential=b:22"]
    listing = do(root, "list", "/run/host", "2", options=options).json
    assert {name: (entry["mode"], entry["uid"], entry["gid"]) for name, entry in listing.items() if PLACE in name} == {
        PLACE: (0o500, 0, 0), f"{PLACE}/a": (0o400, 0, 0), f"{PLACE}/b": (0o400, 0, 0)}
    mount, = [mount for mount in ask(root, "mounts", options=options)["mounts"] if mount["target"] == PLACE]
    assert mount["type"] == "ramfs", "what is in a tmpfs can be swapped out"
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount["options"].split(","))
    assert "ro" in mount["super"].split(",")
    for path in (f"{PLACE}/a", f"{PLACE}/new"):
        assert do(root, "write", path, "x", options=options).json["errno"] == errno.EROFS


def test_the_mount_cannot_be_made_writable_elsewhere(tree, run):
    """A bind of it has flags of its own, but the file system is sealed as well."""
    root = tree(kind="busybox")
    script = f"mkdir /tmp/m && mount -o bind {PLACE} /tmp/m && mount -o remount,bind,rw /tmp/m && echo x >/tmp/m/new"
    result = run("-q", "-P", "-D", root, "--set-credential=a:b", "/bin/sh", "-c", script)
    # With ids of its own, root inside may not even loosen a mount that was made for it.
    refusals = ("Read-only file system",) if identity.AS == "root" else ("Read-only file system", "permission denied")
    assert result.code != 0 and any(refusal in result.complaint for refusal in refusals), result


@pytest.mark.parametrize("options, can", [
    (["--no-new-privileges=yes"], True), ([], False), (["--no-new-privileges=yes", "--as-pid2"], False),
])
def test_who_is_not_root_reads_them_only_where_nobody_else_can_be(tree, do, options, can):
    root = tree(USERS)
    result = do(root, "read", f"{PLACE}/a", options=["-u", "u", "--set-credential=a:value", *options])
    if can:
        assert (result.text, result.complaint) == ("value", "")
        listing = do(root, "list", PLACE, "1", options=["-u", "u", "--set-credential=a:value", *options]).json
        assert listing[f"{PLACE}/a"]["mode"] == 0o444
    else:
        assert "value" not in result.text and "'u' cannot read" in result.complaint


@pytest.mark.parametrize("option", ["--set-credential", "--load-credential"])
@pytest.mark.parametrize("junk", [f":{SECRET}", f".:{SECRET}", f"..:{SECRET}", f"a/b:{SECRET}", f"a\nb:{SECRET}", f"ä:{SECRET}",
                                  pytest.param("x" * 256 + f":{SECRET}", id="long"), SECRET])
def test_what_cannot_be_a_name_is_refused_without_telling_the_value(tree, do, option, junk):
    result = do(tree(), "exit", "0", options=[f"{option}={junk}"])
    assert result.code == 1 and option in result.complaint
    assert SECRET not in result.complaint
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", result.complaint)


def test_255_characters_can_be_a_name(tree, do):
    name = "x" * 255
    assert do(tree(), "read", f"{PLACE}/{name}", options=[f"--set-credential={name}:v"]).out == b"v"


def test_an_unknown_escape_is_refused_without_telling_the_value(tree, do):
    result = do(tree(), "exit", "0", options=[rf"--set-credential=a:{SECRET}\q"])
    assert result.code == 1 and "escape" in result.complaint and SECRET not in result.complaint


@pytest.mark.parametrize("first", ["--set-credential=same:1", "--load-credential=same:/etc/hostname"])
@pytest.mark.parametrize("second", ["--set-credential=same:2", "--load-credential=same:/etc/hosts"])
def test_a_name_can_be_had_once(tree, do, first, second):
    result = do(tree(), "exit", "0", options=[first, second])
    assert result.code == 1 and "'same' a second time" in result.complaint


def test_the_largest_and_one_byte_more(tree, do, tmp_path):
    (tmp_path / "most").write_bytes(b"m" * 1048576)
    (tmp_path / "more").write_bytes(b"m" * 1048577)
    root = tree()
    assert do(root, "stat", f"{PLACE}/a", options=[f"--load-credential=a:{tmp_path}/most"]).json[f"{PLACE}/a"]["size"] == 1048576
    result = do(root, "exit", "0", options=[f"--load-credential=a:{tmp_path}/more"])
    assert result.code == 1 and "'a' is larger than 1 MiB" in result.complaint
    # What has no end must not fill the memory.
    assert do(root, "exit", "0", options=["--load-credential=a:/dev/zero"]).code == 1


@pytest.mark.parametrize("path", ["/no/such/file", "/etc/", "/etc/hostname/x"])
def test_what_cannot_be_read_is_refused_before_anything_starts(tree, do, path):
    result = do(tree(), "exit", "0", options=[f"--load-credential=a:{path}"])
    assert result.code == 1 and "'a'" in result.complaint and len(result.complaint.splitlines()) == 1
    assert f"'{path}'" in result.complaint or f"'{path.rstrip('/')}'" in result.complaint


def memory_of(pid):
    """Everything in the writable memory of a process."""
    found = b""
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, flags = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if "w" in flags and end - start < 1 << 26:
                memory.seek(start)
                try:
                    found += memory.read(end - start) + b"\n"
                except OSError:
                    pass
    return found


def test_nobody_else_gets_to_see_a_secret(tree, Running):
    """Not the users of the host, who can list processes, nor the stub init, which was a copy of the supervisor."""
    with Running("-q", "-P", "-a", "-D", tree(), f"--set-credential=a:{SECRET}", "--set-credential", f"b:{SECRET}", "/payload",
                 "wait-signal") as machine:
        machine.expect("waiting")
        assert SECRET not in pathlib.Path(f"/proc/{machine.pid}/cmdline").read_text(encoding="utf-8")
        stub = leader_of(machine.pid)
        assert pathlib.Path(f"/proc/{stub}/root{PLACE}/b").read_text(encoding="utf-8") == SECRET
        assert SECRET.encode() not in memory_of(stub)
        # The supervisor keeps each once, for the next boot.
        assert memory_of(machine.pid).count(SECRET.encode()) == 2


def test_debug_messages_do_not_tell(tree, do):
    result = do(tree(), "exit", "0", options=[f"--set-credential=a:{SECRET}"], env={"SYSTEMD_LOG_LEVEL": "debug"})
    assert result.code == 0 and result.err and SECRET not in result.complaint


@pytest.mark.parametrize("words", [["--dry-run"], ["--dry-run=json"], ["config"], ["config", "--json"]])
def test_what_explains_a_start_does_not_tell(tree, run, words):
    result = run(*words, "-D", tree(), f"--set-credential=named:{SECRET}")
    assert result.code == 0 and "credential" in result.text, result
    assert SECRET not in result.text + result.complaint


def test_they_are_there_after_a_reboot(tree, run):
    root = tree(kind="busybox")
    script = f'cat {PLACE}/a; [ -e /var/again ] && exit 3; mkdir -p /var; : >/var/again; exec reboot -f'
    result = run("-q", "-P", "-D", root, "--set-credential=a:there.", "/bin/sh", "-c", script)
    assert (result.code, result.text) == (3, "there.there."), result


def test_a_booted_init_gets_them(tree, run):
    root = tree({"sbin/init=": "/payload", "etc/os-release": "ID=test\n"})
    result = run("-q", "-P", "-b", "-D", root, "--set-credential=a:b", "read", f"{PLACE}/a")
    assert (result.code, result.text) == (0, "b")


def test_a_tree_cannot_lead_them_astray(tree, do, tmp_path):
    """/run of the tree is a link to the host, or into itself: the host is untouched, and no secret lies in the tree."""
    (tmp_path / "host/credentials").mkdir(parents=True)
    root = tree({"run=": str(tmp_path)})
    do(root, "exit", "0", options=[f"--set-credential=a:{SECRET}"])
    assert list(tmp_path.rglob("*")) == [tmp_path / "host", tmp_path / "host/credentials"]
    for path in root.rglob("*"):
        assert not (path.is_file() and stat.S_ISREG(path.lstat().st_mode) and SECRET.encode() in path.read_bytes())


def test_interrupting_a_socket_that_says_nothing(tree, Running, tmp_path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    identity.give(tmp_path / "s")
    server.listen(1)
    with Running("-q", "-P", "-D", tree(), f"--load-credential=a:{tmp_path}/s", "/payload", "exit", "0") as machine:
        peer, _ = server.accept()
        machine.signal(signal.SIGTERM)
        assert machine.wait(timeout=5).code == -signal.SIGTERM
        peer.close()
    server.close()
