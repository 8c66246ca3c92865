# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals, power off and reboot, readiness, passed sockets."""
import os
import re
import signal
import socket
import time

import pytest

from lab.notify import Manager
from lab.run import leader_of, program

pytestmark = pytest.mark.requires("root")


def waiting(Running, tree, *options, code="7"):
    return Running("-P", "-D", tree(), *options, "/payload", "wait-signal", code)


def test_sigterm_ends_a_command_at_once(tree, Running):
    with waiting(Running, tree) as machine:
        machine.expect("waiting")
        before = time.monotonic()
        result = machine.stop()
    assert time.monotonic() - before < 3 and b"signal" not in result.out


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name, number", [("SIGUSR2", 12), ("HUP", 1), ("SIGRTMIN+3", 37), ("15", 15), ("RTMIN+4", 38)])
def test_the_kill_signal_is_sent_first(tree, Running, signo, name, number):
    with waiting(Running, tree, f"--kill-signal={name}") as machine:
        machine.expect("waiting")
        machine.signal(signo)
        result = machine.wait()
    assert f"signal {number}\n".encode() in result.out and result.code == 7


def test_boot_sends_what_systemd_understands(tree, Running, payload):
    """SIGRTMIN+3 halts and SIGRTMIN+4 powers off, which is the same for a machine."""
    root = tree({"usr/lib/systemd/systemd!": payload})
    with Running("-P", "-D", root, "--boot", "wait-signal", "7") as machine:
        machine.expect("waiting")
        assert re.search(rb"signal 3[78]\n", machine.stop().out)


