# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a run ends: exit codes, deaths by signal, and the sentence said about them."""
import os
import signal

import pytest

from lab.run import leader_of

pytestmark = pytest.mark.requires("root")


@pytest.mark.parametrize("code", [0, 1, 2, 7, 77, 126, 127, 128, 132, 134, 137, 200, 254, 255])
def test_the_exit_code_of_the_payload_is_ours(tree, do, code):
    result = do(tree(), "exit", code)
    assert result.code == code, result
    assert result.out == b""


def test_every_exit_code_passes_through(tree, run):
    """All 256 in one go: 133 alone is taken, it is what asks a service manager for a restart."""
    root = tree()
    wrong = {code: got for code in range(256)
             if (got := run("-q", "-D", root, "/payload", "exit", code).code) != (1 if code == 133 else code)}
    assert wrong == {}


@pytest.mark.parametrize("signo", ["SEGV", "ILL"])
def test_a_death_by_signal_exits_1_and_names_the_signal(tree, do, signo):
    result = do(tree(), "kill-self", int(getattr(signal, "SIG" + signo)))
    assert result.code == 1, result
    assert signo in result.complaint and len(result.complaint.strip().splitlines()) == 1


def test_a_death_by_signal_under_the_stub_exits_255(tree, do):
    assert do(tree(), "kill-self", int(signal.SIGTERM), options=["--as-pid2"]).code == 255


def test_killed_from_outside_by_signal_exits_1(tree, Running):
    with Running("-q", "-D", tree(), "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        os.kill(leader_of(machine.pid), signal.SIGKILL)
        result = machine.wait()
    assert result.code == 1
    assert "KILL" in result.complaint


def test_a_missing_program_is_named(tree, run):
    result = run("-q", "-D", tree(), "/no/such-program")
    assert result.code == 1, result
    assert "/no/such-program" in result.complaint
    assert "too early" not in result.complaint


def test_a_program_that_is_not_executable_is_named(tree, run):
    result = run("-q", "-D", tree({"bin/plain": "text\n"}), "/bin/plain")
    assert result.code == 1, result
    assert "/bin/plain" in result.complaint


def test_the_program_is_searched_in_the_path(tree, run, payload):
    root = tree({"usr/bin/answer!": payload, "opt/other!": payload})
    assert run("-q", "-D", root, "answer", "exit", "5").code == 5
    assert run("-q", "-D", root, "--setenv=PATH=/opt", "other", "exit", "6").code == 6
    assert run("-q", "-D", root, "--setenv=PATH=/opt", "answer", "exit", "6").code == 1


def test_options_end_at_the_first_word_and_at_two_dashes(tree, run):
    root = tree()
    assert run("-q", "-P", "-D", root, "/payload", "echo", "-q", "--help").text == "-q --help\n"
    assert run("-qPD", root, "--", "/payload", "echo", "--", "-b").text == "-- -b\n"
