# SPDX-License-Identifier: LGPL-2.1-or-later
"""diff, commit and export of machines with ids of their own: the archive has the machine's ids, the tree those on disk."""
import os
import shutil
import struct
import subprocess
import tarfile

import pytest
from lab.manifest import differences, manifest

pytestmark = pytest.mark.requires("root", "idmap", "userns")

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)
BASE = 7340032
RANGE = f"--private-users={BASE}:65536"

CHANGES = """cd /srv && echo new >made && chown 33:34 made && ln made again && chmod 2755 data && echo more >>data/old &&
mkdir inner && chown 7:0 inner && echo done && exec sleep 100"""

# Options, the id on disk that is root's inside, and whether the tree is shifted on disk before.
WAYS = {
    "host": ([], 0),
    "picked": (["-U"], 0),
    "mapped": ([RANGE, "--private-users-ownership=map"], 0),
    "shifted": ([RANGE, "--private-users-ownership=off"], BASE),
    "yes": (["--private-users=yes"], BASE),
    "elsewhere": ([f"--private-users={BASE + 65536}:65536", "--private-users-ownership=map"], BASE),
}


def access_list(*named):
    """An access list in the form that the kernel takes, with these users who may read."""
    entries = [(1, 6, -1), *((2, 4, who) for who in named), (4, 4, -1), (16, 6, -1), (32, 4, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, perm, who & 0xffffffff) for tag, perm, who in entries)


def capability(root=None):
    """CAP_NET_RAW, of the host or of the root of a user namespace."""
    words = [0x02000001 if root is None else 0x03000001, 1 << 13, 0, 0, 0]
    return struct.pack("<5I", *words) + (b"" if root is None else struct.pack("<I", root))


@pytest.fixture
def root(tree):
    if not BUSYBOX:
        pytest.skip("there is no static busybox")
    root = tree({"srv/data/old": "old", "srv/kept": "kept", "usr/bin/": None, "proc/": None, "sys/": None, "dev/": None,
                 "run/": None, "tmp/": None, "root/": None})
    shutil.copy(BUSYBOX, root / "usr/sh")
    for name in ("sh", "mkdir", "ln", "chown", "chmod", "sleep"):
        (root / "usr/bin" / name).symlink_to("../sh")
    os.chown(root / "srv/kept", 5, 6)
    return root


@pytest.fixture(params=WAYS)
def way(request, root, run):
    """(options, the id on disk of root)"""
    options, base = WAYS[request.param]
    if base:
        assert run("-D", root, RANGE, "--private-users-ownership=chown", "/payload", "exit", "0").code == 0
    os.setxattr(root / "srv/kept", "system.posix_acl_access", access_list(base + 1000))
    os.setxattr(root / "srv/kept", "security.capability", capability(base or None))
    os.setxattr(root / "srv/data", "system.posix_acl_default", access_list(base + 7))
    os.setxattr(root / "srv/data/old", "user.note", b"a\0b")
    return options, base


@pytest.fixture
def changed(root, way, Running):
    with Running("-D", root, "-P", "-x", "-M", "lab", *way[0], "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", CHANGES) as machine:
        machine.expect("done")
        yield root, way[1]


def test_what_is_on_disk_after_a_commit(changed, run):
    root, base = changed
    assert [line for line in run("diff", "lab").text.splitlines() if "/srv" in line] == [
        "A /srv/again", "C /srv/data (metadata)", "C /srv/data/old", "A /srv/inner", "A /srv/made"]
    assert run("commit", "lab").code == 0
    made, inner, kept = ((root / "srv" / name).stat() for name in ("made", "inner", "kept"))
    assert (made.st_uid, made.st_gid, made.st_nlink) == (base + 33, base + 34, 2)
    assert (inner.st_uid, inner.st_gid) == (base + 7, base) and (kept.st_uid, kept.st_gid) == (base + 5, base + 6)
    assert os.getxattr(root / "srv/data", "system.posix_acl_default") == access_list(base + 7)
    assert (root / "srv/data/old").read_text() == "oldmore\n" and os.getxattr(root / "srv/data/old", "user.note") == b"a\0b"
    assert "/srv" not in run("diff", "lab").text


def check_archive(file):
    members = {member.name: member for member in tarfile.open(file)}
    owners = {name: (members[f"srv/{name}"].uid, members[f"srv/{name}"].gid) for name in ("kept", "made", "inner", "data/old")}
    assert owners == {"kept": (5, 6), "made": (33, 34), "inner": (7, 0), "data/old": (0, 0)}
    assert (members["."].uid, members["usr/sh"].uid) == (0, 0)
    assert {members["srv/made"].islnk(), members["srv/again"].islnk()} == {True, False}


@pytest.mark.parametrize("tar", [["tar", "--xattrs", "--xattrs-include=*", "--acls", "--same-owner"], ["bsdtar", "--acls", "--xattrs", "--same-owner"]])
def test_what_is_in_an_archive(changed, run, tmp_path, tar):
    if not shutil.which(tar[0]):
        pytest.skip(f"there is no {tar[0]}")
    file, into = tmp_path / "x.tar", tmp_path / "into"
    result = run("export", "lab", file)
    assert result.code == 0 and result.err == b"", result
    check_archive(file)
    into.mkdir()
    done = subprocess.run([*tar, "-C", into, "-xpf", file], check=True, stderr=subprocess.PIPE)
    assert done.stderr == b""
    assert os.getxattr(into / "srv/kept", "system.posix_acl_access") == access_list(1000)
    assert os.getxattr(into / "srv/kept", "security.capability") == capability()
    assert os.getxattr(into / "srv/data", "system.posix_acl_default") == access_list(7)
    assert os.getxattr(into / "srv/data/old", "user.note") == b"a\0b"
    assert ((into / "srv/made").stat().st_uid, (into / "srv/made").stat().st_nlink) == (33, 2)
    # Without ids of its own all of it is what a commit makes of the tree.
    if changed[1] == 0 and run("commit", "lab").code == 0:
        assert differences(manifest(changed[0] / "srv"), manifest(into / "srv")) == {}


def test_an_archive_of_a_machine_that_keeps_its_changes(root, way, run, Running, tmp_path):
    with Running("-D", root, "-P", "-M", "lab", *way[0], "-E", "PATH=/usr/bin", "/usr/bin/sh", "-c", CHANGES) as machine:
        machine.expect("done")
        assert run("export", "lab", tmp_path / "x.tar").code == 0
    check_archive(tmp_path / "x.tar")
