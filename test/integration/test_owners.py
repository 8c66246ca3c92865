# SPDX-License-Identifier: LGPL-2.1-or-later
"""owner=HOST>GUEST: whose the files of a mount are, inside and on the host, without a change of anything on disk."""
import ctypes
import json
import os
import subprocess

import pytest

from lab import people, probe

pytestmark = pytest.mark.requires("root", "idmap")

PEOPLE = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/var/www:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n",
    "etc/group": "root:x:0:\nweb:x:34:\nalice:x:1000:\n",
}
HOST = {"passwd": "nspawn-lee:x:7001:7002:Lee:/nonexistent:/bin/sh\n", "group": "nspawn-lee:x:7002:\nnspawn-team:x:7003:\n"}


@pytest.fixture
def source(tmp_path):
    """Files of root, of 7001:7002 and of 33:34, in a directory of 7001:7002."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name, owner in (("roots", (0, 0)), ("lees", (7001, 7002)), ("teams", (7001, 7003)), ("wwws", (33, 34))):
        (folder / name).write_text(name)
        os.chown(folder / name, *owner)
    os.chown(folder, 7001, 7002)
    return folder


def owners(result, *names, where="/mnt"):
    return [(result.json[f"{where}/{name}"]["uid"], result.json[f"{where}/{name}"]["gid"]) for name in names]


def manifest(folder):
    return {entry.name: (entry.stat().st_uid, entry.stat().st_gid, entry.stat().st_mtime_ns, entry.stat().st_ctime_ns)
            for entry in os.scandir(folder)}


@pytest.mark.parametrize("said", ["nspawn-lee>www", "nspawn-lee>33", "7001:7002>33:34", "nspawn-lee:nspawn-lee>www:web",
                                  "nspawn-lee:7002>33:web", "7001>www", "7001-7001:7002-7002>33-33:34-34"])
def test_names_and_numbers_mean_the_same(tree, do, source, said):
    before = manifest(source)
    with people.on_host(**HOST):
        result = do(tree(PEOPLE), "stat", *(f"/mnt/{name}" for name in ("lees", "roots", "wwws")),
                    options=[f"--bind={source}:/mnt:owner={said}"])
    # Whose id is taken by somebody else is nobody's.
    assert owners(result, "lees", "roots", "wwws") == [(33, 34), (0, 0), (65534, 65534)]
    assert manifest(source) == before


def test_what_is_made_inside_is_the_users_outside(tree, do, source):
    options = [f"--bind={source}:/mnt:owner=7001:7002>33:34", "-u", "www"]
    assert do(tree(PEOPLE), "write", "/mnt/new", "text", options=options).json["errno"] == 0
    assert (source / "new").stat()[4:6] == (7001, 7002)
    # Who is somebody else now can make nothing.
    options = [f"--bind={source}:/mnt:owner=33:34>7001:7002", "-u", "33"]
    assert do(tree(PEOPLE), "write", "/mnt/another", "text", options=options).json["errno"] != 0


def test_groups_follow_unless_they_are_said(tree, do, source):
    root, names = tree(PEOPLE), ("lees", "teams")
    with people.on_host(**HOST):
        for said, expected in (("owner=nspawn-lee>www", [(33, 34), (33, 7003)]),
                               ("owner=nspawn-lee>www,owner=:nspawn-team>:web", [(33, 7002), (33, 34)]),
                               ("owner=:nspawn-team>:web", [(7001, 7002), (7001, 34)]),
                               # Numbers without an account are groups as well.
                               ("owner=7001>5000", [(5000, 5000), (5000, 7003)]),
                               ("owner=7003>5000", [(7001, 7002), (7001, 5000)])):
            result = do(root, "stat", *(f"/mnt/{name}" for name in names), options=[f"--bind={source}:/mnt:{said}"])
            assert owners(result, *names) == expected, said


def test_ranges(tree, do, source):
    result = do(tree(PEOPLE), "stat", "/mnt/lees", "/mnt/teams", "/mnt/roots",
                options=[f"--bind={source}:/mnt:owner=7000-7999:7000-7999>2000-2999:2000-2999"])
    assert owners(result, "lees", "teams", "roots") == [(2001, 2002), (2001, 2003), (0, 0)]


def test_many_mounts_with_one_map_and_with_others(tree, do, source):
    options = [f"--bind={source}:/m{number}:owner=7001:7002>{uid}:{uid}"
               for number, uid in enumerate([10, 11, 10, 10, 11])]
    result = do(tree(PEOPLE), "stat", *(f"/m{number}/lees" for number in range(5)), options=options)
    assert [result.json[f"/m{number}/lees"]["uid"] for number in range(5)] == [10, 11, 10, 10, 11]


def test_a_file_and_a_read_only_one(tree, do, source):
    options = [f"--bind-ro={source}/lees:/etc/lees:owner=7001:7002>33:34", "-u", "www"]
    result = do(tree(PEOPLE), "stat", "/etc/lees", options=options)
    assert owners(result, "lees", where="/etc") == [(33, 34)]
    assert do(tree(PEOPLE), "write", "/etc/lees", "x", options=options).json["errno"] == 30


def test_a_source_of_the_tree_and_an_empty_one(tree, do):
    root = tree({**PEOPLE, "data/file": "text"})
    os.chown(root / "data/file", 7001, 7002)
    result = do(root, "stat", "/mnt/file", options=["--bind=+/data:/mnt:owner=7001:7002>33:34"])
    assert owners(result, "file") == [(33, 34)]
    result = do(root, "stat", "/mnt", options=["--bind=:/mnt:owner=0:0>33:34"])
    assert result.json["/mnt"]["uid"] == 33


def test_what_is_mounted_below_is_mapped_or_left_out(tree, do, source):
    (source / "sub").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "uid=7001,gid=7002", "below", source / "sub"], check=True)
    try:
        for word, owner in (("rbind", 33), ("norbind", 0)):
            result = do(tree(PEOPLE), "stat", "/mnt/sub", options=[f"--bind={source}:/mnt:{word},owner=7001:7002>33:34"])
            assert result.json["/mnt/sub"]["uid"] == owner
    finally:
        subprocess.run(["umount", source / "sub"], check=True)


def test_a_file_system_that_cannot_is_named(tree, do, source):
    (source / "sub").mkdir()
    subprocess.run(["mount", "-t", "sysfs", "below", source / "sub"], check=True)
    try:
        result = do(tree(PEOPLE), "stat", "/mnt", options=[f"--bind={source}:/mnt:owner=7001>33"])
        assert result.code == 1 and f"The file system sysfs of '{source}/sub' cannot map owners" in result.complaint
        assert "'norbind'" in result.complaint
        result = do(tree(PEOPLE), "stat", "/mnt", options=[f"--bind={source}/sub/kernel:/mnt:norbind,owner=7001>33"])
        assert result.code == 1 and f"The file system sysfs of '{source}/sub/kernel' cannot" in result.complaint
        result = do(tree(PEOPLE), "stat", "/mnt/lees", options=[f"--bind={source}:/mnt:norbind,owner=7001:7002>33:34"])
        assert owners(result, "lees") == [(33, 34)]
    finally:
        subprocess.run(["umount", source / "sub"], check=True)


def test_an_old_map_is_dropped(tree, do, source, tmp_path):
    """What is mapped already is seen by the ids on disk again."""
    probe.require("idmap-drop")
    mapped = tmp_path / "mapped"
    mapped.mkdir()
    _map_mount(source, mapped, "7001 9001 1")
    try:
        assert (mapped / "lees").stat().st_uid == 9001
        result = do(tree(PEOPLE), "stat", "/mnt/lees", options=[f"--bind={mapped}:/mnt:owner=7001:7002>33:34"])
        assert owners(result, "lees") == [(33, 34)]
        result = do(tree(PEOPLE), "stat", "/mnt/lees", options=[f"--bind={mapped}:/mnt"])
        assert owners(result, "lees") == [(9001, 65534)]
    finally:
        subprocess.run(["umount", mapped], check=True)


def _map_mount(source, target, line):
    """Mounts source on target with its users and groups mapped, by the system calls themselves."""
    libc = ctypes.CDLL(None, use_errno=True)
    holder = subprocess.Popen(["unshare", "--user", "sleep", "60"])
    try:
        while os.readlink(f"/proc/{holder.pid}/ns/user") == os.readlink("/proc/self/ns/user"):
            pass
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{holder.pid}/{name}", "w", encoding="ascii") as file:
                file.write(line)
        namespace = os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY)
        tree_fd = libc.syscall(428, -100, str(source).encode(), 1)
        attributes = (ctypes.c_uint64 * 4)(0x00100000, 0, 0, namespace)
        assert libc.syscall(442, tree_fd, b"", 0x1000, ctypes.byref(attributes), 32) == 0, os.strerror(ctypes.get_errno())
        assert libc.syscall(429, tree_fd, b"", -100, str(target).encode(), 4) == 0
        os.close(tree_fd)
        os.close(namespace)
    finally:
        holder.kill()
        holder.wait()


def test_overlays_have_each_layer_mapped(tree, do, source, tmp_path):
    top = tmp_path / "top"
    top.mkdir()
    os.chown(top, 7001, 7002)
    root, overlay = tree(PEOPLE), f"--overlay={source}:{top}:/mnt:owner=7001:7002>33:34"
    result = do(root, "stat", "/mnt", "/mnt/lees", "/mnt/roots", options=[overlay])
    assert owners(result, "lees", "roots") == [(33, 34), (0, 0)] and result.json["/mnt"]["uid"] == 33
    assert do(root, "write", "/mnt/new", "x", options=[overlay, "-u", "www"]).json["errno"] == 0
    assert (top / "new").stat()[4:6] == (7001, 7002) and not (source / "new").exists()
    result = do(root, "stat", "/mnt/new", options=[f"--overlay-ro={source}:{top}:/mnt:owner=7001:7002>33:34"])
    assert owners(result, "new") == [(33, 34)]


@pytest.mark.parametrize("users", [[], ["--private-users=pick"]], ids=" ".join)
def test_an_overlay_whose_user_is_root_inside(tree, do, source, tmp_path, users):
    """The host's root is nobody there then, and what the kernel works in must not be the host root's."""
    top = tmp_path / "top"
    top.mkdir()
    os.chown(top, 7001, 7002)
    tmp_path.chmod(0o711)
    result = do(tree(PEOPLE), "write", "/mnt/new", "x", options=[*users, f"--overlay={source}:{top}:/mnt:owner=7001:7002>0:0"])
    assert result.json["errno"] == 0 and (top / "new").stat()[4:6] == (7001, 7002)
    assert sorted(os.listdir(tmp_path)) == ["source", "top"]


def test_an_overlay_that_cannot_be_written_is_refused(tree, run, source, tmp_path):
    """The kernel would make it read-only without a word."""
    top = tmp_path / "top"
    top.mkdir()
    os.chown(top, 7001, 0)
    tmp_path.chmod(0o711)
    result = run("-D", tree(PEOPLE), f"--overlay={source}:{top}:/mnt:owner=7001>0", "/payload", "exit", "0")
    assert result.code == 1 and "The overlay for '/mnt' cannot be written with the owners" in result.complaint and "group included" in result.complaint
    assert sorted(os.listdir(tmp_path)) == ["source", "top"]


def test_an_overlay_of_the_tree(tree, do, tmp_path):
    root = tree({**PEOPLE, "data/file": "text"})
    os.chown(root / "data/file", 7001, 7002)
    (tmp_path / "top").mkdir()
    result = do(root, "stat", "/data/file", options=[f"--overlay=+/data:{tmp_path}/top:/data:owner=7001:7002>33:34"])
    assert owners(result, "file", where="/data") == [(33, 34)]
    result = do(root, "stat", "/data/file", options=["--overlay=+/data::/data:owner=7001:7002>33:34"])
    assert owners(result, "file", where="/data") == [(33, 34)]


@pytest.mark.parametrize("said,complaint", [
    ("nobody-here>www", "There is no user 'nobody-here' on the host"), ("0>nobody-here", "There is no user 'nobody-here' in the tree"),
    (":nobody-here>:web", "There is no group 'nobody-here' on the host"), (":0>:www", "There is no group 'www' in the tree"),
    ("1>2,owner=1>3", "have user 1 of the host or 3 of the tree twice"), ("1-5>1-5,owner=9>5", "user 9 of the host or 5"),
    ("nspawn-lee", "takes owner=HOST>GUEST"), ("1-2>1-3", "takes owner=HOST>GUEST")])
def test_what_cannot_be_is_refused(tree, do, source, said, complaint):
    root = tree(PEOPLE)
    result = do(root, "stat", "/mnt", options=[f"--bind={source}:/mnt:owner={said}"])
    assert result.code == 1 and complaint in result.complaint, result
    assert not (root / "mnt").exists()


def test_too_many(tree, do, source):
    said = ",".join(f"owner={2 * number + 10}>{3 * number + 5000}" for number in range(200))
    result = do(tree(PEOPLE), "stat", "/mnt", options=[f"--bind={source}:/mnt:{said}"])
    assert result.code == 1 and "need a map of more than 340 ranges" in result.complaint


def test_a_user_that_only_the_name_service_knows(tree, do, source, tmp_path):
    """As a static program has no name service, the host's getent is asked."""
    fake = tmp_path / "getent"
    fake.write_text("#!/bin/sh\n[ \"$1 $2 $3\" = '-- passwd nspawn-far' ] || exit 2\n"
                    "echo 'nspawn-far:x:7001:7002::/:/bin/sh'\n")
    fake.chmod(0o755)
    subprocess.run(["mount", "--bind", fake, "/usr/bin/getent"], check=True)
    try:
        result = do(tree(PEOPLE), "stat", "/mnt/lees", options=[f"--bind={source}:/mnt:owner=nspawn-far>www"])
    finally:
        subprocess.run(["umount", "/usr/bin/getent"], check=True)
    assert owners(result, "lees") == [(33, 34)]


