# SPDX-License-Identifier: LGPL-2.1-or-later
"""--ready: when a machine is ready, who hears of it, and for how long that may take. What is told while it stops."""
import os
import pathlib
import signal
import socket
import time

import pytest

from lab import door
from lab.notify import Manager

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def start(tree, Running, tmp_path):
    """A machine whose first program is a shell script, and the manager that it is started by."""
    started = []

    def begin(script, *options, words=()):
        root = tree(kind="busybox")
        folder = tmp_path / str(len(started))
        folder.mkdir()
        manager = Manager(folder)
        running = Running("-q", "-D", root, "-M", root.name, *options, *(words or ("/bin/sh", "-c", script)),
                          env={"NOTIFY_SOCKET": manager.path}, stdin=None)
        running.name, running.root, running.manager = root.name, pathlib.Path(root), manager
        started.append(running)
        return running

    yield begin
    for running in started:
        running.__exit__()
        running.manager.__exit__()


def is_ready(running):
    """What both of them say, who have to agree."""
    told = "READY=1" in running.manager.hear()
    assert door.await_state(running.name)["is_ready"] == told
    return told


def test_a_command_inside_tells(start, run):
    running = start("sleep 1.5; echo x >/tmp/up; sleep 60", "--ready=exec:test -e /tmp/up")
    running.manager.hear("STATUS=Container started.")
    assert not is_ready(running)
    assert run("wait", running.name, "--ready").code == 0
    assert door.state(running.name)["is_ready"]
    running.manager.hear("READY=1", timeout=1)
    count = running.manager.lines.count("READY=1")
    time.sleep(1.2)
    assert is_ready(running) and running.manager.lines.count("READY=1") == count == 1


def test_a_command_has_the_machines_rights_and_nothing_of_ours(start):
    look = "ls -l /proc/self/fd >/root/fds; cat /proc/self/cgroup >/root/group; grep Cap /proc/self/status >/root/caps; id -u >/root/id; test $container"
    running = start("grep Cap /proc/self/status >/root/first; sleep 60", f"--ready=exec:{look}", "--capability=CAP_NET_ADMIN")
    running.manager.hear("READY=1")
    place = running.root / "root"
    fds = [line.rsplit(" -> ")[1] for line in (place / "fds").read_text().splitlines() if " -> " in line]
    assert [fd.partition("[")[0] for fd in fds] == ["pipe:", "/root/fds", "pipe:"], fds
    assert "CapBnd" in (place / "caps").read_text() and (place / "caps").read_text() == (place / "first").read_text()
    assert (place / "id").read_text() == "0\n"


def test_a_command_that_hangs_is_killed_and_tried_again(start):
    running = start("sleep 60", "--ready=exec:trap '' TERM; test -e /tmp/again && exit 0; : >/tmp/again; sleep 77 & wait; sleep 78")
    before = time.monotonic()
    running.manager.hear("READY=1", timeout=15)
    assert 5 < time.monotonic() - before < 14
    assert b"sleep\x0078" not in b"".join(commands())


def commands():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                yield pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                pass


@pytest.mark.parametrize("command", ["yes | head -c 3000000; exit 0", "cat; exit 0", "exec </dev/null >/dev/null; sleep 0.1"])
def test_a_command_may_read_and_write_what_it_likes(start, command):
    start("sleep 60", f"--ready=exec:{command}").manager.hear("READY=1", timeout=4)


def test_a_port_of_the_machines_network_answers(start, run):
    with socket.create_server(("127.0.0.1", 0)) as host:
        port = host.getsockname()[1]
        running = start(f"sleep 1.5; nc -ll -p {port} -e true", "--private-network", f"--ready=port:{port}")
        running.manager.hear("STATUS=Container started.")
        time.sleep(0.5)
        assert not is_ready(running), "the host's port is none of the machine's"
        running.manager.hear("READY=1", timeout=5)
    assert run("wait", running.name, "--ready").code == 0


def test_a_port_by_the_later_protocol_answers_too(start):
    if not os.path.exists("/proc/sys/net/ipv6"):
        pytest.skip("no IPv6 here")
    start("httpd -f -p [::1]:7 -h /tmp", "--private-network", "--ready=port:7").manager.hear("READY=1", timeout=5)


