# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine's own door: who is let in, what is answered, and that nobody who misbehaves costs anybody else."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from lab import door
from lab.door import Door
from lab.run import program

pytestmark = pytest.mark.requires("root")

DETACH = b"\x1d\x1d\x1d"


@pytest.fixture
def machine(tree, Running):
    """Starts a machine; gives it with its name once others can find it."""
    started = []

    def start(*words, options=()):
        root = tree()
        running = Running("-q", "-D", root, "-M", root.name, *options, "/payload", *(words or ("wait-signal", "7")))
        started.append(running)
        if not words:
            running.expect("waiting")
        running.name = root.name
        door.await_state(root.name, lambda entry: entry["is_ready"])
        return running

    yield start
    for running in started:
        running.__exit__()


def private_dirty_kib(pid):
    return int(re.search(r"Private_Dirty:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text())[1])


def result_of(body):
    return door.texts(body), int.from_bytes(body[-4:], "little")


# --- What it answers ---


def test_busctl_introspects_and_calls(machine):
    if not shutil.which("busctl"):
        pytest.skip("no busctl")
    running = machine()
    address = f"--address=unix:path={door.directory(running.name)}/control"

    def busctl(*words):
        return subprocess.run(["busctl", address, *words], capture_output=True, text=True, timeout=20, check=False)

    where = ["org.nspawn.Machine", "/org/nspawn/Machine"]
    text = busctl("introspect", *where).stdout
    for word in ("PowerOff", "Reboot", "Terminate", "Kill", "OpenConsole", "GetState", "Wait", "Ready", "Leader", "GetAll"):
        assert re.search(rf"^\.{word} ", text, re.M), text
    assert "/org/nspawn/Machine" in busctl("tree", where[0]).stdout
    assert busctl("get-property", *where, where[0], "Supervisor").stdout == f"u {running.pid}\n"
    result = busctl("call", *where, where[0], "GetState")
    assert result.returncode == 0 and running.name in result.stdout
    result = busctl("call", *where, where[0], "Kill", "si", "everyone", "15")
    assert result.returncode == 1 and "'leader' or 'all'" in result.stderr
    result = busctl("call", *where, where[0], "Fly")
    assert result.returncode == 1 and "no such method" in result.stderr


def test_state_says_what_the_file_says(machine):
    running = machine()
    with Door(running.name) as client:
        kind, _, body = client.call("GetState")
    entry = door.state(running.name)
    assert kind == door.REPLY and json.loads(door.texts(body)) == entry
    assert entry["supervisor"] == running.pid and entry["filter"] == "default" and entry["start"] == "command"
    assert os.stat(door.directory(running.name) / "state.json").st_mode & 0o777 == 0o600
    assert any(text.startswith("container=") for text in entry["environment"])
    assert not any(text.startswith(("NOTIFY_SOCKET=", "TERM=")) for text in entry["environment"])


def test_a_filter_of_its_own_is_kept_beside(machine):
    name = machine(options=["--system-call-filter=~kexec_load"]).name
    assert door.state(name)["filter"] == "own"
    assert os.stat(door.directory(name) / "filter").st_size % 8 == 0


@pytest.mark.parametrize("method, code", [("PowerOff", 1), ("Terminate", 1)])
def test_a_command_is_ended(machine, method, code):
    running = machine("sleep", "100")
    with Door(running.name) as client:
        assert client.call(method)[0] == door.REPLY
    assert running.wait().code == code


def test_a_signal_goes_to_the_leader(machine):
    running = machine()
    with Door(running.name) as client:
        assert client.call("Kill", "si", "leader", 15)[0] == door.REPLY
        assert client.call("Kill", "si", "leader", 1000)[0] == door.ERROR
    assert running.wait().code == 7 and b"signal 15" in running.out


def test_a_boot_is_powered_off_and_asked_twice_is_not_killed(tree, Running, payload):
    root = tree({"usr/lib/": None, "sbin/init!": payload})
    with Running("-q", "-b", "-D", root, "-M", root.name, "--kill-signal=SIGUSR1", "wait-signal", "7") as running:
        running.expect("waiting")
        door.await_state(root.name)
        with Door(root.name) as client:
            client.send("PowerOff")
            client.send("PowerOff")
            assert client.receive()[0] == door.REPLY
        assert running.wait().code == 7


def test_wait_gives_readiness_and_the_status(machine, run):
    running = machine()
    with Door(running.name) as early, Door(running.name) as other:
        assert result_of(early.call("Wait", "s", "ready")[2]) == ("ready", 0)
        early.send("Wait", "s", "end")
        other.send("Wait", "s", "end")
        waiter = subprocess.Popen([*program(), "wait", running.name])
        time.sleep(0.2)
        assert waiter.poll() is None
        os.kill(door.state(running.name)["leader"], signal.SIGTERM)
        assert result_of(early.receive()[2]) == ("exited", 7) and result_of(other.receive()[2]) == ("exited", 7)
        assert waiter.wait(timeout=10) == 7
    assert "No machine named" in run("wait", running.name).complaint


def test_wait_ends_with_the_machines_status(machine, run):
    running = machine("sleep", "1")
    assert run("wait", running.name, "--ready", "--json").json == {"machine": running.name, "result": "ready", "status": 0}
    result = run("wait", running.name, "--json")
    assert result.code == running.wait().code and result.json == {"machine": running.name, "result": "exited", "status": result.code}


def test_a_stopped_supervisor_is_not_waited_for(machine, run):
    running = machine()
    running.signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        for verb in ("console", "wait"):
            result = run(verb, running.name)
            assert result.code == 1 and f"The supervisor of machine '{running.name}' is stopped" in result.complaint
        assert time.monotonic() - begin < 4
    finally:
        running.signal(signal.SIGCONT)


# --- Who and how many ---


def test_another_user_is_turned_away(machine):
    running = machine()
    path = door.directory(running.name) / "control"
    path.chmod(0o777)  # not even then
    code = ("import socket,sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
            "s.sendall(b'\\0AUTH EXTERNAL 30\\r\\n')\nsys.exit(0 if s.recv(100) == b'' else 7)")
    result = subprocess.run(["python3", "-c", code, path], user=65534, group=65534, extra_groups=[], check=False,
                            capture_output=True)
    assert result.returncode == 0 or b"ConnectionResetError" in result.stderr or b"BrokenPipe" in result.stderr, result
    with Door(running.name) as client:
        assert client.call("GetState")[0] == door.REPLY


GARBAGE = [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 70000, b"\0AUTH\r\n" * 50, b"\0" + b"A" * 4000,
           b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n" + b"\xff" * 64, b"\0AUTH EXTERNAL 30\r\nBEGIN\r\nl\1\0\1" + b"\xff" * 12,
           b"\0BEGIN\r\n" * 20, b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n" + door.message("GetState", serial=0)]


@pytest.mark.parametrize("bytes_", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_ends_the_connection_and_nothing_else(machine, bytes_):
    running = machine()
    with Door(running.name, is_known=False) as client:
        try:
            client.socket.sendall(bytes_)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert client.is_closed()
    with Door(running.name) as client:
        assert client.call("GetState")[0] == door.REPLY


def test_noise_after_each_byte_of_a_call(machine):
    running = machine()
    good = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n" + door.message("GetState")
    noise = random.Random(7)
    for cut in range(0, len(good), 5):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(door.directory(running.name) / "control"))
            try:
                client.sendall(good[:cut] + noise.randbytes(40))
            except (BrokenPipeError, ConnectionResetError):
                pass
    with Door(running.name) as client:
        assert client.call("GetState")[0] == door.REPLY


def test_fifty_at_once(machine):
    running = machine()
    failed = []

    def client():
        try:
            with Door(running.name) as mine:
                for _ in range(20):
                    assert mine.call("GetState")[0] == door.REPLY
        except (AssertionError, OSError) as error:
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not failed, failed


def test_the_silent_make_way_but_not_who_waits(machine):
    running = machine()
    with Door(running.name) as waiting:
        waiting.send("Wait", "s", "end")
        silent = []
        for _ in range(200):
            silent.append(Door(running.name, is_known=False))
        with Door(running.name) as client:
            assert client.call("GetState")[0] == door.REPLY
        assert len(os.listdir(f"/proc/{running.pid}/fd")) < 170
        os.kill(door.state(running.name)["leader"], signal.SIGTERM)
        assert result_of(waiting.receive()[2]) == ("exited", 7)
        for client in silent:
            client.socket.close()


def test_who_does_not_read_is_not_waited_for(machine):
    running = machine()
    with Door(running.name) as deaf:
        deaf.socket.settimeout(0.5)
        try:
            for _ in range(20000):
                deaf.send("Introspect", interface="org.freedesktop.DBus.Introspectable")
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        started = time.monotonic()
        with Door(running.name) as client:
            assert client.call("GetState")[0] == door.REPLY
        assert time.monotonic() - started < 5
        assert private_dirty_kib(running.pid) < 2048


def test_it_sleeps_and_is_small(machine):
    running = machine()
    with Door(running.name) as client:
        client.call("GetState")
        before = pathlib.Path(f"/proc/{running.pid}/status").read_text()
        time.sleep(1)
        after = pathlib.Path(f"/proc/{running.pid}/status").read_text()
    switches = [int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", text)[1]) for text in (before, after)]
    assert switches[1] - switches[0] <= 2
    assert private_dirty_kib(running.pid) < 500


# --- The console ---


def test_what_is_said_at_the_end_begins_a_line_of_its_own(machine, Terminal):
    running = machine("cat", options=["--console=read-only"])
    with Terminal("console", running.name) as screen:
        screen.expect("to detach")
        screen.send("half a line")
        screen.expect("half a line")
        screen.send(DETACH)
        assert screen.wait() == 0 and "\nnspawn: Detached from machine" in screen.text


def test_two_see_the_console_and_both_type(machine, Terminal):
    running = machine("cat", options=["--console=read-only"])
    with Terminal("console", running.name) as first, Terminal("console", running.name) as second:
        for screen in (first, second):
            screen.expect("to detach")
        first.line("from the first")
        second.expect("from the first")
        first.expect("from the first")
        second.line("from the second")
        first.expect("from the second")
        first.send(DETACH)
        assert first.wait() == 0 and "which goes on" in first.text and first.is_restored()
        second.line("still here")
        second.expect("still here")
        os.kill(door.state(running.name)["leader"], signal.SIGKILL)
        second.expect("has ended")
        assert second.wait() == 0 and second.is_restored()


def test_who_does_not_keep_up_is_dropped(tree, Running):
    """Four megabytes are twenty times what a socket keeps."""
    root, lines = tree(kind="busybox"), 250000
    script = f"while [ ! -e /go ]; do sleep 0.05; done; yes 0123456789abcdef | head -n {lines}; echo over; sleep 100"
    with Running("-q", "-D", root, "-M", root.name, "/bin/sh", "-c", script) as running:
        door.await_state(root.name, lambda entry: entry["is_ready"])
        with Door(root.name) as client:
            assert client.call("OpenConsole")[0] == door.REPLY and len(client.fds) == 1
            (root / "go").touch()
            running.expect(b"\nover", timeout=60)
            with socket.socket(fileno=client.fds[0]) as stream:
                stream.settimeout(10)
                got = 0
                while True:
                    chunk = stream.recv(65536)
                    if not chunk:
                        break
                    got += len(chunk)
            assert 0 < got < 17 * lines


def test_no_console_no_attaching(machine, run):
    running = machine(options=["-P"])
    result = run("console", running.name)
    assert result.code == 1 and "no console of its own" in result.complaint


def test_a_machine_without_a_terminal_can_be_attached_to(tree, Terminal):
    root = tree(kind="busybox")
    process = subprocess.Popen([*program(), "-q", "-D", str(root), "-M", root.name, "/bin/sh", "-i"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        door.await_state(root.name, lambda entry: entry["is_ready"])
        with Terminal("console", root.name, rows=33, columns=101) as screen:
            screen.expect("to detach")
            screen.line("echo $((6 * 7)); stty size")
            screen.expect(r"42\r+\n33 101")
            screen.line("exit 9")
            screen.expect("has ended")
    finally:
        assert process.wait(timeout=10) == 9


# --- Words, and the end of all ---


@pytest.mark.parametrize("words", [["wait"], ["wait", "a", "b"], ["wait", "--what"], ["console"], ["console", "-x"],
                                   ["console", "nobody"], ["logs"], ["logs", "nobody"], ["logs", "../x"], ["wait", "nobody"],
                                   ["clean", "--what"], ["clean", "../x"]])
def test_wrong_words(run, words):
    result = run(*words)
    assert result.code == 1 and len(result.complaint.splitlines()) == 1 and result.out == b""


def test_what_was_killed_at_any_moment_is_no_obstacle(tree, run):
    """The next start of that name works at once, and what is left after it, clean removes."""
    root = tree({"usr/lib/": None})
    name, moments = root.name, random.Random(11)
    for _ in range(50):
        process = subprocess.Popen([*program(), "-q", "-D", str(root), "-M", name, "/payload", "sleep", "100"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0, 0.04))
        process.kill()
        process.wait()
    result = run("-q", "-D", root, "-M", name, "/payload", "exit", "7")
    assert result.code == 7, result
    assert not door.directory(name).exists()
    run("clean", name)


@pytest.mark.usefixtures("own_network")
def test_clean_removes_ruins_and_says_so(tree, Running, run, machine):
    alive = machine()
    root = tree()
    with Running("-q", "-D", root, "-M", root.name, "-n", "/payload", "wait-signal", "15") as running:
        running.expect("waiting")
        door.await_state(root.name)
        running.signal(signal.SIGKILL)
        running.wait()
    assert door.directory(root.name).exists()
    assert f"No machine named '{root.name}' is running" in run("console", root.name).complaint
    result = run("clean")
    assert result.code == 0 and f"Removed the runtime directory of machine '{root.name}'" in result.complaint
    assert not door.directory(root.name).exists() and not (root.parent / f".#{root.name}.lck").exists()
    assert "left anything behind" in run("clean").complaint
    result = run("clean", alive.name)
    assert result.code == 1 and "is running" in result.complaint
    with Door(alive.name) as client:
        assert client.call("GetState")[0] == door.REPLY
