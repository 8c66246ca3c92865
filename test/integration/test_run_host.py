# SPDX-License-Identifier: LGPL-2.1-or-later
"""/run/host: what the machine is told about the place it runs in."""
import errno
import os
import pathlib
import re

import pytest

from lab import identity
from lab.run import leader_of

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def listing(tree, do):
    return do(tree(), "list", "/run/host", "2").json


@pytest.mark.parametrize("name, kind, mode", [
    ("container-manager", "file", 0o444), ("container-uuid", "file", 0o444), ("notify", "socket", None),
    ("os-release", "file", None),
    ("inaccessible", "directory", 0o555), ("proc-kmsg", "fifo", 0o600),
    ("inaccessible/reg", "file", 0), ("inaccessible/dir", "directory", 0), ("inaccessible/fifo", "fifo", 0),
    ("inaccessible/sock", "socket", 0), ("inaccessible/chr", "char", 0),
    pytest.param("inaccessible/blk", "block", 0, marks=pytest.mark.root_only("makes a node of a block device")),
])
def test_what_is_there(listing, name, kind, mode):
    entry = listing[f"/run/host/{name}"]
    assert entry["type"] == kind
    assert mode is None or entry["mode"] == mode, oct(entry["mode"])
    # The file is the host's own, whose root is nobody inside.
    owner = 65534 if name == "os-release" and identity.AS != "root" else 0
    assert (entry["uid"], entry["gid"]) == (owner, owner)


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


@pytest.fixture
def bootable(tree):
    return tree({"sbin/init=": "/payload", "etc/os-release": "ID=test\n"})


def test_a_command_shares_no_directory_with_the_host(listing):
    assert "/run/host/incoming" not in listing and "/run/host/unix-export" not in listing


@pytest.mark.root_only("goes by a directory that only root fills")
def test_a_booted_machine_leaves_sockets_in_unix_export(bootable, Running):
    """Writable inside, read-only outside, and gone with the machine."""
    with Running("-P", "-b", "-D", bootable, "-M", "exporter", "wait-signal") as machine:
        outside = pathlib.Path("/run/systemd/nspawn/unix-export/exporter")
        machine.expect("waiting")
        inside = pathlib.Path(f"/proc/{leader_of(machine.pid)}/root/run/host/unix-export")
        (inside / "ssh").write_text("x")
        assert (outside / "ssh").read_text() == "x"
        with pytest.raises(OSError) as error:
            (outside / "y").write_text("x")
        assert error.value.errno == errno.EROFS
    assert not outside.exists()


@pytest.mark.root_only("goes by a directory that only root fills")
def test_incoming_is_the_hosts_to_fill(bootable, run):
    result = run("-P", "-b", "-D", bootable, "mounts").json
    mounts = {mount["target"]: mount for mount in result["mounts"]}
    assert "ro" in mounts["/run/host/incoming"]["options"].split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(mounts["/run/host/unix-export"]["options"].split(","))
    assert run("-P", "-b", "-D", bootable, "write", "/run/host/incoming/x", "x").json["errno"] in identity.READ_ONLY

