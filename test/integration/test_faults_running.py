# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that run or end while something is in the way: supervisors killed at any moment, guests that flood or do not listen."""
import os
import random
import socket
import subprocess
import time

import pytest

from lab import door
from lab.run import program

pytestmark = [pytest.mark.requires("root"), pytest.mark.usefixtures("own_network"), pytest.mark.root_only("what is killed is killed as root")]


def start(root, name, *options):
    return subprocess.Popen([*program(), "-q", "-D", str(root), "-M", name, "--boot", "--console=read-only", *options],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def await_login(process, timeout=20):
    out, deadline = b"", time.monotonic() + timeout
    os.set_blocking(process.stdout.fileno(), False)
    while b"login" not in out:
        is_over = process.poll() is not None  # what it says last is read, too
        out += process.stdout.read() or b""
        assert b"login" in out or (time.monotonic() < deadline and not is_over), out[-2000:]
        time.sleep(0.01)


@pytest.mark.parametrize("options", [[], ["-n"], ["-U"], ["-x"], ["-U", "-x", "-n"]], ids=lambda words: "".join(words) or "plain")
def test_a_supervisor_killed_at_any_moment_of_a_boot_and_of_its_end(tree, run, options):
    """The next start works at once, ends as it should, and after 'clean' nothing is left: the fixture looks."""
    if "-n" in options and not os.path.exists("/proc/sys/net"):
        pytest.skip("there are no networks")
    root = tree(kind="busybox")
    name, moments = root.name[:11], random.Random(str(options))
    for number in range(10):
        process = start(root, name, *options)
        asking = None
        try:
            if number % 2:
                await_login(process)
                asking = subprocess.Popen([*program(), moments.choice(["poweroff", "terminate", "reboot"]), name],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0, 0.4))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        if asking:
            asking.wait(timeout=20)
    process = start(root, name, *options)
    try:
        await_login(process)
        assert run("poweroff", name).code == 0
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.stdout.close()
    assert run("clean", name).code == 0
    assert not door.directory(name).exists()


# Process 1 drops each signal that it has no handler for, and this one has none.
DEAF = "#!/bin/sh\necho login\nwhile :; do sleep 1; done\n"
FLOOD = """#!/bin/sh
trap 'exit 0' RTMIN+3 INT TERM
echo login
(while :; do echo "flood flood flood flood flood flood flood flood"; done) &
while :; do /payload notify "READY=1" >/dev/null 2>&1; done
"""


def booted(tree, payload, Running, script):
    root = tree(kind="busybox")
    init = root / "sbin/init"
    init.unlink(missing_ok=True)
    init.write_text(script)
    init.chmod(0o755)
    (root / "payload").write_bytes(payload.read_bytes())
    (root / "payload").chmod(0o755)
    return Running("-q", "-D", root, "--boot", "-M", root.name, "--console=read-only"), root.name


def test_a_guest_that_does_not_listen_is_ended_all_the_same(tree, payload, run, Running):
    running, name = booted(tree, payload, Running, DEAF)
    with running as machine:
        machine.expect("login")
        begun = time.monotonic()
        result = run("poweroff", "--timeout=1", name)
        assert result.code == 1 and name in result.complaint and time.monotonic() - begun < 8, result
        assert run("exec", name, "true").code == 0
        begun = time.monotonic()
        result = run("terminate", name)
        assert result.code == 0 and time.monotonic() - begun < 8, result
        machine.wait()


def test_a_guest_that_floods_console_and_notifications_has_its_verbs(tree, payload, run, Running):
    running, name = booted(tree, payload, Running, FLOOD)
    with running as machine:
        machine.expect("login")
        for words in (["exec", name, "true"], ["status", name], ["show", name], ["list"], ["limits", name], ["logs", name],
                      ["wait", name, "--ready"]):
            begun = time.monotonic()
            result = run(*words, timeout=25)
            assert result.code == 0 and time.monotonic() - begun < 15, (words, result)
        with door.Door(name) as client:
            assert client.call("GetState")[0] == door.REPLY
        assert run("terminate", name).code == 0
        machine.wait()


def test_a_caller_that_never_says_a_word_hangs_nobody(tree, run, Running):
    root = tree()
    with Running("-q", "-P", "-D", root, "-M", root.name, "/payload", "sleep", "600"):
        door.await_state(root.name)
        silent = [socket.socket(socket.AF_UNIX) for _ in range(8)]
        for number, client in enumerate(silent):
            client.connect(str(door.directory(root.name) / "control"))
            client.send(b"\0AUTH EXTERNAL"[:number * 2])
        begun = time.monotonic()
        assert run("status", root.name).code == 0 and run("terminate", root.name).code == 0
        assert time.monotonic() - begun < 15
        for client in silent:
            client.close()


def test_a_reader_that_stopped_reading_does_not_keep_a_machine_that_is_terminated(tree, run):
    root = tree(kind="busybox")
    process = subprocess.Popen([*program(), "-q", "-D", str(root), "-M", root.name, "/bin/sh", "-c", "while :; do echo flood; done"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        door.await_state(root.name)
        time.sleep(0.5)
        begun = time.monotonic()
        assert run("terminate", root.name).code == 0
        assert time.monotonic() - begun < 15
        process.wait(timeout=10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_user_hears_whose_machines_were_looked_at(run):
    result = subprocess.run([*program(), "exec", "nobody-here", "true"], user=4711, group=4711, extra_groups=[], cwd="/",
                            env={"PATH": os.environ["PATH"], "HOME": "/"}, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 125 and "machines of your own only" in result.stderr, result
    assert "machines of your own only" not in run("exec", "nobody-here", "true").complaint
