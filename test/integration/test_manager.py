# SPDX-License-Identifier: LGPL-2.1-or-later
"""Root's machines and the host's managers: the scope, the machine manager, what becomes of a start when they do not do as they should.

A bus is played by lab/manager.py; real managers are asked in test/host.
"""
import os
import signal
import time

import pytest

from lab import manager, probe
from lab.run import leader_of

pytestmark = pytest.mark.requires("root", "cgroup2")


@pytest.fixture
def bus(tmp_path):
    return tmp_path / "bus"


@pytest.fixture
def start(run, tree, bus):
    def now(*options, words=("/payload", "exit", "4"), root=None):
        return run("-D", root or tree(), "-M", "lab", "--console=pipe", *options, *words, env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus},guid=0"})
    return now


def test_the_manager_makes_a_scope(start, bus):
    with manager.Manager(bus, 0) as asked:
        assert start("--property=TasksMax=40", "--slice=lab", "--device=/dev/fuse" if os.path.exists("/dev/fuse") else "-q").code == 4
        assert asked.unit == "machine-lab.scope" and asked.calls[0] == "Hello"
        names = [name for name, _ in asked.named("StartTransientUnit")[0][2]]
        order = ["PIDFDs", "Description", "Delegate", "CollectMode", "AddRef", "Slice", "Controller", "DevicePolicy", "DeviceAllow", "TasksMax"]
        assert names == order
        wanted = {"Description": "Container lab", "Delegate": 1, "CollectMode": "inactive-or-failed", "AddRef": 1, "Slice": "lab.slice",
                  "Controller": ":1.7", "DevicePolicy": "closed", "TasksMax": 40}
        assert wanted.items() <= asked.properties.items()
        assert {("/dev/char/1:3", "rwm"), ("/dev/char/10:200", "rwm"), ("char-pts", "rw")} <= set(asked.properties["DeviceAllow"])
        deadline = time.monotonic() + 5
        while "UnrefUnit" not in asked.calls and time.monotonic() < deadline:
            time.sleep(0.01)
        assert asked.calls[-3:] == ["AbandonScope", "KillUnit", "UnrefUnit"]
        assert asked.named("KillUnit") == [["machine-lab.scope", "all", signal.SIGKILL]]
        assert not [name for name in os.listdir(asked.group) if os.path.isdir(f"{asked.group}/{name}")]


def test_an_old_manager_gets_numbers(start, bus):
    with manager.Manager(bus, 0, "old") as asked:
        assert start().code == 4
        assert "PIDs" in asked.properties and "PIDFDs" not in asked.properties


def test_the_name_of_a_dead_machine_is_waited_for(start, bus):
    with manager.Manager(bus, 0, "busy") as asked:
        assert start().code == 4 and asked.attempts == 3 and asked.unit == "machine-lab.scope"


def test_the_payload_is_in_the_scope_and_we_are_not(tree, Running, bus):
    with manager.Manager(bus, 0) as asked:
        with Running("-D", tree(), "-P", "-M", "lab", "/payload", "sleep", "30", env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}) as machine:
            machine.expect("sleeping")
            inside = open(f"{asked.group}/payload/cgroup.procs", encoding="utf-8").read().split()
            assert inside == [str(leader_of(machine.pid))]
            assert str(machine.pid) not in open(f"{asked.group}/cgroup.procs", encoding="utf-8").read().split()


def test_a_request_to_stop_is_heard(tree, Running, bus):
    with manager.Manager(bus, 0) as asked:
        words = ["-D", tree(), "-P", "-M", "lab", "--kill-signal=SIGUSR1", "/payload", "wait-signal", str(int(signal.SIGUSR1))]
        with Running(*words, env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}) as machine:
            machine.expect("waiting")
            asked.request_stop()
            result = machine.wait(timeout=10)
        assert result.code == signal.SIGUSR1, result
        assert asked.properties["KillSignal"] == signal.SIGUSR1 and asked.properties["KillMode"] == "mixed"


def test_the_bus_may_go_away(tree, Running, bus):
    with manager.Manager(bus, 0, machined="") as asked:
        with Running("-D", tree(), "-P", "-M", "lab", "/payload", "sleep", "1", env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}) as machine:
            machine.expect("sleeping")
            asked.hang_up()
            result = machine.wait(timeout=10)
        assert result.code == 0, result
        # On another connection, which is made for it.
        assert asked.named("UnregisterMachine") == [["lab"]] and asked.calls.count("Hello") == 2


