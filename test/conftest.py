# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laboratory as fixtures.

tree      makes a tree: tree({"etc/passwd": "..."}) holds the payload at /payload; tree(kind="busybox") a real one
run       runs nspawn to its end; run("-D", root, "/payload", "exit", "7").code == 7
ask       asks the payload in a tree: ask(root, "mounts", "caps")["caps"]
Running, Terminal  nspawn in the background, without and with a terminal

Everything runs in a bed of its own (lab/bed.py), of which there are several at a time with -n (lab/schedule.py). After each test of a suite that starts machines, everything the host had before must be there, and nothing else.
"""
import itertools
import os
import pathlib
import subprocess

import pytest

from lab import bed, identity, leaks, network, ports, probe, schedule
from lab import run as lab_run
from lab import tree as lab_tree
from lab.terminal import Terminal as lab_terminal

COUNTER = itertools.count(1)
STARTS_MACHINES = ("integration", "distro", "compat", "callers")


BED = pytest.StashKey[bed.Bed]()


def pytest_configure(config):
    if schedule.only_distributes(config):
        return
    if hasattr(config, "workerinput"):
        config.option.basetemp = None  # it is in the /tmp of who distributes
    leaks.adopt_orphans()
    config.stash[BED] = bed.Bed()


def pytest_unconfigure(config):
    if BED in config.stash:
        config.stash[BED].leave()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return schedule.scheduler(config, log)


def pytest_collection_modifyitems(config, items):
    """Other than as root only some of the files run."""
    if identity.AS == "root":
        return
    chosen = [item for item in items if item.path.stem in identity.THREE_WAYS]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def pytest_runtest_setup(item):
    if identity.AS != "root":
        for mark in item.iter_markers("host_ids_only"):
            pytest.skip(mark.args[0])
    if identity.IS_USER:
        for mark in item.iter_markers("root_only"):
            pytest.skip(mark.args[0])
    for mark in item.iter_markers("requires"):
        probe.require(*mark.args)


@pytest.fixture(scope="session")
def payload(tmp_path_factory):
    """The static program that answers questions inside a machine, compiled once."""
    path = identity.open_up(tmp_path_factory.mktemp("payload")) / "payload"
    source = lab_tree.TOP / "test/integration/payload.c"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-static", "-w", "-o", path, source], check=True)
    return path


@pytest.fixture(scope="session")
def beside(tmp_path_factory):
    """The folder in which all trees of small tests are."""
    return identity.open_up(tmp_path_factory.mktemp("trees"))


@pytest.fixture
def tmp_path(tmp_path):
    """pytest's own, within the reach of whoever runs nspawn."""
    return identity.open_up(tmp_path)


@pytest.fixture
def tree(beside, payload):
    """Makes trees, removed after the test. Their names are new each time, so machine names are too."""
    made = []

    def make(entries=None, kind=None, name=None):
        root = beside / (name or f"t{os.getpid()}x{next(COUNTER)}")
        made.append(root)
        if kind is not None:
            subprocess.run(["cp", "-a", "--reflink=auto", lab_tree.cached(kind), root], check=True)
        else:
            root.mkdir()
            root.chmod(0o755)
            lab_tree.fill(root, {"usr/": None, "etc/os-release": "ID=probe\n"})
        lab_tree.fill(root, {"payload!": payload, **(entries or {})})
        identity.give(root)
        return root

    yield make
    for root in made:
        lab_tree.remove(root)


@pytest.fixture(scope="module")
def own_network():
    """Moves the test process, and all that it starts, into a network with nothing but a loopback."""
    if not (probe.offers("root") and probe.offers("netns")):
        pytest.skip("needs root and network namespaces")
    made = network.Network()
    yield
    made.leave()


@pytest.fixture(scope="module")
def outside(own_network):
    """A world beyond that network: lab/network.py. Its process id."""
    del own_network
    with network.outside() as world:
        yield world


@pytest.fixture(scope="module")
def lan(own_network):
    """Another machine of that network: lab/ports.py. Its process id."""
    del own_network
    with ports.lan() as pid:
        yield pid


@pytest.fixture
def no_ports_left(lan):
    """Of ports nothing is left in that network: rules, sockets, links, switches."""
    del lan
    with network.leaves(ports.state):
        yield


@pytest.fixture
def run():
    return lab_run.run


@pytest.fixture
def ask():
    """Asks questions in a tree: ask(root, "env", "caps", options=["--drop-capability=CAP_KILL"])."""

    def question(root, *words, options=(), **more):
        return lab_run.run("-D", root, "-P", *options, "/payload", *words, **more).json

    return question


@pytest.fixture
def do():
    """Runs the payload in a tree through pipes: do(root, "exit", "3").code == 3."""

    def action(root, *words, options=(), **more):
        return lab_run.run("-D", root, "-P", *options, "/payload", *words, **more)

    return action


@pytest.fixture
def Running():
    return lab_run.Running


@pytest.fixture
def Terminal():
    return lab_terminal


@pytest.fixture(autouse=True)
def leaves_nothing(request):
    """The undo list's proof: the host after a test is the host before it."""
    folder = pathlib.Path(request.node.fspath).parent.name
    if folder not in STARTS_MACHINES:
        yield
        return
    snapshot = leaks.Snapshot(request.getfixturevalue("beside"))
    # Ordered after every fixture that the test itself asked for: trees are still there when this looks.
    yield
    found = snapshot.leaks()
    if found:
        snapshot.kill_processes()
        pytest.fail("\n".join(found))
