# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine's control group, without any manager: what it sees, what it may do, what is left of it."""
import os

import pytest

from lab import probe
from lab.run import leader_of, program

pytestmark = pytest.mark.requires("root", "cgroup2")


def groups_below(path):
    return {folder for folder, _, _ in os.walk(path)} - {path}


def test_the_machine_sees_itself_at_the_root(tree, ask):
    answer = ask(tree(), "system", "mounts")
    assert "0::/\n" in answer["system"]["cgroup"]
    mount = [mount for mount in answer["mounts"] if mount["target"] == "/sys/fs/cgroup"][-1]
    assert mount["type"] == "cgroup2" and mount["root"] == "/"
    assert set(mount["options"].split(",")) >= {"rw", "nosuid", "nodev", "noexec"}


def test_it_can_make_groups_and_move_into_them(tree, run):
    root = tree(kind="busybox")
    script = "mkdir /sys/fs/cgroup/a && echo $$ >/sys/fs/cgroup/a/cgroup.procs && grep -o '^0::.*' /proc/self/cgroup"
    result = run("-P", "-D", root, "/bin/sh", "-c", script)
    assert (result.code, result.text) == (0, "0::/a\n"), result


def test_its_processes_are_in_a_group_of_their_own(tree, Running):
    before = groups_below(probe.own_cgroup())
    with Running("-q", "-D", tree(), "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        with open(f"/proc/{leader_of(machine.pid)}/cgroup", encoding="utf-8") as file:
            line = [line for line in file if line.startswith("0::")][0]
        path = probe.cgroup2_mount() + line[3:].strip()
        assert path in groups_below(probe.own_cgroup()) - before
        assert path.endswith("payload")
        machine.stop()


def test_it_cannot_reach_above_its_own(tree, run):
    root = tree(kind="busybox")
    script = "echo $$ >/sys/fs/cgroup/../cgroup.procs; cat /sys/fs/cgroup/cgroup.procs; ls /sys/fs/cgroup/.. | grep -c payload"
    result = run("-P", "-D", root, "/bin/sh", "-c", script)
    assert "1" in result.text.split()
    assert result.text.split()[-1] == "0"


def test_groups_that_the_machine_made_are_removed_too(tree, run):
    root = tree(kind="busybox")
    before = groups_below(probe.own_cgroup())
    run("-P", "-D", root, "/bin/sh", "-c", "mkdir -p /sys/fs/cgroup/a/b/c /sys/fs/cgroup/d; exit 0")
    assert groups_below(probe.own_cgroup()) == before


def test_processes_the_machine_left_in_groups_are_ended(tree, run):
    root = tree(kind="busybox")
    script = "mkdir /sys/fs/cgroup/a; (echo 0 >/sys/fs/cgroup/a/cgroup.procs; exec sleep 100) & sleep 0.2"
    assert run("-P", "-D", root, "-a", "/bin/sh", "-c", script).code == 0


def test_two_machines_have_two_groups(tree, Running):
    with Running("-q", "-D", tree(), "/payload", "sleep", "30") as one, \
            Running("-q", "-D", tree(), "/payload", "sleep", "30") as two:
        one.expect("sleeping")
        two.expect("sleeping")
        found = set()
        for machine in (one, two):
            with open(f"/proc/{leader_of(machine.pid)}/cgroup", encoding="utf-8") as file:
                found.add([line for line in file if line.startswith("0::")][0])
        assert len(found) == 2
        one.stop()
        two.stop()


def test_without_a_writable_group_it_goes_on_and_says_so_once(tree, run):
    """Read-only control groups, as inside another container: one sentence, and the machine runs."""
    root = tree()
    mount = probe.cgroup2_mount()
    result = run("-D", root, "/payload", "exit", "7",
                 command=["unshare", "-m", "sh", "-c", f'mount -o bind,remount,ro {mount} 2>/dev/null || mount -o remount,bind,ro {mount}; '
                          'exec "$@"', "x", *program()])
    assert result.code == 7, result
    assert len([line for line in result.complaint.splitlines() if "group" in line.lower()]) <= 1


def test_without_any_cgroup2_mount_it_goes_on(tree, run):
    mount = probe.cgroup2_mount()
    result = run("-q", "-D", tree(), "/payload", "exit", "7",
                 command=["unshare", "-m", "sh", "-c", f'umount -l {mount}; exec "$@"', "x", *program()])
    assert result.code == 7, result
