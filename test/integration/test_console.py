# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real terminal: raw mode and its end, keys, sizes, hotkeys, job control, every mix of terminal and pipe."""
import os
import signal
import time

import pytest

from lab.run import leader_of

pytestmark = pytest.mark.requires("root")

HOTKEY = b"\x1d"


def shell(Terminal, tree, *options, script=None, **more):
    words = ["/bin/sh"] if script is None else ["/bin/sh", "-c", script]
    return Terminal("-q", "-D", tree(kind="busybox"), *options, *words, **more)


def test_what_is_typed_is_heard_and_what_is_said_is_seen(tree, Terminal):
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        screen.line("echo $((40 + 2)); tty")
        screen.expect(r"42\r+\n/dev/(console|pts/0)\r+\n")
        screen.line("exit 5")
        assert screen.wait() == 5
        assert screen.is_restored()


def test_the_machine_has_a_terminal_of_its_own(tree, Terminal):
    """Never the caller's: the machine's is another device, in a session of its own."""
    with Terminal("-q", "-D", tree(), "/payload", "tty", "fds") as screen:
        assert screen.wait() == 0
        assert '"isatty": [1, 1, 1]' in screen.text and '"opens_tty": 0' in screen.text
        assert f"/dev/pts/{os.ttyname(screen.slave).rpartition('/')[2]}\"" not in screen.text or "pts/0" in screen.text


def test_raw_mode_is_on_while_it_runs_and_gone_after(tree, Terminal):
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        assert not screen.is_restored()
        screen.line("exit")
        assert screen.wait() == 0
        assert screen.is_restored()


@pytest.mark.parametrize("how", ["payload", "machine", "term", "missing"])
def test_the_terminal_is_restored_however_it_ends(tree, Terminal, how):
    if how == "missing":
        with Terminal("-q", "-D", tree(), "/no/such/program") as screen:
            assert screen.wait() == 1
            assert screen.is_restored()
        return
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        if how == "payload":
            os.kill(leader_of(screen.pid), signal.SIGKILL)
        elif how == "machine":
            screen.send(HOTKEY * 3)
        else:
            screen.signal(signal.SIGTERM)
        screen.wait()
        assert screen.is_restored()


def test_interrupts_go_to_the_machine(tree, Terminal):
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        screen.line("sleep 100")
        time.sleep(0.3)
        screen.send(b"\x03")
        screen.expect("# ")
        screen.line("echo still here; exit 3")
        assert screen.wait() == 3


def test_job_control(tree, Terminal):
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        screen.line("sleep 100")
        time.sleep(0.3)
        screen.send(b"\x1a")
        screen.expect("Stopped")
        screen.line("fg")
        time.sleep(0.3)
        screen.send(b"\x03")
        screen.expect("# ")
        screen.line("exit 4")
        assert screen.wait() == 4


def test_the_size_is_passed_on(tree, Terminal):
    with Terminal("-q", "-D", tree(), "/payload", "wait-winch", rows=33, columns=99) as screen:
        screen.expect("size 33x99")
        screen.resize(44, 111)
        screen.expect("now 44x111")
        assert screen.wait() == 0


def test_three_hotkeys_end_it_at_once(tree, Terminal):
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        before = time.monotonic()
        screen.send(HOTKEY * 3)
        code = screen.wait(timeout=5)
        assert time.monotonic() - before < 3 and code in (0, 1)


def test_hotkeys_that_come_slowly_are_only_keys(tree, Terminal):
    with shell(Terminal, tree, script="stty raw -echo; dd bs=1 count=3 2>/dev/null | od -An -tx1; stty sane; exit 6") as screen:
        time.sleep(0.3)
        for _ in range(3):
            screen.send(HOTKEY)
            time.sleep(0.6)
        screen.expect("1d 1d 1d")
        assert screen.wait() == 6


@pytest.mark.parametrize("letter, word", [("p", 38), ("r", 39)])
def test_hotkeys_ask_for_power_off_and_reboot(tree, Terminal, letter, word):
    """An unknown init gets what systemd understands: SIGRTMIN+4 and SIGRTMIN+5."""
    with Terminal("-q", "-D", tree(), "/payload", "wait-signal", "7") as screen:
        screen.expect("waiting")
        screen.send(HOTKEY * 2 + letter.encode())
        screen.expect(f"signal {word}")
        assert screen.wait() == 7