def test_nobody_is_left_when_it_ends_before(start, run):
    for option in ("--ready=port:9", "--ready=exec:sleep 79"):
        running = start("sleep 0.7; exit 3", "--private-network", option)
        door.await_state(running.name)
        assert run("wait", running.name, "--ready").code == 1
        assert running.wait().code == 3
        assert "READY=1" not in running.manager.hear()
    assert b"sleep\x0079" not in b"".join(commands())


@pytest.mark.parametrize("options, by_guest", [
    (["--ready=guest"], True), (["--notify-ready=yes"], True), (["--ready=spawned"], False), (["--notify-ready=no"], False), ([], False),
    (["--notify-ready=yes", "--ready=spawned"], False), (["--ready=port:1", "--notify-ready=yes"], True)])
def test_who_says_it_last_counts(start, options, by_guest):
    script = "echo up; while ! test -e /tmp/go; do sleep 0.1; done; NOTIFY_THEN_SLEEP=60 exec /payload notify READY=1"
    running = start(script, *options)
    running.expect("up")
    assert is_ready(running) == (not by_guest)
    (running.root / "tmp").is_dir()
    if by_guest:
        running.collect(0)
        os.close(os.open(f"/proc/{door.state(running.name)['leader']}/root/tmp/go", os.O_CREAT | os.O_WRONLY))
        running.manager.hear("READY=1")
        assert is_ready(running)


def test_a_file_says_it_too(start, tmp_path, run, tree):
    root = tree(kind="busybox")
    pathlib.Path(f"{root}.nspawn").write_text("[Exec]\nNotifyReady=yes\nReady=port:80\n")
    try:
        assert "when TCP port 80 answers inside" in run("-D", root, "--settings=yes", "--dry-run", "/bin/true").text
        assert "when 'true' succeeds inside" in run("-D", root, "--ready=exec:true", "--dry-run", "/bin/true").text
        assert "when process 1 says so" in run("-D", root, "--notify-ready=yes", "--dry-run", "/bin/true").text
    finally:
        os.unlink(f"{root}.nspawn")


def test_patience_is_asked_for_only_while_something_happens(start):
    """Of a manager, and only until the machine is ready."""
    idle = start("sleep 60", "--ready=exec:false")
    busy = start("while :; do :; done", "--ready=guest")
    talking = start("while :; do echo x; sleep 1; done", "--ready=port:9", "--private-network", "--console=read-only")
    ready = start("while :; do echo x; sleep 1; done", "--ready=spawned")
    busy.manager.hear("EXTEND_TIMEOUT_USEC=.*", timeout=8)
    talking.manager.hear("EXTEND_TIMEOUT_USEC=.*", timeout=8)
    for running in (idle, ready):
        assert not [line for line in running.manager.hear() if line.startswith("EXTEND")]


def test_what_still_runs_is_told(start):
    """Names are the machine's: they are escaped. Asking again kills it."""
    script = "cd /tmp; ln -s /bin/busybox sleep; printf '#!/bin/sh\\n/tmp/sleep 60; :\\n' >\"$(printf 'a\\033[31m')\"; chmod +x a*; ./a* & echo up; trap '' USR1; while :; do wait; done"
    running = start(script, "--kill-signal=SIGUSR1")
    running.expect("up")
    time.sleep(0.3)
    running.signal(signal.SIGTERM)
    running.expect("killing it in 8")
    said = bytes(running.err).decode()
    assert "is still stopping" in said and "sleep" in said and r"a\x1b[31m" in said and "\x1b" not in said
    running.manager.hear(r"STATUS=Stopping: .*sleep.* still running, killing it in 8\d s\.")
    assert said.count("is still stopping") == 1 and running.process.poll() is None
    running.stop(timeout=5)


def test_who_stops_quickly_is_not_told_of(start):
    running = start("trap 'exit 5' USR1; echo up; while :; do sleep 0.1; done", "--kill-signal=SIGUSR1")
    running.expect("up")
    result = running.stop()
    assert result.code == 5 and "still" not in result.complaint