@pytest.mark.parametrize("manner, sentence", [("refuse", "That unit is there already."), ("garbage", "Cannot get a scope"), ("hang up", "Cannot get a scope"),
                                              ("fail", "Cannot get a scope")])
def test_without_a_scope_it_starts_all_the_same(start, bus, manner, sentence):
    with manager.Manager(bus, 0, manner):
        result = start()
    said = [line for line in result.complaint.splitlines() if "scope" in line]
    assert result.code == 4 and len(said) == 1 and sentence in said[0], result


def test_where_nobody_is_nothing_is_said(start, run, tree):
    result = start("--register=auto")
    assert result.code == 4 and result.complaint == "", result


# --- Machine managers ---

def test_the_machine_is_registered(start, bus, tree):
    root = tree()
    with manager.Manager(bus, 0, machined="") as asked:
        assert start("--register=yes", "--uuid=0123456789abcdef0123456789abcdef", root=root).code == 4
        name, properties = asked.named("RegisterMachineEx")[0]
        properties = dict(properties)
        assert name == "lab" and bytes(properties.pop("Id")).hex() == "0123456789abcdef0123456789abcdef"
        assert properties == {"Service": "systemd-nspawn", "Class": "container", "LeaderPIDFD": 0, "RootDirectory": str(root)}
        assert asked.named("UnregisterMachine") == [["lab"]] and asked.machines == {}
        # All on one connection, with one greeting.
        assert asked.calls.count("Hello") == 1


def test_an_old_machine_manager(start, bus):
    with manager.Manager(bus, 0, machined="old") as asked:
        assert start("--register=yes").code == 4
        name, _, service, kind, leader, root, interfaces = asked.named("RegisterMachineWithNetwork")[0]
        assert (name, service, kind, interfaces) == ("lab", "systemd-nspawn", "container", []) and leader > 1 and root.startswith("/")
        assert asked.machines == {}


def test_old_and_new_words_are_said_at_once(start, bus):
    """One round trip whatever the manager knows: this one answers nothing before it has heard both."""
    with manager.Manager(bus, 0, machined="both") as asked:
        assert start("--register=yes").code == 4
        said = [member for member in asked.calls if member.startswith("RegisterMachine")]
        assert said == ["RegisterMachineEx", "RegisterMachineWithNetwork"] and asked.machines == {}


@pytest.mark.requires("netns", "veth")
def test_links_are_told(start, bus):
    with manager.Manager(bus, 0, machined="") as asked:
        assert start("--register=yes", "--network-veth").code == 4
        interfaces = dict(asked.named("RegisterMachineEx")[0][1])["NetworkInterfaces"]
        assert len(interfaces) == 1 and interfaces[0] > 1


