# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real terminal: raw mode and its end, keys, sizes, hotkeys, job control, every mix of terminal and pipe."""
import os
import re
import signal
import termios
import time

import pytest

from lab import leaks
from lab.run import leader_of, program

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


COLOURFUL = {"TERM": "xterm-256color"}
BLUE = ("\x1b[48;2;0;0;80m", "--background=48;2;0;0;80")
BEGIN, END = BLUE[0] + "\x1b[J", "\x1b[0m\x1b[J"


def tinted(Terminal, tree, *words, env=COLOURFUL, options=(BLUE[1],), kind=None, **more):
    return Terminal("-q", "-D", tree(kind=kind), *options, *words, env=env, **more)


@pytest.mark.parametrize("env", [{"TERM": "xterm-256color"}, {"TERM": "dumb"}, {"TERM": "xterm-256color", "NO_COLOR": "1"},
                                 {"TERM": "xterm-256color", "SYSTEMD_TINT_BACKGROUND": "1", "SYSTEMD_ADJUST_TERMINAL_TITLE": "1"}], ids=str)
@pytest.mark.parametrize("options", [(), ("--background=",), (BLUE[1], "--background=")], ids=" ".join)
def test_no_tint_and_no_title_unless_asked(tree, Terminal, env, options):
    with tinted(Terminal, tree, "/payload", "echo", "plain", env=env, options=options) as screen:
        assert screen.wait() == 0
        assert bytes(screen.seen) == b"plain\r\n"


def test_the_tint_is_below_everything_and_goes(tree, Terminal):
    script = r"printf 'a\033[0mb\033[41mc\033[m\n'"
    with tinted(Terminal, tree, "/bin/sh", "-c", script, kind="busybox") as screen:
        assert screen.wait() == 0
        assert screen.seen.decode() == f"{BEGIN}a\x1b[0m{BLUE[0]}b\x1b[41mc\x1b[m{BLUE[0]}\r\n{END}"


@pytest.mark.parametrize("env, options, more", [
    ({"TERM": "dumb"}, (), {}), ({"TERM": None}, (), {}), ({"NO_COLOR": "1"}, (), {}), ({"SYSTEMD_COLORS": "no"}, (), {}),
    ({"SYSTEMD_TINT_BACKGROUND": "0"}, (), {}), ({}, ("--console=read-only",), {}), ({}, ("--pipe",), {}), ({}, (), {"stdin": "null"}),
], ids=str)
def test_the_tint_is_left_out_where_it_does_no_good(tree, Terminal, env, options, more):
    with tinted(Terminal, tree, "/payload", "echo", "plain", env={**COLOURFUL, **env}, options=(BLUE[1], *options), **more) as screen:
        assert screen.wait() == 0
        assert screen.text.strip() == "plain" and b"\x1b" not in screen.seen


def test_the_tint_stays_out_of_what_is_no_terminal(tree, Terminal):
    with tinted(Terminal, tree, "/payload", "echo", "plain", options=(BLUE[1], "--console=interactive"), stdout="pipe") as screen:
        assert screen.process.stdout.read() == b"plain\r\n" and screen.wait() == 0
        assert b"\x1b" not in screen.seen


@pytest.mark.parametrize("how", ["exit", "payload", "machine", "term", "hangup", "quit", "missing", "torn"])
def test_the_tint_goes_however_it_ends(tree, Terminal, how):
    if how == "missing":
        with tinted(Terminal, tree, "/no/such/program") as screen:
            assert screen.wait() == 1
            assert END in screen.text and BEGIN not in screen.text.rpartition(END)[2]
        return
    with tinted(Terminal, tree, "/bin/sh", kind="busybox") as screen:
        screen.expect("# ")
        if how == "payload":
            os.kill(leader_of(screen.pid), signal.SIGKILL)
        elif how == "machine":
            screen.send(HOTKEY * 3)
        elif how == "term":
            screen.signal(signal.SIGTERM)
        elif how == "hangup":
            screen.signal(signal.SIGHUP)
        elif how == "quit":
            screen.signal(signal.SIGQUIT)
        elif how == "torn":  # in the middle of a title: the end must not become part of it
            screen.line(r"printf '\033]0;half a title'; exit")
        else:
            screen.line("exit")
        screen.wait()
        shown = screen.text
        assert screen.is_restored() and shown.startswith(BEGIN) and shown.count(END) == 1
        assert BLUE[0] not in shown.partition(END)[2]
        if how == "torn":
            assert shown.endswith("half a title\x18\x1b\\" + END)


