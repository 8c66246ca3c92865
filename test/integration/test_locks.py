# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several machines at once, one machine twice, and what a supervisor that was killed leaves for the next."""
import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import time

import pytest

from lab import identity
from lab.leaks import descendants
from lab.run import environment, leader_of, program

pytestmark = pytest.mark.requires("root")


def busy(result):
    return result.code == 1 and re.search("in use|busy|already", result.complaint) and \
        len(result.complaint.strip().splitlines()) <= 2


def test_two_trees_run_side_by_side(tree, Running):
    with Running("-q", "-D", tree(), "/payload", "sleep", "30") as one, \
            Running("-q", "-D", tree(), "/payload", "sleep", "30") as two:
        one.expect("sleeping")
        two.expect("sleeping")
        one.stop()
        two.stop()


def test_a_tree_runs_once_at_a_time(tree, Running, run):
    root = tree()
    with Running("-q", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        for name in ([], ["-M", "another-name"]):
            assert busy(run("-q", "-D", root, *name, "/payload", "exit", "0"))
        machine.stop()
    assert run("-q", "-D", root, "/payload", "exit", "7").code == 7


@pytest.mark.parametrize("options", [[], ["--read-only"]], ids=lambda words: "".join(words) or "writer")
def test_a_lock_that_is_let_go_in_a_moment_is_waited_for(tree, Running, options):
    """As children of a killed supervisor have it, until they run."""
    root = tree({f"{name}/": None for name in ("tmp", "var", "proc", "sys", "dev", "run", "root")})
    with open(root.parent / f".#{root.name}.lck", "w", encoding="utf-8") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        machine = Running("-q", "-D", root, *options, "/payload", "exit", "7")
        time.sleep(0.05)
        os.unlink(file.name)
    with machine:
        assert machine.wait().code == 7, machine


def test_a_tree_under_another_path_is_the_same_tree(tree, Running, run, tmp_path):
    root = tree()
    (tmp_path / "link").symlink_to(root)
    with Running("-q", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        assert busy(run("-q", "-M", "another-name", "-D", tmp_path / "link", "/payload", "exit", "0"))
        machine.stop()


def test_readers_share_a_tree(tree, Running, run):
    root = tree({f"{name}/": None for name in ("tmp", "var", "proc", "sys", "dev", "run", "root")})
    with Running("-q", "--read-only", "-D", root, "-M", "one-reader", "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        assert run("-q", "--read-only", "-D", root, "-M", "other-reader", "/payload", "exit", "7").code == 7
        assert busy(run("-q", "-D", root, "-M", "writer", "/payload", "exit", "0"))
        machine.stop()


def test_a_name_is_used_once_at_a_time(tree, Running, run):
    with Running("-q", "-D", tree(), "-M", "the-one", "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        result = run("-q", "-D", tree(), "-M", "the-one", "/payload", "exit", "0")
        assert busy(result) or "the-one" in result.complaint, result
        assert result.code == 1
        machine.stop()


def test_trees_whose_directories_have_one_name(tree, do, Running):
    """As in parallel builds: the name was nobody's wish, so the second machine gets one of its own."""
    first = tree()
    (first.parent / "twins").mkdir()
    alike = tree(name=f"twins/{first.name}")
    with Running("-q", "-D", first, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        assert do(alike, "read", "/proc/sys/kernel/hostname").text.strip() == f"{first.name}-2"
        machine.stop()
    shutil.rmtree(alike.parent)


def test_locks_can_be_turned_off(tree, Running, run):
    root = tree()
    off = {"SYSTEMD_NSPAWN_LOCK": "0"}
    with Running("-q", "-D", root, "-M", "first", "/payload", "sleep", "30", env=off) as machine:
        machine.expect("sleeping")
        assert run("-q", "-D", root, "-M", "second", "/payload", "exit", "7", env=off).code == 7
        machine.stop()


def test_the_lock_is_beside_the_tree_while_it_runs(tree, Running):
    root = tree()
    with Running("-q", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        assert (root.parent / f".#{root.name}.lck").exists()
        machine.stop()
    assert not (root.parent / f".#{root.name}.lck").exists()


def test_a_killed_supervisor_takes_the_machine_with_it(tree, Running, run):
    """SIGKILL leaves no time to clean up: PID 1 dies all the same, and the next start works at once."""
    root = tree()
    with Running("-q", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        leader = leader_of(machine.pid)
        machine.signal(signal.SIGKILL)
        machine.process.wait()
        assert run("-q", "-D", root, "/payload", "exit", "7").code == 7
        assert leader not in descendants()


def test_again_and_again(tree, Running, run):
    root = tree()
    for _ in range(5):
        with Running("-q", "-D", root, "-M", "again", "/payload", "sleep", "30") as machine:
            machine.expect("sleeping")
            machine.signal(signal.SIGKILL)
            machine.process.wait()
    assert run("-q", "-D", root, "-M", "again", "/payload", "exit", "7").code == 7


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.01])
def test_killed_at_any_moment_nothing_stays(tree, Running, run, delay):
    """From the first instruction to the running payload: a SIGKILL anywhere leaves a tree that starts again."""
    root = tree()
    for signo in (signal.SIGKILL, signal.SIGTERM):
        with Running("-q", "-D", root, "/payload", "sleep", "30") as machine:
            time.sleep(delay)
            machine.signal(signo)
            machine.process.wait(timeout=20)
    assert run("-q", "-D", root, "/payload", "exit", "7").code == 7


def test_nobody_outlives_a_killed_supervisor(tree, run):
    """The set-up takes a few milliseconds; a kill at any of them must reach the machine's first process too."""
    root = tree()
    before = set(descendants())
    for number in range(250):
        process = subprocess.Popen(identity.words(program(), ["-q", "-D", root, "/payload", "sleep", "30"]), env=environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   **identity.popen())
        time.sleep(number % 50 * 0.0001)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 2
        while (left := set(descendants()) - before) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not left, f"killed after {number % 50 * 0.1:.1f} ms: {left} lives on"
    assert run("-q", "-D", root, "/payload", "exit", "7").code == 7


def test_many_at_once(tree, Running):
    machines = [Running("-q", "-P", "-D", tree(), "/payload", "exit", str(number)) for number in range(1, 13)]
    codes = []
    for machine in machines:
        with machine:
            codes.append(machine.wait(timeout=60).code)
    assert codes == list(range(1, 13))


def test_runtime_files_go_with_the_machine(tree, do):
    assert do(tree(), "exit", "0", options=["-M", "leaves-nothing"]).code == 0
    for top in ("/run/nspawn", "/run/systemd/nspawn"):
        for folder, folders, files in os.walk(top):
            assert "leaves-nothing" not in folder and not [name for name in folders + files if "leaves-nothing" in name]
