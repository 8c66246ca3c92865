# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn logs: the end of what a machine wrote on its console, while it runs and after it."""
import os
import pathlib
import signal
import subprocess

import pytest

from lab import door
from lab.run import program

pytestmark = pytest.mark.requires("root")

KEPT = pathlib.Path("/var/log/nspawn")


@pytest.fixture(autouse=True)
def no_logs():
    yield
    for path in KEPT.iterdir():
        path.unlink()


@pytest.fixture
def system(tree):
    """A tree whose init is this script of a shell."""

    def make(script):
        root = tree(kind="busybox")
        init = root / "sbin/init"
        init.unlink(missing_ok=True)
        init.write_text(f"#!/bin/sh\n{script}\n")
        init.chmod(0o755)
        return root

    return make


def boot(root, name, run):
    return run("-q", "-b", "-D", root, "-M", name, "-x")


def test_a_run_that_goes_on_and_the_one_before(system, run, Running):
    root = system("echo it is run $RUN; [ -n \"$STAY\" ] && read x; exit 0")
    name = root.name
    assert "No run of a machine" in run("logs", name).complaint
    assert run("-q", "-b", "-D", root, "-M", name, "-E", "RUN=1").code == 0
    assert run("logs", name).text == "it is run 1\n"
    with Running("-q", "-b", "-D", root, "-M", name, "-E", "RUN=2", "-E", "STAY=1") as machine:
        machine.expect("run 2")
        assert run("logs", name).text == "it is run 2\n" and run("logs", name, "--previous").text == "it is run 1\n"
    result = run("logs", name)
    assert result.text == "it is run 2\n" and "does not run" in result.complaint
    assert os.stat(KEPT / f"{name}.log").st_mode & 0o777 == 0o600 and os.stat(KEPT).st_mode & 0o777 == 0o700


def test_only_its_end_is_kept_and_the_file_stays_small(system, run, Running):
    root = system("i=0; while [ $i -lt 60000 ]; do echo line number $i; i=$((i+1)); done; echo over; read x")
    with Running("-q", "-b", "-D", root, "-M", root.name) as machine:
        machine.expect(b"\nover")
        log = door.directory(root.name) / "log"
        assert os.stat(log).st_size > 1000000 and os.stat(log).st_blocks * 512 <= (256 + 64 + 8) * 1024
        text = run("logs", root.name).text
    assert text.endswith("line number 59999\nover\n") and text.startswith("line number ")
    assert 200000 < len(text) <= 256 * 1024
    assert os.stat(KEPT / f"{root.name}.log").st_size <= (256 + 64) * 1024


def test_following_ends_with_the_machine(system, run, Running):
    root = system("echo first; read x; echo second $x; exit 0")
    with Running("-q", "-b", "-D", root, "-M", root.name) as machine:
        machine.expect("first")
        with Running("logs", "--follow", root.name) as follower:
            follower.expect("first")
            with door.Door(root.name) as client:
                client.call("OpenConsole")
                os.write(client.fds[0], b"typed\n")
                os.close(client.fds[0])
            follower.expect("second typed")
            assert follower.wait().code == 0
        assert machine.wait().code == 0


def test_a_terminal_is_not_driven_by_it(system, run, Running, Terminal):
    root = system(r"printf 'a\033[31mred\033[0m \033]0;title\007b \033c \001 \202 x\n'; printf 'half \033[3'; exit 0")
    assert run("-q", "-b", "-D", root, "-M", root.name).code == 0
    raw = run("logs", root.name).out
    assert b"\033[31mred" in raw and b"\033]0;title\007" in raw
    with Terminal("logs", root.name, stderr="null") as screen:
        assert screen.wait() == 0
        assert screen.text == "ared b \\x1bc \\x01 \\x82 x\nhalf "


def test_what_a_killed_supervisor_left_is_not_lost(system, run, Running):
    root = system("echo run $RUN; [ $RUN = 1 ] && read x; exit 0")
    with Running("-q", "-b", "-D", root, "-M", root.name, "-E", "RUN=1") as machine:
        machine.expect("run 1")
        machine.signal(signal.SIGKILL)
        machine.wait()
    assert run("logs", root.name).text == "run 1\n"
    assert run("-q", "-b", "-D", root, "-M", root.name, "-E", "RUN=2").code == 0
    assert run("logs", root.name).text == "run 2\n"
    assert not door.directory(root.name).exists()


def test_commands_and_throw_away_names_leave_none(tree, system, run, do):
    assert do(tree(), "echo", "x").code == 0
    root = system("echo hello; exit 0")
    assert run("-q", "-b", "-x", "-D", root).code == 0
    assert list(KEPT.iterdir()) == []
    with subprocess.Popen([*program(), "-q", "-D", tree(), "-M", "cmd", "/payload", "sleep", "100"],
                          stdin=subprocess.DEVNULL) as process:
        door.await_state("cmd")
        assert "keeps no log" in run("logs", "cmd").complaint
        process.terminate()


def test_their_number_is_bounded(system, run):
    root = system("echo hello; exit 0")
    for number in range(70):
        path = KEPT / f"old{number}.log"
        path.write_text("x")
        os.utime(path, (number, number))
    for _ in range(8):
        assert run("-q", "-b", "-D", root, "-M", root.name).code == 0
    names = {path.name for path in KEPT.iterdir()}
    assert len(names) == 64 and f"{root.name}.log" in names and "old0.log" not in names and "old69.log" in names


def test_a_passive_console_is_read_for_the_log(system, run, Running):
    """So that a machine does not wait for ever for somebody to read 64 KiB of it."""
    root = system("i=0; while [ $i -lt 9000 ]; do echo line number $i; i=$((i+1)); done; exit 0")
    assert run("-q", "-b", "-D", root, "-M", root.name, "--console=passive").code == 0
    assert run("logs", root.name).text.endswith("line number 8999\n")
