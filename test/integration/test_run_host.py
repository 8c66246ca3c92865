# SPDX-License-Identifier: LGPL-2.1-or-later
"""/run/host: what the machine is told about the place it runs in."""
import os
import re

import pytest

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def listing(tree, do):
    return do(tree(), "list", "/run/host", "2").json


@pytest.mark.parametrize("name, kind, mode", [
    ("container-manager", "file", 0o444), ("container-uuid", "file", 0o444), ("notify", "socket", None),
    ("os-release", "file", None), ("incoming", "directory", 0o600), ("unix-export", "directory", 0o755),
    ("inaccessible", "directory", 0o555), ("proc-kmsg", "fifo", 0o600),
    ("inaccessible/reg", "file", 0), ("inaccessible/dir", "directory", 0), ("inaccessible/fifo", "fifo", 0),
    ("inaccessible/sock", "socket", 0), ("inaccessible/chr", "char", 0), ("inaccessible/blk", "block", 0),
])
def test_what_is_there(listing, name, kind, mode):
    entry = listing[f"/run/host/{name}"]
    assert entry["type"] == kind
    assert mode is None or entry["mode"] == mode, oct(entry["mode"])
    assert (entry["uid"], entry["gid"]) == (0, 0)


def test_the_notify_socket_is_for_writing_only(listing):
    assert listing["/run/host/notify"]["mode"] & 0o577 == 0


def test_the_manager_is_named(tree, do, run):
    root = tree()
    assert do(root, "read", "/run/host/container-manager").text == "systemd-nspawn\n"
    named = run("-P", "-D", root, "/payload", "read", "/run/host/container-manager",
                env={"SYSTEMD_NSPAWN_CONTAINER_SERVICE": "other"})
    assert named.text == "other\n"


def test_the_uuid_is_the_one_in_the_environment(tree, run):
    root = tree(kind="busybox")
    result = run("-P", "-D", root, "/bin/sh", "-c", 'cat /run/host/container-uuid; echo "$container_uuid"')
    first, second = result.text.split()
    assert first == second and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first)


def test_the_hosts_os_release_can_be_read(tree, do):
    source = "/etc/os-release" if os.path.exists("/etc/os-release") else "/usr/lib/os-release"
    with open(source, encoding="utf-8") as file:
        assert do(tree(), "read", "/run/host/os-release").text == file.read()


@pytest.mark.parametrize("path", ["/run/host/new", "/run/host/os-release", "/run/host/container-uuid"])
def test_nothing_in_it_can_be_changed(tree, do, path):
    assert do(tree(), "write", path, "x").json["errno"] in (30, 13)


def test_the_machine_may_leave_sockets_in_unix_export(tree, do):
    assert do(tree(), "write", "/run/host/unix-export/ssh", "x").json["errno"] == 0


def test_nothing_comes_in_through_incoming_by_itself(tree, ask, do):
    root = tree()
    mounts = {mount["target"]: mount for mount in ask(root, "mounts")["mounts"]}
    assert "ro" in mounts["/run/host/incoming"]["options"].split(",")
    assert do(root, "write", "/run/host/incoming/x", "x").json["errno"] == 30
