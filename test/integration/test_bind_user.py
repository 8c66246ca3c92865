# SPDX-License-Identifier: LGPL-2.1-or-later
"""--bind-user: a user of the host is known inside, with its home, and the tree is not touched."""
import json
import os

import pytest

from lab import people

pytestmark = pytest.mark.requires("root", "idmap")

GROUPS = "nspawn-lee:x:7001:\nnspawn-kim:x:7002:\nnspawn-odd:x:7004:\n"
SHADOW = "nspawn-lee:$6$salt$nspawnhash:19000:0:99999:7:::\nnspawn-kim:!:19000::::::\n"
TREE = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\nwheel:x:998:\n"}
RECORDS = "/run/host/userdb"


@pytest.fixture
def host(tmp_path):
    """lee has a home, kim has none, odd's first group is lee's, and far's home is not its own."""
    home = tmp_path / "lee"
    home.mkdir()
    (home / "file").write_text("lee's")
    (home / "roots").write_text("root's")
    (home / "roots").chmod(0o644)
    for path in (home, home / "file"):
        os.chown(path, 7001, 7001)
    users = (f"nspawn-lee:x:7001:7001:Lee \"L\" Long,,,:{home}:/bin/zsh\n" "nspawn-kim:x:7002:7002::/nonexistent:/bin/sh\n"
             "nspawn-odd:x:7004:7001::/:/bin/sh\n" "nspawn-far:x:7005:7005::/usr:/bin/sh\n")
    with people.on_host(passwd=users, group=GROUPS + "nspawn-far:x:7005:\n", shadow=SHADOW):
        yield home


def record(result):
    assert result.code == 0, result
    return json.loads(result.text)


def test_the_records(tree, do, host):
    root, options = tree(TREE), ["--bind-user=nspawn-lee", "--bind-user-group=wheel"]
    before = {name: (root / name).read_bytes() for name in TREE}
    found = do(root, "list", RECORDS, options=options).json
    names = {"nspawn-lee.user", "nspawn-lee.group", "nspawn-lee.user-privileged", "60514.user", "60514.group",
             "60514.user-privileged", "nspawn-lee:wheel.membership"}
    assert {os.path.basename(path) for path in found} == names
    assert record(do(root, "read", f"{RECORDS}/60514.user", options=options)) == {
        "userName": "nspawn-lee", "uid": 60514, "gid": 60514, "realName": 'Lee "L" Long', "homeDirectory": "/run/host/home/nspawn-lee",
        "memberOf": ["wheel"], "service": "io.systemd.NSpawn"}
    assert record(do(root, "read", f"{RECORDS}/60514.group", options=options)) == {
        "groupName": "nspawn-lee", "gid": 60514, "service": "io.systemd.NSpawn"}
    assert record(do(root, "read", f"{RECORDS}/60514.user-privileged", options=options)) == {
        "privileged": {"hashedPassword": ["$6$salt$nspawnhash"]}}
    assert record(do(root, "read", f"{RECORDS}/nspawn-lee:wheel.membership", options=options)) == {}
    modes = do(root, "stat", f"{RECORDS}/nspawn-lee.user", f"{RECORDS}/nspawn-lee.user-privileged", options=options).json
    assert [modes[path]["mode"] for path in modes] == [0o444, 0o600] and {modes[path]["uid"] for path in modes} == {0}
    assert do(root, "write", f"{RECORDS}/nspawn-lee.user", "x", options=options).json["errno"] == 30
    assert {name: (root / name).read_bytes() for name in TREE} == before


@pytest.mark.parametrize("said,shell", [("no", None), ("yes", "/bin/zsh"), ("/bin/csh", "/bin/csh")])
def test_the_shell(tree, do, host, said, shell):
    options = ["--bind-user=nspawn-lee", f"--bind-user-shell={said}"]
    assert record(do(tree(TREE), "read", f"{RECORDS}/nspawn-lee.user", options=options)).get("shell") == shell


def test_being_that_user(tree, ask, do, host):
    """In any tree: our own look-up knows the user, also by the number."""
    root = tree(TREE)
    for who in ("nspawn-lee", "60514"):
        options = ["--bind-user=nspawn-lee", "--bind-user-group=wheel", "--bind-user-group=nosuch", "-u", who]
        answer = ask(root, "ids", "env", options=options)
        assert answer["ids"]["uid"] == [60514] * 3 and answer["ids"]["gid"] == [60514] * 3
        assert set(answer["ids"]["groups"]) - {60514} == {998}
        assert {"USER=nspawn-lee", "HOME=/run/host/home/nspawn-lee"} <= set(answer["env"])
        found = do(root, "stat", *(f"/run/host/home/nspawn-lee/{name}" for name in ("", "file", "roots")), options=options).json
        assert [(entry["uid"], entry["gid"]) for entry in found.values()] == [(60514, 60514), (60514, 60514), (65534, 65534)]
        assert do(root, "write", "/run/host/home/nspawn-lee/new", "x", options=options).json["errno"] == 0
        assert (host / "new").stat()[4:6] == (7001, 7001)
        (host / "new").unlink()


def test_nobody_else_can_use_the_home(tree, do, host):
    """Not even root of the machine makes files of root there, nor anything with set-user-id."""
    result = do(tree(TREE), "write", "/run/host/home/nspawn-lee/new", "x", options=["--bind-user=nspawn-lee"])
    assert result.json["errno"] != 0 and not (host / "new").exists()
    answer = do(tree(TREE), "mounts", options=["--bind-user=nspawn-lee"]).json
    home = [mount for mount in answer["mounts"] if mount["target"] == "/run/host/home/nspawn-lee"][0]
    assert {"nosuid", "nodev", "idmapped"} <= set(home["options"].split(","))