def test_a_second_signal_ends_it_at_once(tree, Running):
    with Running("-P", "-D", tree(), "--kill-signal=SIGUSR1", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        machine.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert machine.process.poll() is None
        before = time.monotonic()
        machine.stop()
    assert time.monotonic() - before < 3


@pytest.mark.parametrize("junk", ["", "SIGNOSUCH", "0", "-1", "65", "999", "SIGRTMIN+40", "SIGRTMIN+", "TERM "])
def test_signals_that_are_none_are_refused(tree, run, junk):
    assert run("-q", "-D", tree(), f"--kill-signal={junk}", "/payload", "exit", "0").code == 1


def test_signals_can_be_listed(run):
    result = run("--kill-signal=help")
    assert result.code == 0 and "SIGTERM" in result.text and "SIGRTMIN" in result.text


def test_a_power_off_inside_ends_with_0(tree, do):
    assert do(tree(), "reboot", "off").code == 0


@pytest.mark.parametrize("options", [[], ["-a"]])
def test_a_reboot_inside_starts_it_again(tree, run, options):
    root = tree(kind="busybox")
    script = "echo start; [ -e /var/second ] && exit 5; touch /var/second; /payload reboot restart; sleep 5"
    result = run("-P", "-D", root, *options, "/bin/sh", "-c", script)
    assert result.text.count("start\n") == 2 and result.code == 5, result


def test_many_reboots_leave_nothing(tree, run):
    root = tree(kind="busybox")
    script = "echo x >>/var/count; [ $(wc -l </var/count) -ge 20 ] && exit 9; /payload reboot restart"
    assert run("-P", "-D", root, "/bin/sh", "-c", script).code == 9
    assert (root / "var/count").read_text() == "x\n" * 20


def test_with_keep_unit_a_reboot_is_the_managers_business(tree, do):
    assert do(tree(), "reboot", "restart", options=["--keep-unit"]).code == 133


def test_the_terminal_stays_through_a_reboot(tree, Terminal):
    root = tree(kind="busybox")
    with Terminal("-q", "-D", root, "/bin/sh") as screen:
        screen.expect("# ")
        screen.line("/payload reboot restart")
        screen.expect("# ")
        screen.line("exit 6")
        assert screen.wait() == 6 and screen.is_restored()


def test_busybox_boots_and_powers_off(tree, Terminal):
    with Terminal("-q", "-D", tree(kind="busybox"), "--boot") as screen:
        screen.expect("login: ")
        screen.line("root")
        screen.expect("# ")
        screen.line("poweroff")
        assert screen.wait(timeout=40) == 0 and screen.is_restored()


def test_busybox_boots_and_reboots(tree, Terminal):
    with Terminal("-q", "-D", tree(kind="busybox"), "--boot") as screen:
        screen.expect("login: ")
        screen.line("root")
        screen.expect("# ")
        screen.line("reboot")
        screen.expect("login: ", timeout=40)
        screen.line("root")
        screen.expect("# ")
        screen.line("halt")
        assert screen.wait(timeout=40) == 0


@pytest.mark.parametrize("how", ["signal", "hotkey"])
def test_busybox_is_asked_in_its_own_way(tree, Terminal, how):
    """busybox's init does not know systemd's signals: it powers off on SIGUSR2."""
    with Terminal("-q", "-D", tree(kind="busybox"), "--boot") as screen:
        screen.expect("login: ")
        if how == "signal":
            screen.signal(signal.SIGTERM)
        else:
            screen.send(b"\x1d\x1dp")
        assert screen.wait(timeout=40) == 0
        assert "going down" in screen.text or "poweroff" in screen.text.lower() or "power" in screen.text.lower()


def test_the_hotkey_reboots_busybox(tree, Terminal):
    with Terminal("-q", "-D", tree(kind="busybox"), "--boot") as screen:
        screen.expect("login: ")
        screen.send(b"\x1d\x1dr")
        screen.expect("login: ", timeout=40)
        screen.signal(signal.SIGTERM)
        assert screen.wait(timeout=40) == 0


def test_the_manager_is_told(tree, Running, tmp_path):
    with Manager(tmp_path) as manager:
        with Running("-P", "-D", tree(), "/payload", "wait-signal", env={"NOTIFY_SOCKET": manager.path}) as machine:
            machine.expect("waiting")
            lines = manager.hear("READY=1")
            leader = leader_of(machine.pid)
            assert f"X_NSPAWN_LEADER_PID={leader}" in lines
            assert any(line.startswith("STATUS=") for line in lines)
            machine.stop()
            manager.hear("STOPPING=1")


def test_readiness_waits_for_the_guest_on_request(tree, Running, tmp_path):
    root = tree(kind="busybox")
    with Manager(tmp_path) as manager:
        script = "echo up; read x; NOTIFY_THEN_SLEEP=1 exec /payload notify READY=1 STATUS=working"
        with Running("-P", "--notify-ready=yes", "-D", root, "/bin/sh", "-c", script,
                     env={"NOTIFY_SOCKET": manager.path}) as machine:
            machine.expect("up")
            assert "READY=1" not in manager.hear()
            os.write(machine.process.stdin.fileno(), b"\n")
            manager.hear("READY=1")
            manager.hear("STATUS=Container running: working")


def test_readiness_of_a_payload_under_the_stub(tree, Running, tmp_path):
    with Manager(tmp_path) as manager:
        with Running("-P", "--notify-ready=yes", "-a", "-D", tree(), "-E", "NOTIFY_THEN_SLEEP=1", "/payload", "notify", "READY=1",
                     env={"NOTIFY_SOCKET": manager.path}) as machine:
            machine.expect("sent")
            manager.hear("READY=1")


def test_others_inside_are_not_believed(tree, Running, tmp_path):
    """Only PID 1 speaks for the machine."""
    root = tree(kind="busybox")
    with Manager(tmp_path) as manager:
        with Running("-P", "--notify-ready=yes", "-D", root, "/bin/sh", "-c", "/payload notify READY=1 STATUS=x; sleep 1; true",
                     env={"NOTIFY_SOCKET": manager.path}) as machine:
            machine.expect("sent")
            lines = manager.hear()
            assert "READY=1" not in lines and "STATUS=Container running: x" not in lines
            machine.wait()


def test_odd_messages_do_no_harm(tree, Running, tmp_path):
    with Manager(tmp_path) as manager:
        with Running("-P", "--notify-ready=yes", "-D", tree(), "-E", "NOTIFY_THEN_SLEEP=1", "/payload", "notify", "x" * 3000,
                     "STATUS=a\x1b[31mb", "MAINPID=1\nFDSTORE=1\nREADY=1", "=", "\n\n\n",
                     env={"NOTIFY_SOCKET": manager.path}) as machine:
            machine.expect("sent")
            lines = manager.hear("READY=1")
            assert not [line for line in lines if line.startswith(("MAINPID=1", "FDSTORE")) or "\x1b" in line]
            assert machine.wait().code == 0


def test_the_callers_manager_does_not_reach_inside(tree, do, tmp_path):
    with Manager(tmp_path) as manager:
        env = do(tree(), "env", env={"NOTIFY_SOCKET": manager.path}).json["env"]
    assert "NOTIFY_SOCKET=/run/host/notify" in env


@pytest.mark.parametrize("options, pid", [([], 1), (["-a"], 2)])
def test_passed_sockets_arrive(tree, Running, tmp_path, options, pid):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        number = server.fileno()
        script = f'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@" 3<&{number}' + ("" if number == 3 else f" {number}<&-")
        with Running("-q", "-P", "-D", tree(), *options, "/payload", "greet", fds=(number,),
                     command=["bash", "-c", script, "x", *program()]) as machine:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(str(tmp_path / "socket"))
                said = client.recv(1000).decode()
            machine.wait()
    assert said == f"hello pid={pid} LISTEN_PID={pid} LISTEN_FDS=1\n"


def test_sockets_for_another_process_are_not_taken(tree, run):
    env = run("-q", "-P", "-D", tree(), "/payload", "env", env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}).json["env"]
    assert not [line for line in env if line.startswith("LISTEN_")]
