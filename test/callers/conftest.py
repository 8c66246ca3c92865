# SPDX-License-Identifier: LGPL-2.1-or-later
"""The callers' view of nspawn: as systemd-nspawn, first in their PATH, on a host whose /etc is known."""
import os
import pathlib
import socket
import stat
import subprocess
import sys

import pytest

from lab import network
from lab import run as lab_run
from lab.tree import TOP, fill, remove

# How a run of both programs is made comparable is known there.
sys.path.append(str(TOP / "test/compat"))

HOST = {
    "resolv.conf": "nameserver 192.0.2.53\n",
    "hosts": "127.0.0.1 localhost\n",
    "os-release": "ID=host\nVERSION_ID=1\nBUILD_ID=b\nVARIANT_ID=v\n",
    "machines/": None,
    "localtime=": "/usr/share/zoneinfo/Etc/UTC",
}


def pytest_addoption(parser):
    parser.addoption("--update-records", action="store_true", help="write test/callers/records/ anew instead of comparing with them")


@pytest.fixture(scope="session")
def updates_records(request):
    return request.config.getoption("--update-records", default=False)


@pytest.fixture(scope="module")
def known_host(tmp_path_factory):
    """In the mount namespace of the bed (lab/bed.py): what a machine gets of the host's /etc is the same everywhere. Who has this
    reaches no mirror."""
    space = tmp_path_factory.mktemp("etc")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "nspawn-test", space], check=True)
    for name in ("upper", "work"):
        (space / name).mkdir()
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir=/etc,upperdir={space}/upper,workdir={space}/work", "host-etc", "/etc"],
                   check=True)
    for name in HOST:
        path = pathlib.Path("/etc") / name.rstrip("=/")
        if not path.is_dir() and os.path.lexists(path):
            path.unlink()
    fill("/etc", HOST)
    # No resolver of systemd; and no journal to link, since links to trees that are gone afterwards would stay there.
    hidden = [path for path in ("/run/systemd/resolve", "/var/log") if os.path.isdir(path)]
    for path in hidden:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "nspawn-test", path], check=True)
    yield
    subprocess.run(["umount", "--lazy", *hidden, "/etc", space], check=True)


@pytest.fixture(scope="module")
def known_network(own_network):
    """A host with a bridge and two interfaces, which callers name."""
    del own_network
    network.ip("link", "add", "br0", "type", "bridge")
    network.ip("link", "add", "x0", "type", "veth", "peer", "name", "x1")


@pytest.fixture(autouse=True)
def usual_umask():
    """Trees are made with it, and a program of the tree must be there for its users."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A directory like /usr/bin, with systemd-nspawn in it."""
    made = tmp_path_factory.mktemp("host") / "usr/bin"
    made.mkdir(parents=True)
    # A wrapper of words, as for valgrind, cannot be a link.
    (made / "systemd-nspawn").symlink_to(os.path.realpath(lab_run.program()[0]))
    return made


@pytest.fixture
def search_path(folder):
    """The environment of a caller: our systemd-nspawn comes first."""
    return {"PATH": f"{folder}:{lab_run.ENVIRONMENT['PATH']}"}


@pytest.fixture
def work():
    """What a caller would have beside the tree: sources, caches, devices, a socket. In a place that is the bed's own."""
    made = pathlib.Path("/var/tmp/caller")
    made.mkdir()
    fill(made, {"src/a file": "source\n", "src:2/b": "b\n", "pool:2/p": "p\n", "cache/": None, "results/": None, "dest/": None,
                "store/s": "s\n", "shared/": None, "modules/": None, "resolv.conf": "nameserver 192.0.2.1\n", "credential": "secret\n",
                "journal/": None, "dev/": None})
    for name, number in (("loop-control", (10, 237)), ("btrfs-control", (10, 234)), ("card0", (226, 0))):
        os.mknod(made / "dev" / name, stat.S_IFCHR | 0o660, os.makedev(*number))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(made / "socket"))
    (made / "netns").touch()
    subprocess.run(["unshare", "--net", "mount", "--bind", "/proc/self/ns/net", made / "netns"], check=True)
    yield made
    subprocess.run(["umount", made / "netns"], check=True)
    remove(made)
