# SPDX-License-Identifier: LGPL-2.1-or-later
"""$SYSTEMD_NSPAWN_SHARE_NS_* and --share-system: what stays the host's, and what must not become of it."""
import os
import pathlib
import signal
import socket
import time

import pytest

from lab.run import program
from lab.run import run as lab_run

pytestmark = pytest.mark.requires("root")

ALL = ("ipc", "pid", "uts")
SYS_PTRACE, SYS_BOOT = 1 << 19, 1 << 22


def own(name):
    return os.readlink(f"/proc/self/ns/{name}")


def variable(name):
    return {f"SYSTEMD_NSPAWN_SHARE_NS_{name.upper()}": "1"}


@pytest.mark.parametrize("options, env, shared", [
    ([], {}, ()),
    ([], variable("ipc"), ("ipc",)), ([], variable("pid"), ("pid",)), ([], variable("uts"), ("uts",)),
    ([], {"SYSTEMD_NSPAWN_SHARE_SYSTEM": "1"}, ALL), (["--share-system"], {}, ALL),
    ([], {"SYSTEMD_NSPAWN_SHARE_SYSTEM": "no"}, ()),
    (["--share-system"], {"SYSTEMD_NSPAWN_SHARE_NS_PID": "no"}, ("ipc", "uts")),
])
def test_what_is_shared_is_shared_and_nothing_else(tree, ask, options, env, shared):
    found = ask(tree(), "namespaces", options=options, env=env)["namespaces"]
    assert {name for name in ALL if found[name] == own(name)} == set(shared)
    assert found["mnt"] != own("mnt")


def test_the_old_option_says_so(tree, run):
    result = run("-q", "-P", "-D", tree(), "--share-system", "/payload", "exit", "3")
    assert result.code == 3 and "old spelling" in result.complaint


def test_the_host_keeps_its_name(tree, ask, run):
    name = socket.gethostname()
    root = tree()
    assert ask(root, "system", env=variable("uts"))["system"]["hostname"] == name
    result = run("-q", "-P", "-D", root, "--hostname=another", "/payload", "system", env=variable("uts"))
    assert result.json["system"]["hostname"] == name and "keeping the host's own" in result.complaint
    assert socket.gethostname() == name
    assert ask(root, "system", options=["--hostname=another"])["system"]["hostname"] == "another"


@pytest.mark.parametrize("env", [variable("pid"), variable("uts"), {"SYSTEMD_NSPAWN_SHARE_SYSTEM": "1"}])
@pytest.mark.parametrize("mode", ["--boot", "--as-pid2"])
def test_an_init_needs_its_own(tree, run, mode, env):
    result = run("-D", tree(), mode, "/payload", "env", env=env)
    assert result.code == 1 and result.out == b"" and "namespace of their own" in result.complaint


def test_an_init_may_share_ipc(tree, ask):
    assert ask(tree(), "namespaces", options=["-a"], env=variable("ipc"))["namespaces"]["ipc"] == own("ipc")


def test_the_hosts_processes_are_seen(tree, ask):
    answer = ask(tree(), "processes", "tty", "mounts", env=variable("pid"))
    assert str(os.getpid()) in answer["processes"] and answer["tty"]["pid"] != 1
    # It is a procfs of the machine's, with its protections.
    proc = [mount for mount in answer["mounts"] if mount["target"] == "/proc/sys"]
    assert proc and "ro" in proc[-1]["options"].split(",")


def test_the_host_cannot_be_rebooted_by_default(tree, ask, run):
    """Without a PID namespace reboot(2) is the host's; and who may trace its processes is out."""
    root = tree()
    kept = int(ask(root, "caps", env=variable("pid"))["caps"]["bounding"])
    assert not kept & (SYS_BOOT | SYS_PTRACE)
    kept = int(ask(root, "caps", env=variable("pid"), options=["--capability=CAP_SYS_PTRACE"])["caps"]["bounding"])
    assert kept & SYS_PTRACE and not kept & SYS_BOOT
    assert int(ask(root, "caps", env=variable("uts"))["caps"]["bounding"]) & SYS_BOOT
    result = run("-D", root, "--console=read-only", "/payload", "exit", "0", env=variable("pid"))
    assert "without CAP_SYS_BOOT" in result.complaint


@pytest.mark.parametrize("name", ["INT", "HUP"])
def test_signals_are_no_power_off(tree, run, name):
    """Of PID 1 they mean reboot(2); of any other process, a death."""
    number = getattr(signal, f"SIG{name}")
    result = run("-q", "-P", "-D", tree(), "/payload", "kill-self", str(int(number)), env=variable("pid"))
    assert result.code == 1 and f"terminated by signal SIG{name}" in result.complaint, result


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_descendants_end_with_the_machine(tree, Running, how):
    """No PID namespace ends them: the machine's cgroup does, after a killed supervisor too."""
    root = tree(kind="busybox")
    word = f"77{os.getpid() % 10000:04}"
    with Running("-q", "-P", "-D", root, "/bin/sh", "-c", f"sleep {word} & setsid sleep {word} & echo up; wait",
                 env=variable("pid")) as machine:
        machine.expect("up")
        wait_for(lambda: len(sleepers(word)) == 2)
        machine.signal(how)
        machine.process.wait(timeout=10)
        wait_for(lambda: not sleepers(word))
    leftover_groups_are_removed(root)


def test_descendants_do_not_outlive_the_command(tree, run):
    root = tree(kind="busybox")
    word = f"78{os.getpid() % 10000:04}"
    result = run("-q", "-P", "-D", root, "/bin/sh", "-c", f"setsid sleep {word} >/dev/null 2>&1 & exit 6", env=variable("pid"))
    assert result.code == 6 and not sleepers(word)


def test_activation_sockets_find_their_process(tree, run):
    """sd_listen_fds(3) compares LISTEN_PID with getpid(2), which is not 1 here."""
    root = tree(kind="busybox")
    with socket.socket(socket.AF_UNIX) as listener:
        # The words run with descriptor 3 as the socket and the pid that they have.
        code = ('exec 3<&"$0"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"')
        result = run("-c", code, str(listener.fileno()), *program(), "-q", "-P", "-D", root, "/bin/sh", "-c",
                     'echo "$LISTEN_FDS $((LISTEN_PID - $$))"', env=variable("pid"), fds=(listener.fileno(),), command=["bash"])
    assert result.text == "1 0\n", result


def sleepers(word):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", word.encode()]:
            found.append(int(path.parent.name))
    return found


def wait_for(condition, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def leftover_groups_are_removed(root):
    """A killed supervisor's groups go with the next start."""
    assert lab_run("-q", "-P", "-D", root, "/bin/true").code == 0
