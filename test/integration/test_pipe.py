# SPDX-License-Identifier: LGPL-2.1-or-later
"""Without a terminal: what goes through the pipes and what does not."""
import hashlib
import os
import subprocess

import pytest

from lab.run import environment, program

pytestmark = pytest.mark.requires("root")

MEBIBYTE = 1 << 20


def pattern(count):
    """The bytes that "payload pour COUNT" writes."""
    state, out = 1, bytearray()
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        out.append(state >> 24)
    return bytes(out)


def test_stdout_and_stderr_stay_apart(tree, do):
    result = do(tree(), "split")
    assert (result.out, result.err) == (b"to stdout\n", b"to stderr\n")


def test_the_descriptors_are_the_callers_own(tree, do):
    fds = do(tree(), "fds").json["fds"]
    assert sorted(fds) == ["0", "1", "2"] and all(target.startswith("pipe:") for target in fds.values())


def test_no_byte_is_changed_on_the_way_out(tree, do):
    assert do(tree(), "pour", 300000).out == pattern(300000)


def test_all_bytes_go_through_both_ways(tree, do):
    data = bytes(range(256)) * 400
    assert do(tree(), "cat", stdin=data).out == data


@pytest.mark.parametrize("option", ["--console=pipe", "--pipe", "-P", "--console=autopipe"])
def test_64_mebibytes_arrive_bit_for_bit(tree, option):
    """Random data through the machine and back, compared by its checksum."""
    words = [*program(), "-q", "-D", str(tree()), option, "/payload", "cat"]
    sent, got, size = hashlib.sha256(), hashlib.sha256(), 0
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    block = os.urandom(MEBIBYTE)
    writer = os.fork()
    if writer == 0:
        os.close(process.stdout.fileno())
        for _ in range(64):
            process.stdin.write(block)
        process.stdin.close()
        os._exit(0)
    process.stdin.close()
    for _ in range(64):
        sent.update(block)
    while chunk := os.read(process.stdout.fileno(), MEBIBYTE):
        got.update(chunk)
        size += len(chunk)
    process.stdout.close()
    os.waitpid(writer, 0)
    assert process.wait(timeout=30) == 0
    assert (size, got.digest()) == (64 * MEBIBYTE, sent.digest())


def test_end_of_file_is_delivered(tree, do):
    assert do(tree(), "cat", stdin=b"").code == 0


def test_a_reader_that_goes_away_ends_the_writer(tree):
    """As in "nspawn … | head": SIGPIPE does what it does everywhere."""
    words = [*program(), "-q", "-D", str(tree()), "-P", "/payload", "pour", str(1 << 30)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.read(1000)
    process.stdout.close()
    process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=20) != 0


def test_closed_descriptors_do_no_harm(tree):
    root = tree()
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        script = f'exec "$@" {closing}'
        words = ["sh", "-c", script, "x", *program(), "-q", "-P", "-D", str(root), "/payload", "exit", "7"]
        assert subprocess.run(words, env=environment(), timeout=20, check=False).returncode == 7, closing


def test_the_default_without_a_terminal_is_one_to_read_from(tree, run):
    """The command gets a terminal nevertheless: its output comes out, what we are given does not go in."""
    result = run("-q", "-D", tree(), "/payload", "split", stdin=b"ignored\n")
    assert result.out == b"to stdout\r\nto stderr\r\n" and result.err == b""
    tty = run("-q", "-D", tree(), "/payload", "tty").json["tty"]
    assert tty["isatty"] == [1, 1, 1] and tty["foreground"] == tty["group"] == 1 and tty["opens_tty"] == 0


def test_there_is_no_terminal_in_pipe_mode(tree, ask):
    tty = ask(tree(), "tty")["tty"]
    assert tty["isatty"] == [0, 0, 0] and tty["opens_tty"] != 0


def test_everything_is_drained_before_the_end(tree, run):
    """What was written just before the exit is not lost, however much it was."""
    result = run("-q", "-D", tree(), "/payload", "pour", 200000)
    assert len(result.out.replace(b"\r\n", b"\n")) == 200000


def test_passive_shows_nothing(tree, run):
    assert run("-q", "--console=passive", "-D", tree(), "/payload", "echo", "x").out == b""


@pytest.mark.parametrize("junk", ["", "pipes", "x"])
def test_unknown_consoles_are_refused(tree, run, junk):
    result = run("-q", f"--console={junk}", "-D", tree(), "/payload", "exit", "0")
    assert result.code == 1 and result.complaint


def test_the_consoles_can_be_listed(run):
    result = run("--console=help")
    assert result.code == 0
    for word in ("interactive", "read-only", "passive", "pipe", "autopipe"):
        assert word in result.text