def test_a_flood_with_a_tint_arrives_whole(tree, Terminal):
    script = r"i=0; while [ $i -lt 5000 ]; do printf 'line %d\033[m\n' $i; i=$((i + 1)); done"
    with tinted(Terminal, tree, "/bin/sh", "-c", script, kind="busybox") as screen:
        assert screen.wait(timeout=60) == 0
        lines = "".join(f"line {i}\x1b[m{BLUE[0]}\r\n" for i in range(5000))
        assert screen.seen.decode() == BEGIN + lines + END


def nspawn_below(screen):
    """The process of nspawn that a shell on the screen runs."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for pid in leaks.descendants(screen.pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"--console=interactive" in file.read():
                        return pid
            except OSError:
                pass
        time.sleep(0.02)
    raise AssertionError("nspawn never came")


@pytest.mark.parametrize("options", [(), (BLUE[1],)], ids=["plain", "tinted"])
def test_suspending_gives_the_terminal_back_until_it_goes_on(tree, Terminal, options):
    """SIGTSTP to nspawn, as a shell with job control sees it: the terminal is the shell's, and with "fg" the machine's again."""
    shell_script = 'set -m; "$@"; echo "stopped: $?"; read answer; echo "answer: $answer"; fg >/dev/null; echo "over: $?"'
    command = ["/bin/sh", "-c", shell_script, "x", *program()]
    with Terminal("-q", "-D", tree(kind="busybox"), "--console=interactive", *options, "/bin/sh", env=COLOURFUL,
                  command=command) as screen:
        screen.expect("# ")
        assert not screen.is_restored()
        os.kill(nspawn_below(screen), signal.SIGTSTP)
        screen.expect("stopped: 1[0-9][0-9]")
        assert screen.is_restored()
        if options:
            assert END in screen.text
        screen.line("typed to the shell")
        screen.expect("answer: typed to the shell")
        time.sleep(0.3)
        assert not screen.is_restored()
        screen.line("echo again-$((1 + 1))")
        screen.expect("again-2")
        if options:
            assert BLUE[0] in screen.text.partition(END)[2]
        screen.line("exit 4")
        screen.expect("over: 4")
        assert screen.wait() == 0 and screen.is_restored()


def test_suspending_without_job_control_does_not_hang(tree, Terminal):
    """Where nobody could let it go on, the kernel does not stop it, and it keeps the terminal."""
    with shell(Terminal, tree) as screen:
        screen.expect("# ")
        screen.signal(signal.SIGTSTP)
        time.sleep(0.2)
        assert not screen.is_restored()
        screen.line("echo here-$((1 + 1)); exit 2")
        screen.expect("here-2")
        assert screen.wait() == 2 and screen.is_restored()


def test_what_is_pushed_into_its_terminal_stays_inside(tree, Terminal):
    """TIOCSTI: the machine may type to itself, where the kernel lets it, but never to the caller."""
    with Terminal("-q", "-D", tree(), "/payload", "tiocsti") as screen:
        screen.wait()
        os.set_blocking(screen.slave, False)
        modes = screen.attributes()
        modes[3] &= ~termios.ICANON
        termios.tcsetattr(screen.slave, termios.TCSANOW, modes)
        try:
            assert os.read(screen.slave, 100) == b""
        except BlockingIOError:
            pass


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


# --- The matrix: every console by every mix of terminals and pipes ---

# Tells on the side what its streams are (t: a terminal of the machine's own, p: a pipe), speaks on both outputs, and hears for $1 seconds.
PROBE = r"""
inside=
for fd in 0 1 2; do
	path=$(readlink /proc/$$/fd/$fd)
	if [ -t $fd ]; then path=foreign; fi
	if [ "$path" = foreign ] && [ "$(stat -L -c %d /proc/$$/fd/$fd)" = "$(stat -c %d /dev/pts)" ]; then path=t; fi
	case $path in pipe:*) path=p ;; esac
	inside=$inside$path