def test_an_unknown_hotkey_is_told_and_does_nothing(tree, Terminal):
    with Terminal("-D", tree(kind="busybox"), "/bin/sh") as screen:
        screen.expect("# ")
        screen.send(HOTKEY * 2 + b"x")
        screen.expect("(?i)unknown|hotkey")
        screen.line("\x15exit 8")
        assert screen.wait() == 8


def test_read_only_shows_and_does_not_listen(tree, Terminal):
    script = "echo shown; read -t 1 x || echo nothing heard"
    with shell(Terminal, tree, "--console=read-only", script=script) as screen:
        screen.expect("shown")
        screen.line("typed")
        screen.expect("nothing heard")
        screen.wait()
        assert screen.is_restored()


def test_pipe_on_a_terminal_hands_nothing_over(tree, Terminal):
    """--pipe on a terminal is allowed; autopipe takes the terminal for interactive use."""
    with Terminal("-q", "-D", tree(), "--console=autopipe", "/payload", "tty") as screen:
        assert screen.wait() == 0
        assert '"isatty": [1, 1, 1]' in screen.text and '"foreground": 1' in screen.text


@pytest.mark.parametrize("stdin", ["tty", "pipe"])
@pytest.mark.parametrize("stdout", ["tty", "pipe"])
@pytest.mark.parametrize("stderr", ["tty", "pipe"])
def test_every_mix_of_terminal_and_pipe(tree, Terminal, stdin, stdout, stderr):
    """The default: interactive if input and output are both terminals, else output only; errors of ours on stderr."""
    with Terminal("-q", "-D", tree(), "/payload", "tty", stdin=stdin, stdout=stdout, stderr=stderr) as screen:
        out, _ = screen.process.communicate(timeout=20) if "pipe" in (stdin, stdout, stderr) else (None, None)
        assert screen.wait() == 0
        shown = screen.text if stdout == "tty" else out.decode()
        assert '"isatty": [1, 1, 1]' in shown
        assert screen.is_restored()


@pytest.mark.parametrize("stdin", ["tty", "pipe"])
@pytest.mark.parametrize("stdout", ["tty", "pipe"])
def test_every_mix_with_autopipe(tree, Terminal, stdin, stdout):
    with Terminal("-q", "-D", tree(), "--console=autopipe", "/payload", "tty", stdin=stdin, stdout=stdout) as screen:
        out, _ = screen.process.communicate(timeout=20) if "pipe" in (stdin, stdout) else (None, None)
        assert screen.wait() == 0
        shown = screen.text if stdout == "tty" else out.decode()
        both = stdin == stdout == "tty"
        assert ('"isatty": [1, 1, 1]' in shown) == both


def test_no_tint_and_no_title_unless_asked(tree, Terminal):
    for env in ({"TERM": "xterm-256color"}, {"TERM": "dumb"}, {"TERM": "xterm-256color", "NO_COLOR": "1"}):
        with Terminal("-q", "-D", tree(), "/payload", "echo", "plain", env=env) as screen:
            assert screen.wait() == 0
            assert b"\x1b[4" not in screen.seen and screen.text.strip() == "plain", env


def test_a_stopped_supervisor_goes_on(tree, Terminal):
    """SIGTSTP and SIGCONT to nspawn itself: it comes back with the terminal as it had it."""
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        screen.signal(signal.SIGSTOP)
        time.sleep(0.2)
        screen.signal(signal.SIGCONT)
        screen.line("echo back; exit 2")
        screen.expect("back")
        assert screen.wait() == 2


def test_a_terminal_that_goes_away_ends_it(tree, Terminal):
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        screen.signal(signal.SIGHUP)
        screen.wait(timeout=10)


def test_the_end_of_standard_input_makes_it_read_only(tree, Terminal):
    with Terminal("-q", "-D", tree(), "--console=interactive", "/payload", "echo", "said", stdin="null") as screen:
        assert screen.wait() == 0
        assert "said" in screen.text


def test_a_vhangup_of_the_console_does_not_end_it(tree, Terminal):
    """An init that hangs up its console and opens it again stays connected."""
    script = "trap '' HUP; (sleep 0.3; exec </dev/console >/dev/console; echo after) & exec </dev/null >/dev/null 2>&1; wait"
    with shell(Terminal, tree, script=script) as screen:
        screen.expect("after")
        screen.wait()


def test_large_output_arrives_whole(tree, Terminal):
    with shell(Terminal, tree, script="i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i + 1)); done") as screen:
        assert screen.wait(timeout=60) == 0
        lines = screen.text.split("\n")
        assert lines[:2] == ["line 0", "line 1"] and lines[19999] == "line 19999"