def test_a_word_that_needs_a_user_namespace(tree, do, source):
    result = do(tree(), "stat", "/mnt", options=[f"--bind={source}:/mnt:idmap"])
    assert result.code == 1 and "needs a user namespace" in result.complaint and "owner=HOST>GUEST" in result.complaint


@pytest.mark.parametrize("word, of_mnt, inside", [("rootidmap", 0, (0, 0)), ("owneridmap", 33, (33, 33))])
def test_words_that_do_without_a_user_namespace(tree, do, source, word, of_mnt, inside):
    """Builders of images give root what is theirs in this way, also where root is root."""
    root = tree({"mnt/": 0o755})
    os.chown(root / "mnt", of_mnt, of_mnt)
    os.chown(source, 7001, 7001)
    result = do(root, "stat", "/mnt", options=[f"--bind={source}:/mnt:{word}"])
    assert (result.json["/mnt"]["uid"], result.json["/mnt"]["gid"]) == inside


def test_hostile_files_of_the_tree(tree, do, source, tmp_path):
    """Names are looked up in the tree without believing it anything but a number."""
    canary = tmp_path / "canary"
    canary.write_text("www:x:1:1::/:/bin/sh\n")
    root = tree({"etc/": None, "etc/passwd=": str(canary), "etc/group": ""})
    result = do(root, "stat", "/mnt", options=[f"--bind={source}:/mnt:owner=7001>www"])
    assert result.code == 1 and "There is no user 'www' in the tree" in result.complaint
    root = tree({"etc/passwd": b"\xff\nwww:x:4294967295:1::/:/bin/sh\nwww:x:-1:1::/:\nwww:x:33:34::/../..:/bin/sh\n" + b":" * 100000,
                 "etc/group": b"\xff" * 1000})
    result = do(root, "stat", "/mnt/lees", options=[f"--bind={source}:/mnt:owner=7001:7002>www:34"])
    assert owners(result, "lees") == [(33, 34)]
    root = tree({"etc/passwd": b"x" * (5 << 20)})
    result = do(root, "stat", "/mnt", options=[f"--bind={source}:/mnt:owner=7001>www"])
    assert result.code == 1 and "Cannot look up the user 'www' in the tree" in result.complaint


def test_a_linked_source_of_the_tree_stays_in_it(tree, do, tmp_path):
    (tmp_path / "secret").write_text("canary")
    root = tree({**PEOPLE, "link=": str(tmp_path)})
    result = do(root, "list", "/mnt", options=["--bind=+/link:/mnt:owner=0>33"])
    assert result.code == 1 and "Cannot open the bind source" in result.complaint


def test_the_plan_has_the_numbers(tree, run, source):
    with people.on_host(**HOST):
        result = run("--dry-run=json", "-D", tree(PEOPLE), f"--bind={source}:/mnt:owner=nspawn-lee>www", "/payload")
    row = [row for row in json.loads(result.out)["mounts"] if row["target"] == "/mnt"][0]
    assert row["owners"] == ["user 7001 is 33", "group 7002 is 34"] and row["origin"]["name"] == "--bind"
