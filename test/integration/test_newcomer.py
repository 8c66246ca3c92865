# SPDX-License-Identifier: LGPL-2.1-or-later
"""What somebody does in the first hour: slips, wrong guesses, and whether the sentence that follows says what to do."""
import os
import subprocess

import pytest

from lab.run import environment, program

pytestmark = pytest.mark.requires("root")

DEAF = "Standard input is not passed on"


@pytest.mark.parametrize("typed, meant", [
    ("--directroy=/x", "--directory"), ("--ephmeral", "--ephemeral"), ("--bnid=/x", "--bind"), ("--readonly", "--read-only"),
    ("--no-os-chekc", "--no-os-check")])
def test_a_slip_in_an_option_gets_the_right_one_back(run, typed, meant):
    result = run(typed)
    assert result.code == 1
    assert f"nspawn: unrecognized option '{typed.partition('=')[0]}'\n" in result.complaint
    assert f"Did you mean '{meant}'?" in result.complaint


@pytest.mark.parametrize("typed", ["--no-such-option", "--xyz", "--storage=1G", "--" + "x" * 500, "--privileged", "-y"])
def test_what_resembles_no_option_is_not_guessed(run, typed):
    complaint = run(typed).complaint
    assert "unrecognized option" in complaint and "Did you mean" not in complaint
    assert "\nnspawn: 'nspawn --help' lists the options\n" in complaint


def test_an_option_of_a_later_release_is_not_suggested(run):
    assert "Did you mean '--image'" not in run("--imgae=x").complaint


def test_without_any_name_the_current_directory_is_meant_and_said_to_be(run, tmp_path):
    assert "It is the current directory" in run("-q", cwd=tmp_path).complaint
    assert "It is the current directory" not in run("-q", "-D", tmp_path).complaint


@pytest.mark.parametrize("words, meant", [
    (["stats", "web"], "nspawn status"), (["powerof", "web"], "nspawn poweroff"), (["help"], "--help"), (["version"], "--version"),
    (["trees/one"], "--directory=trees/one")])
def test_a_word_without_a_tree_is_taken_for_what_it_resembles(run, tmp_path, words, meant):
    (tmp_path / "trees" / "one").mkdir(parents=True)
    for where in (tmp_path, "/"):
        if where == "/" and "trees" in words[0]:
            continue
        result = run("-q", *words, cwd=where)
        assert result.code == 1 and f"Did you mean '{meant}'?" in result.complaint


@pytest.mark.parametrize("words", [["-D", ".", "stats"], ["uname", "-a"], ["ls"], ["hostname"]])
def test_a_command_is_not_guessed_at(run, tmp_path, words):
    assert "Did you mean" not in run("-q", *words, cwd=tmp_path).complaint


def test_where_an_init_was_looked_for_is_said(run, tree):
    root = tree()
    assert not (root / "sbin" / "init").exists()
    for words in ([], ["--dry-run"]):
        result = run("-b", "-D", root, *words)
        assert result.code == 1 and "There is no init in the tree" in result.text + result.complaint
        said = " ".join((result.text + result.complaint).split())
        assert "Looked for /usr/lib/systemd/systemd, /lib/systemd/systemd and /sbin/init; without '--boot'" in said


def test_a_relative_destination_is_named_once(run, tree):
    complaint = run("-D", tree(), "--tmpfs=here").complaint
    assert "not 'here'" in complaint and complaint.count("'here'") == 1


def test_a_mount_option_of_other_programs_is_answered_with_ours(run, tree):
    complaint = run("-D", tree(), "--bind=/srv:/srv:ro").complaint
    assert "does not know the mount option 'ro'" in complaint and "'--bind-ro'" in complaint
    assert "Known mount options" in run("-D", tree(), "--bind=/srv:/srv:rw").complaint


def put(tree, name, content, mode=0o755):
    root = tree()
    (root / name).write_bytes(content)
    (root / name).chmod(mode)
    return root


@pytest.mark.parametrize("content, mode, advice", [
    (b"echo hi\n", 0o755, "a script has to begin with '#!'"),
    (b"", 0o755, "a script has to begin with '#!'"),
    (b"#!/bin/sh\n", 0o644, "It is not executable"),
    (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xfe\xca" + bytes(60), 0o755, "a program for another processor"),
])
def test_a_program_that_does_not_run_comes_with_the_reason(run, tree, content, mode, advice):
    result = run("-q", "-D", put(tree, "deed", content, mode), "/deed")
    assert result.code == 1 and "Cannot run '/deed'" in result.complaint and advice in result.complaint
    assert result.complaint.count("\n") == 2


def test_a_directory_is_no_program(run, tree):
    assert "nspawn: It is a directory\n" in run("-q", "-D", tree(), "/usr").complaint


def test_a_busy_tree_can_be_had_by_many_in_two_ways(run, tree, Running):
    root = tree()
    with Running("-q", "-P", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        complaint = run("-q", "-D", root, "-M", "another", "/payload", "ids").complaint
    assert "--read-only or --ephemeral" in complaint


def started_with(stdin, root, *options):
    process = subprocess.Popen([*program(), "-D", root, *options, "/payload", "exit", "0"], stdin=stdin, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    try:
        return process.communicate(timeout=20)[1].decode()
    finally:
        process.kill()


def test_who_pipes_into_a_machine_that_does_not_listen_is_told(tree, tmp_path):
    read, write = os.pipe()
    try:
        assert DEAF in started_with(read, tree())
        assert DEAF not in started_with(read, tree(), "-q")
        assert DEAF not in started_with(read, tree(), "--pipe")
        assert DEAF not in started_with(read, tree(), "--console=read-only")
    finally:
        os.close(read)
        os.close(write)
    file = tmp_path / "input"
    file.write_text("x\n")
    with file.open() as opened:
        assert DEAF in started_with(opened, tree())


def test_who_gives_nothing_to_read_is_not_told(tree, tmp_path):
    assert DEAF not in started_with(subprocess.DEVNULL, tree())
    read, write = os.pipe()
    os.close(write)
    assert DEAF not in started_with(read, tree())
    os.close(read)
    file = tmp_path / "empty"
    file.touch()
    with file.open() as opened:
        assert DEAF not in started_with(opened, tree())


@pytest.mark.parametrize("script, before", [
    ("printf 'login: '; sleep 60", "login: \n"),
    ("printf 'login: \\033[0m\\033[?2004h'; sleep 60", "login: \x1b[0m\x1b[?2004h\n"),
    ("echo over; sleep 60", "over\n"),
    ("printf 'over\\n\\033[?2004l\\r'; sleep 60", "over\n\x1b[?2004l"),
])
def test_a_sentence_begins_a_line_of_its_own(tree, Terminal, script, before):
    """After a prompt that nobody answered, too; and there is no empty line where a new one has begun."""
    with Terminal("-D", tree(kind="busybox"), "/bin/sh", "-c", f"stty -echo; {script}") as screen:
        screen.expect(r"2004[hl]" if "2004" in script else r"login: |over\r+\n")
        screen.send(b"\x1d\x1d\x1d")
        assert screen.wait() == 1
        assert before + "nspawn: Machine" in screen.text


@pytest.mark.parametrize("options", [[], ["-a"], ["--console=read-only"]])
def test_a_command_ends_when_nobody_reads_it(tree, options):
    """As in "nspawn … yes | head": a terminal whose reader is gone is hung up."""
    words = [*program(), "-q", "-D", str(tree()), *options, "/payload", "pour", str(1 << 30)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as ran:
        assert ran.stdout.read(1)
        ran.stdout.close()
        assert ran.wait(timeout=30) != 0