def test_twenty_reboots(run, tree, bus, tmp_path):
    """Each is a machine of its own to the manager, which never has two of the name."""
    counter = tmp_path / "counter"
    counter.mkdir()
    script = "n=$(cat /mnt/n 2>/dev/null || echo 0); n=$((n + 1)); echo $n >/mnt/n; [ $n -gt 20 ] || exec reboot -f"
    with manager.Manager(bus, 0, machined="") as asked:
        result = run("-q", "-D", tree({"mnt/": None}, kind="busybox"), "-M", "lab", "--register=yes", f"--bind={counter}:/mnt", "/bin/sh", "-c", script,
                     env={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"})
        assert result.code == 0 and (counter / "n").read_text() == "21\n", result
        assert len(asked.named("RegisterMachineEx")) == len(asked.named("UnregisterMachine")) == 21
        assert asked.calls.count("StartTransientUnit") == 1 and asked.calls.count("Hello") == 1


def test_the_name_of_a_dead_machine_is_taken_over(start, bus):
    with manager.Manager(bus, 0, machined="dead") as asked:
        assert start("--register=yes").code == 4
        assert len(asked.named("RegisterMachineEx")) == 2 and asked.named("UnregisterMachine")[0] == ["lab"]


NOT_REGISTERED = {"refuse": "Access denied", "garbage": "Protocol error", "hang up": "Connection reset", "silent": "timed out"}


@pytest.mark.parametrize("manner", NOT_REGISTERED)
def test_who_is_not_registered_runs_all_the_same(start, bus, manner):
    with manager.Manager(bus, 0, machined=manner) as asked:
        began = time.monotonic()
        result = start("--keep-unit", "--console=read-only")
        assert result.code == 4 and time.monotonic() - began < 9, result
        said = [line for line in result.complaint.splitlines() if "machine manager" in line]
        assert len(said) == 1 and NOT_REGISTERED[manner] in said[0] and "going on without" in said[0], result
        # Nobody's machine is taken away from him.
        assert asked.named("UnregisterMachine") == []


@pytest.mark.parametrize("register", ["auto", "yes"])
def test_the_name_of_a_machine_that_runs_is_taken(start, bus, register):
    with manager.Manager(bus, 0, machined="exists") as asked:
        result = start("-q", "--keep-unit", f"--register={register}")
        assert result.code == 1 and "Another machine 'lab'" in result.complaint.splitlines()[0], result
        assert "'--machine='" in result.complaint.splitlines()[1] and asked.named("UnregisterMachine") == []


@pytest.mark.parametrize("manner", [*NOT_REGISTERED, "none"])
def test_unless_it_must_be(start, bus, manner):
    with manager.Manager(bus, 0, machined=manner):
        result = start("-q", "--keep-unit", "--register=yes")
    assert result.code == 1 and len(result.complaint.splitlines()) == 2, result
    assert "machine manager" in result.complaint and "'--register=auto'" in result.complaint and NOT_REGISTERED.get(manner, "not provided") in result.complaint


@pytest.mark.parametrize("options", [["--register=no"], ["--register=auto"]])
def test_nobody_who_manages_machines(start, bus, options):
    with manager.Manager(bus, 0, machined="none") as asked:
        result = start(*options, "--console=read-only")
    assert result.code == 4 and "machine manager" not in result.complaint, result
    assert ("RegisterMachineEx" in asked.calls) is (options == ["--register=auto"])


def test_a_late_answer_is_waited_for(start, bus):
    with manager.Manager(bus, 0, machined="late") as asked:
        assert start("--register=yes", words=("/payload", "exit", "0")).code == 0
        assert asked.machines == {}


# --- Limits ---

def test_limits_are_told_to_the_manager(start, bus):
    with manager.Manager(bus, 0) as asked:
        result = start("--memory=1G", "--cpus=1.5", "--tasks=40", "--io-weight=200", "--property=TasksMax=30")
        told = asked.named("StartTransientUnit")[0][2][-5:]
    assert told == [("MemoryMax", 1 << 30), ("CPUQuotaPerSecUSec", 1500000), ("TasksMax", 40), ("IOWeight", 200), ("TasksMax", 30)]
    # This manager does nothing about it, which is found out.
    controllers = open(f"{probe.own_cgroup()}/cgroup.controllers", encoding="utf-8").read().split()
    if "memory" not in controllers:
        assert result.code == 1 and "no controller 'memory'" in result.complaint


@pytest.mark.parametrize("option, controller", [("--memory=1G", "memory"), ("--cpus=1", "cpu"), ("--tasks=9", "pids"), ("--io-weight=9", "io")])
def test_a_limit_that_cannot_be_had_is_refused(start, option, controller):
    if controller in open(f"{probe.own_cgroup()}/cgroup.controllers", encoding="utf-8").read().split():
        pytest.skip(f"this host has the controller {controller}")
    result = start("-q", option)
    assert result.code == 1 and f"no controller '{controller}'" in result.complaint and f"cgroup_no_v1={controller}" in result.complaint, result
    assert len(result.complaint.splitlines()) == 2


def test_limits_of_a_running_machine(tree, run, Running):
    with Running("-D", tree(), "-P", "-M", "lab", "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        rows = {row["resource"]: row for row in run("limits", "lab", "--json").json}
        assert list(rows) == ["memory", "cpus", "tasks", "io-weight"]
        lines = run("limits", "lab").text.splitlines()
        assert lines[0].split() == ["RESOURCE", "LIMIT", "USED", "FROM"] and len(lines) == 5
        controllers = open(f"{probe.own_cgroup()}/cgroup.controllers", encoding="utf-8").read().split()
        if "memory" not in controllers:
            assert rows["memory"] == {"resource": "memory", "limit": None, "used": None, "source": "no-controller"}
    for words, sentence in ((["limits"], "needs the name"), (["limits", "lab"], "No machine named 'lab'"), (["limits", "lab", "-x"], "does not take '-x'")):
        result = run(*words)
        assert result.code == 1 and sentence in result.complaint
