# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network of the tests' own: what they make and break there is not the host's."""
import ctypes
import json
import os
import subprocess

from lab import probe


def ip(*words, check=True):
    """ip(8) in the network that we are in; its output, or None if it failed and may."""
    done = subprocess.run(["ip", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0 and check:
        raise AssertionError(f"ip {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout if done.returncode == 0 else None


def links():
    """{name: what ip(8) knows of it}"""
    return {link["ifname"]: link for link in json.loads(ip("-j", "-d", "link", "show"))}


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
