# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owners of mounts in a user namespace: the four words of the reference, owner=, overlays, memory and bound users."""
import os

import pytest

from lab import people

pytestmark = pytest.mark.requires("root", "idmap", "userns")

SHIFTED = ["--private-users=7340032:65536", "--private-users-ownership=map"]
PEOPLE = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/:/bin/sh\nb:x:34:34::/:/bin/sh\n", "etc/group": "root:x:0:\nwww:x:33:\n"}
NOBODY = (65534, 65534)


@pytest.fixture
def look(tree, do, tmp_path):
    """(uid, gid) inside of files that root, 1000:100, 1000:1000 and the machine's user 33 have on disk."""
    source = tmp_path / "source"
    source.mkdir()
    for name, owner in (("root", (0, 0)), ("user", (1000, 100)), ("same", (1000, 1000)), ("shifted", (7340065, 7340065))):
        (source / name).touch()
        os.chown(source / name, *owner)
    os.chown(source, 1000, 1000)

    def question(option, place="/mnt", who="0", entries=None):
        root = tree({**PEOPLE, **(entries or {})})
        if place != "/mnt":
            os.chown(root / place[1:], 33, 33)
        options = [*SHIFTED, "-u", who, option.format(source=source)]
        if do(root, "read", "/proc/self/uid_map", options=SHIFTED).text.split()[1] == "0":
            pytest.skip("no start uses a user namespace yet")
        answer = do(root, "stat", *(f"{place}/{name}" for name in ("root", "user", "same", "shifted")), options=options).json
        assert do(root, "write", f"{place}/new", "", options=options).json["errno"] in (0, 13, 75)
        made = (source / "new").stat()[4:6] if (source / "new").exists() else None
        return [(entry["uid"], entry["gid"]) for entry in answer.values()], made

    return question


def test_noidmap(look):
    assert look("--bind={source}:/mnt")[0] == [NOBODY, NOBODY, NOBODY, (33, 33)]


def test_idmap(look):
    assert look("--bind={source}:/mnt:idmap") == ([(0, 0), (1000, 100), (1000, 1000), NOBODY], (0, 0))


def test_rootidmap(look):
    assert look("--bind={source}:/mnt:rootidmap") == ([NOBODY, (0, 65534), (0, 0), NOBODY], (1000, 1000))


def test_owneridmap(look):
    seen, made = look("--bind={source}:/place:owneridmap", place="/place", who="33", entries={"place/": None})
    assert seen == [NOBODY, (33, 65534), (33, 33), NOBODY] and made == (1000, 1000)


def test_owner_leaves_the_rest_shifted(look):
    seen, made = look("--bind={source}:/mnt:owner=1000:1000>34:34", who="34")
    assert seen == [NOBODY, (34, 65534), (34, 34), (33, 33)] and made == (1000, 1000)


def test_owner_over_an_overlay_and_memory(tree, do, look, tmp_path):
    (tmp_path / "top").mkdir()
    look("--bind={source}:/mnt")
    options = [*SHIFTED, f"--overlay={tmp_path}/source:{tmp_path}/top:/mnt:owner=1000:1000>33:33", "--tmpfs=/memory:uid=33,gid=33"]
    answer = do(tree(PEOPLE), "stat", "/mnt/same", "/mnt/root", "/memory", options=options).json
    assert [(entry["uid"], entry["gid"]) for entry in answer.values()] == [(33, 33), (0, 0), (33, 33)]


def test_who_is_not_there(tree, do, look, tmp_path):
    look("--bind={source}:/mnt")
    result = do(tree(PEOPLE), "stat", "/", options=[*SHIFTED, f"--bind={tmp_path}:/mnt:owner=0>70000"])
    assert result.code == 1 and "cannot be users that the machine does not have" in result.complaint
    result = do(tree(PEOPLE), "stat", "/", options=[*SHIFTED, "--tmpfs=/mnt:uid=70000"])
    assert result.code == 1 and "uid=70000" in result.complaint


def test_a_bound_user(tree, do, look, tmp_path):
    look("--bind={source}:/mnt")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 7001, 7001)
    with people.on_host(passwd=f"nspawn-lee:x:7001:7001::{home}:/bin/sh\n", group="nspawn-lee:x:7001:\n"):
        options = [*SHIFTED, "--bind-user=nspawn-lee", "-u", "nspawn-lee"]
        assert do(tree(PEOPLE), "write", "/run/host/home/nspawn-lee/new", "x", options=options).json["errno"] == 0
        answer = do(tree(PEOPLE), "stat", "/run/host/home/nspawn-lee", "/run/host/userdb/60514.user", options=options).json
    assert [(entry["uid"], entry["gid"]) for entry in answer.values()] == [(60514, 60514), (0, 0)]
    assert (home / "new").stat()[4:6] == (7001, 7001)
