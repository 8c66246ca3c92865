# SPDX-License-Identifier: LGPL-2.1-or-later
"""/dev: the nodes and links there are, and that there are no others."""
import os

import pytest

from lab import probe

pytestmark = pytest.mark.requires("root")

NODES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2"}


@pytest.fixture
def devices(tree, ask):
    return ask(tree(), "devices")["devices"]


@pytest.mark.parametrize("name", NODES)
def test_the_nodes(devices, name):
    node = devices[f"/dev/{name}"]
    host = os.stat(f"/dev/{name}")
    assert (node["type"], node["rdev"]) == ("char", NODES[name])
    assert (node["mode"], node["uid"], node["gid"]) == (host.st_mode & 0o7777, 0, 0)
    assert devices[f"/dev/char/{NODES[name]}"]["link"] == f"../{name}"


@pytest.mark.parametrize("name, word, number", [("fuse", "fuse", "10:229"), ("net/tun", "tun", "10:200")])
def test_the_nodes_that_depend_on_the_host(devices, name, word, number):
    if probe.offers(word):
        assert devices[f"/dev/{name}"]["rdev"] == number
        assert devices[f"/dev/char/{number}"]["link"] == f"../{name}"
    else:
        assert f"/dev/{name}" not in devices


@pytest.mark.parametrize("name", LINKS)
def test_the_links(devices, name):
    assert (devices[f"/dev/{name}"]["type"], devices[f"/dev/{name}"]["link"]) == ("link", LINKS[name])


def test_core_is_there_only_with_kcore(devices):
    assert ("/dev/core" in devices) == os.path.exists("/proc/kcore")


def test_there_is_nothing_else(devices):
    expected = {f"/dev/{name}" for name in [*NODES, *LINKS, "fuse", "net", "net/tun", "core", "char", "shm", "pts", "mqueue"]}
    expected |= {f"/dev/char/{number}" for number in [*NODES.values(), "10:229", "10:200"]}
    expected |= {"/dev/pts/ptmx", "/dev/block", "/dev/hugepages"}
    assert set(devices) <= expected, set(devices) - expected


def test_the_console_is_a_pty_of_our_own(tree, Terminal, run):
    root = tree()
    with Terminal("-q", "-D", root, "/payload", "devices") as screen:
        screen.expect(r'"/dev/console": \{"type": "link".{1,200}"link": "pts/0"')
        assert screen.wait() == 0
    assert "/dev/console" not in run("-P", "-D", root, "/payload", "devices").json["devices"]


def test_null_discards_and_zero_gives(tree, do):
    root = tree()
    assert do(root, "write", "/dev/null", "x").json["errno"] == 0
    assert do(root, "write", "/dev/full", "x").json["errno"] == 28


def test_a_new_pty_can_be_opened(tree, do):
    assert do(tree(), "open", "/dev/ptmx", os.O_RDWR).json["errno"] == 0


def test_nodes_in_the_tree_do_not_matter(tree, do):
    """A /dev in the tree is never looked at: a fresh one is put over it."""
    root = tree({"dev/null": "not a device", "dev/leftover": "x"})
    found = do(root, "stat", "/dev/null", "/dev/leftover").json
    assert found["/dev/null"]["rdev"] == "1:3" and found["/dev/leftover"] == {"errno": 2}
    assert (root / "dev/null").read_text() == "not a device"