done
echo $inside >/inside
printf 'OUT\000\377\n'
printf 'ERR\000\377\n' >&2
mv /inside /report
timeout $1 cat >/heard && echo end >>/heard
exit 9
"""

# mode, the caller's streams (input, output, error; t: a terminal, p: a pipe), what the command has instead, where its output and
# its errors come out (screen, out, err: as they are; out+cr: with the carriage returns of a terminal), and what it hears: all
# there is and its end, the input without the end, or nothing ever. People rely on each line: none changes by accident.
MATRIX = """
default     ttt  ttt  screen  screen  all
default     ttp  ttt  screen  screen  all
default     tpt  ttt  out+cr  out+cr  nothing
default     tpp  ttt  out+cr  out+cr  nothing
default     ptt  ttt  screen  screen  nothing
default     ptp  ttt  screen  screen  nothing
default     ppt  ttt  out+cr  out+cr  nothing
default     ppp  ttt  out+cr  out+cr  nothing
interactive ttt  ttt  screen  screen  all
interactive ttp  ttt  screen  screen  all
interactive tpt  ttt  out+cr  out+cr  all
interactive tpp  ttt  out+cr  out+cr  all
interactive ptt  ttt  screen  screen  input
interactive ptp  ttt  screen  screen  input
interactive ppt  ttt  out+cr  out+cr  input
interactive ppp  ttt  out+cr  out+cr  input
read-only   ttt  ttt  screen  screen  nothing
read-only   ttp  ttt  screen  screen  nothing
read-only   tpt  ttt  out+cr  out+cr  nothing
read-only   tpp  ttt  out+cr  out+cr  nothing
read-only   ptt  ttt  screen  screen  nothing
read-only   ptp  ttt  screen  screen  nothing
read-only   ppt  ttt  out+cr  out+cr  nothing
read-only   ppp  ttt  out+cr  out+cr  nothing
passive     ttt  ttt  nowhere nowhere nothing
passive     ttp  ttt  nowhere nowhere nothing
passive     tpt  ttt  nowhere nowhere nothing
passive     tpp  ttt  nowhere nowhere nothing
passive     ptt  ttt  nowhere nowhere nothing
passive     ptp  ttt  nowhere nowhere nothing
passive     ppt  ttt  nowhere nowhere nothing
passive     ppp  ttt  nowhere nowhere nothing
pipe        ttt  ttt  screen  screen  all
pipe        ttp  ttp  screen  err     all
pipe        tpt  tpt  out     screen  all
pipe        tpp  tpp  out     err     all
pipe        ptt  ptt  screen  screen  all
pipe        ptp  ptp  screen  err     all
pipe        ppt  ppt  out     screen  all
pipe        ppp  ppp  out     err     all
autopipe    ttt  ttt  screen  screen  all
autopipe    ttp  ttt  screen  screen  all
autopipe    tpt  tpt  out     screen  all
autopipe    tpp  tpp  out     err     all
autopipe    ptt  ptt  screen  screen  all
autopipe    ptp  ptp  screen  err     all
autopipe    ppt  ppt  out     screen  all
autopipe    ppp  ppp  out     err     all
"""


def streams_of(word):
    return {"t": "tty", "p": "pipe"}[word]


def place_of(marker, shown):
    """Which of the three places a marker came out at, and whether it was changed on the way."""
    found = []
    for place, said in shown.items():
        if re.search(re.escape(marker) + b"\0\xff\r+\n", said):
            found.append(place if place == "screen" else place + "+cr")
        elif marker + b"\0\xff\n" in said:
            found.append(place)
        elif marker in said:
            found.append(place + "?")
    return ",".join(found) or "nowhere"


HEARD = {"": "nothing", "typed\n": "input", "typed\nend\n": "all"}


def observe(Terminal, root, mode, streams, patience):
    words = [] if mode == "default" else [f"--console={mode}"]
    choice = dict(zip(("stdin", "stdout", "stderr"), map(streams_of, streams)))
    with Terminal("-q", "-D", root, *words, "/bin/sh", "-c", PROBE, "probe", patience, **choice) as screen:
        pipes = {name: getattr(screen.process, name) for name in ("stdout", "stderr") if choice[name] == "pipe"}
        if streams[0] == "p":
            screen.process.stdin.write(b"typed\n")
            screen.process.stdin.close()
        else:
            deadline = time.monotonic() + 20
            while not (root / "report").exists() and time.monotonic() < deadline and screen.process.poll() is None:
                screen._read(0.01)
            screen.send(b"typed\n\x04")
        code = screen.wait()
        shown = {"screen": bytes(screen.seen), "out": b"", "err": b""}
        shown.update({name[3:]: stream.read() for name, stream in pipes.items()})
        assert code == 9 and screen.is_restored()
    inside = (root / "report").read_text().strip()
    heard = (root / "heard").read_text()
    return [inside, place_of(b"OUT", shown), place_of(b"ERR", shown), HEARD.get(heard, repr(heard))]


@pytest.mark.parametrize("mode", ["default", "interactive", "read-only", "passive", "pipe", "autopipe"])
def test_the_matrix(tree, Terminal, mode):
    root = tree(kind="busybox")
    lines = [line.split() for line in MATRIX.strip().splitlines() if line.startswith(mode + " ")]
    assert len(lines) == 8
    wrong = []
    for _, streams, *expected in lines:
        for name in ("report", "heard"):
            (root / name).unlink(missing_ok=True)
        seen = observe(Terminal, root, mode, streams, "20" if expected[3] == "all" else "0.3")
        if seen != expected:
            wrong.append(f"{mode} {streams} {' '.join(seen)}, not {' '.join(expected)}")
    assert not wrong, "\n".join(wrong)