@pytest.mark.parametrize("name", ["nspawn-kim", "nspawn-far"])
def test_without_a_home(tree, do, host, name):
    result = do(tree(TREE), "stat", f"/run/host/home/{name}", options=[f"--bind-user={name}", "-u", name])
    found = result.json[f"/run/host/home/{name}"]
    assert (found["type"], found["uid"], found["gid"]) == ("directory", 60514, 60514), found
    loud = do(tree(TREE), "stat", "/", options=[f"--bind-user={name}", "--console=autopipe"])
    assert f"The user '{name}' has no home directory on the host" in loud.complaint


def test_several(tree, do, host):
    """Each gets the next id that neither passwd nor group of the tree has."""
    root = tree({"etc/passwd": "root:x:0:0::/:/bin/sh\na:x:60514:1::/:/bin/sh\nb:broken:60516\n", "etc/group": "g:x:60517:\n"})
    options = ["--bind-user=nspawn-lee", "--bind-user=nspawn-kim", "--bind-user=nspawn-lee"]
    for name, number in (("nspawn-lee", 60515), ("nspawn-kim", 60518)):
        assert record(do(root, "read", f"{RECORDS}/{name}.user", options=options))["uid"] == number
    assert do(root, "stat", "/run/host/home/nspawn-lee", options=options).json["/run/host/home/nspawn-lee"]["uid"] == 60515


@pytest.mark.parametrize("name,complaint", [
    ("root", "cannot be known inside: root"), ("nobody", "cannot be known inside"), ("nspawn-none", "There is no user 'nspawn-none' on the host"),
    ("nspawn-odd", "the group it is in first has another name")])
def test_who_cannot_be_known(tree, do, host, name, complaint):
    result = do(tree(TREE), "stat", "/", options=[f"--bind-user={name}"])
    assert result.code == 1 and complaint in result.complaint, result


@pytest.mark.parametrize("entries", [
    {"etc/passwd": "nspawn-lee:x:5:5::/:/bin/sh\n"}, {"etc/group": "nspawn-lee:x:5:\n"}, {"etc/passwd": "x\nnspawn-lee"},
    {"etc/passwd": b"x\0\nnspawn-lee:x:5:5::/:/bin/sh\n"}])
def test_a_name_of_the_tree_is_not_taken(tree, do, host, entries):
    result = do(tree(entries), "stat", "/", options=["--bind-user=nspawn-lee"])
    assert result.code == 1 and "The tree has a" in result.complaint and "of its own" in result.complaint


def test_no_room(tree, do, host):
    full = "".join(f"u{number}:x:{number}:1::/:/bin/sh\n" for number in range(60514, 60578))
    result = do(tree({"etc/passwd": full}), "stat", "/", options=["--bind-user=nspawn-lee"])
    assert result.code == 1 and "No id from 60514 to 60577 is free" in result.complaint


def test_a_hostile_tree(tree, do, host, tmp_path):
    """Its account files are read in-root, up to a size, and nothing of it is where records are written."""
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "passwd").write_text("nspawn-lee:x:5:5::/:/bin/sh\n")
    options = ["--bind-user=nspawn-lee"]
    # The link leads to nothing inside, so there the name is free.
    root = tree({"etc/passwd=": f"{canary}/passwd", "run/": None})
    os.symlink(canary, root / "run/host")
    result = do(root, "stat", "/run/host/home/nspawn-lee", options=options)
    assert result.json["/run/host/home/nspawn-lee"]["uid"] == 60514
    assert os.listdir(canary) == ["passwd"]
    root = tree({"etc/passwd": b"\xff" * (5 << 20)})
    result = do(root, "stat", "/", options=options)
    assert result.code == 1 and "Cannot read '/etc/passwd' of the tree" in result.complaint
    root = tree()
    os.mkfifo(root / "etc/passwd")
    result = do(root, "stat", "/", options=options)
    assert result.code == 1 and "Cannot read '/etc/passwd' of the tree" in result.complaint
    assert os.listdir(canary) == ["passwd"]


def test_a_tree_that_does_not_ask(tree, do, host):
    loud = ["--bind-user=nspawn-lee", "--console=autopipe"]
    assert "does not look for users in /run/host/userdb" in do(tree(TREE), "stat", "/", options=loud).complaint
    asks = {**TREE, "etc/nsswitch.conf": "passwd: files systemd\n", "usr/lib/libnss_systemd.so.2": ""}
    assert "userdb" not in do(tree(asks), "stat", "/", options=loud).complaint


def test_the_key(tree, do, host, tmp_path):
    root = tree(TREE)
    settings = root.parent / f"{root.name}.nspawn"
    settings.write_text("[Files]\nBindUser=nspawn-lee nspawn-kim\nBindUserShell=yes\n")
    try:
        result = do(root, "read", f"{RECORDS}/nspawn-kim.user", options=["--settings=trusted"])
        assert record(result)["shell"] == "/bin/sh"
        # Nobody but a trusted file hands in a home.
        assert do(root, "stat", RECORDS).json[RECORDS] == {"errno": 2}
    finally:
        settings.unlink()


def test_the_plan(tree, run, host):
    result = run("--dry-run=json", "-D", tree(TREE), "--bind-user=nspawn-lee", "/payload")
    plan = json.loads(result.out)
    row = [row for row in plan["files"] if row["name"] == f"{RECORDS}/nspawn-lee.user"][0]
    assert (row["id"], row["host_uid"], row["host_home"]) == (60514, 7001, str(host)) and row["origin"]["name"] == "--bind-user"
    assert "nspawnhash" not in result.text and "nspawnhash" not in result.complaint
