# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network of the tests' own: what they make and break there is not the host's."""
import contextlib
import ctypes
import json
import os
import pathlib
import subprocess
import time

from lab import probe

WORLD, WORLD6 = "198.51.100.1", "2001:db8:1::1"


def ip(*words, check=True):
    """ip(8) in the network that we are in; its output, or None if it failed and may."""
    done = subprocess.run(["ip", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0 and check:
        raise AssertionError(f"ip {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout if done.returncode == 0 else None


def links():
    """{name: what ip(8) knows of it}"""
    return {link["ifname"]: link for link in json.loads(ip("-j", "-d", "link", "show"))}


def read(path):
    return pathlib.Path(path).read_text(encoding="utf-8") if os.path.exists(path) else None


def ruleset():
    return subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True).stdout


@contextlib.contextmanager
def leaves(state, patience=5):
    """What state() tells comes to be as it was; some of it goes a moment after the machine."""
    before = state()
    yield
    deadline = time.monotonic() + patience
    while state() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state() == before


@contextlib.contextmanager
def neighbour():
    """Another network, with nothing in it yet. The process id of who has it."""
    with subprocess.Popen(["unshare", "-n", "sleep", "600"], stdin=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 5
        while os.stat(f"/proc/{process.pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield process.pid
        finally:
            process.kill()


class Network:
    """Ours from here until leave(), and that of every process started meanwhile."""

    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if probe.LIBC.unshare(probe.CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace")
        ip("link", "set", "lo", "up")

    def leave(self):
        if probe.LIBC.setns(self.home, probe.CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no way back to the network of the host")
        os.close(self.home)


@contextlib.contextmanager
def outside():
    """A world that has no route to any machine: what gets an answer there was translated. Its process id."""
    with neighbour() as pid:
        ip("link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", pid)
        inside = ["nsenter", "-n", "-t", str(pid), "sh", "-ec"]
        no_dad = "echo 0 >/proc/sys/net/ipv6/conf/{0}/accept_dad;"
        subprocess.run(["sh", "-ec", no_dad.format("up0") + """
            ip addr add 198.51.100.2/24 dev up0; ip addr add 2001:db8:1::2/64 dev up0 nodad; ip link set up0 up
            ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:1::1"""], check=True)
        subprocess.run([*inside, no_dad.format("eth0") + """ip link set lo up
            ip addr add 198.51.100.1/24 dev eth0; ip addr add 2001:db8:1::1/64 dev eth0 nodad; ip link set eth0 up"""], check=True)
        deadline = time.monotonic() + 10
        while subprocess.run(["nsenter", "-n", "-t", str(pid), "bash", "-c", "</dev/tcp/2001:db8:1::2/9"], stderr=subprocess.PIPE,
                             text=True, check=False).stderr.find("refused") < 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield pid
        ip("link", "del", "up0")
