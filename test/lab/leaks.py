# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a machine could leave behind on the host, listed before and after each test."""
import collections
import ctypes
import fcntl
import glob
import os
import signal
import socket
import stat
import subprocess
import sys
import time

from lab import identity, probe

PR_SET_CHILD_SUBREAPER = 36
# linux/loop.h: the status begins with the device that the file is on.
LOOP_GET_STATUS64, LOOP_INFO64_BYTES = 0x4C05, 232

# Directories that stay once they were made, empty, like /run/lock does: they belong to nobody.
LASTING = {"/run/nspawn", "/run/nspawn/.addresses", "/run/nspawn/.subnets", "/run/systemd", "/run/systemd/nspawn", "/run/systemd/nspawn/locks",
           "/run/systemd/nspawn/unix-export", "/run/systemd/nspawn/propagate",
           *(str(identity.RUNTIME / name) for name in ("nspawn", "nspawn/.locks"))}


def adopt_orphans():
    """Makes us the parent of every orphaned descendant, so that none can hide behind PID 1."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(top=None):
    """{pid: command} of every living process below us, or below another."""
    children, commands = collections.defaultdict(list), {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        children[int(rest[1])].append(int(entry))
        commands[int(entry)] = (name, rest[0])
    found, todo = {}, [top or os.getpid()]
    while todo:
        for pid in children[todo.pop()]:
            if commands[pid][1] != "Z":
                found[pid] = commands[pid][0]
            todo.append(pid)
    return found


def kill_all_below(process):
    """Ends a process and what it started, so that nobody is left who holds its pipes."""
    for pid in [process.pid, *descendants(process.pid)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end(process):
    """Ends an nspawn that still runs: asked twice, so that it ends at once and yet tidies up; only then without mercy."""
    if process.poll() is not None:
        return
    process.terminate()
    time.sleep(0.05)
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        kill_all_below(process)


def reap():
    """Collects our dead orphans; children of subprocess objects are left to those."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    rest = file.read().rpartition(")")[2].split()
                if rest[0] == "Z" and int(rest[1]) == os.getpid():
                    os.waitpid(int(entry), os.WNOHANG)
            except (OSError, ValueError):
                pass


def _mounts():
    lines = collections.Counter()
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            before, after = line.rstrip("\n").split(" - ", 1)
            fields = before.split()
            lines[f"mount {fields[4]} of {fields[3]} ({after.split()[0]} {after.split()[1]}) {' '.join(fields[5:])}"] += 1
    return lines


def _loops():
    """Those on files of the bed; others are somebody else's, perhaps of a test that runs at the same time."""
    ours = {os.stat(path).st_dev for path in ("/tmp", "/var/tmp")}
    found = []
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        name = path.split("/")[3]
        try:
            with open(path, encoding="utf-8") as file, open(f"/dev/{name}", "rb") as device:
                status = fcntl.ioctl(device, LOOP_GET_STATUS64, bytes(LOOP_INFO64_BYTES))
                if int.from_bytes(status[:8], sys.byteorder) in ours:
                    found.append(f"loop device {name} on {file.read().strip()}")
        except OSError:
            pass
    return found


def _cgroups():
    group = probe.own_cgroup()
    return [f"cgroup {folder}" for folder, _, _ in os.walk(group)][1:] if group else []


def _files(beside):
    found = []
    for top in ("/run/nspawn", "/run/systemd/nspawn", "/run/systemd/nspawn-uid", "/run/systemd/machines",
                str(identity.RUNTIME)):
        for folder, folders, files in os.walk(top):
            found += [os.path.join(folder, name) for name in files]
            found += [path for path in (os.path.join(folder, name) for name in folders) if path not in LASTING]
    for pattern in ("/run/systemd/nspawn-network-zone", "/tmp/nspawn*", "/var/tmp/nspawn*", "/var/tmp/.nspawn*", "/tmp/.nspawn*", "/dev/shm/nspawn*", "/run/.#*", beside + "/.#*",
                    beside + "/*/.#*"):
        found += glob.glob(pattern)
    return ["file " + path for path in found]


def _devices():
    """The host's own device nodes: a machine may not change who owns them or what they are."""
    found = []
    for folder in ("/dev", "/dev/net"):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name.startswith("loop") or name in ("ptmx", "tty", "console"):
                continue
            status = os.lstat(os.path.join(folder, name))
            found.append(f"node {folder}/{name} {stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}")
    return found


class Snapshot:
    """Takes the list when made; leaks() compares the present with it."""

    def __init__(self, beside):
        self.beside = str(beside)
        self.before = self._now()

    def _now(self):
        lines = _mounts()
        lines.update(_loops())
        lines.update(f"link {name}" for _, name in socket.if_nameindex())
        lines.update(_cgroups())
        lines.update(_files(self.beside))
        lines.update(_devices())
        lines.update(f"process {pid} ({name})" for pid, name in descendants().items())
        return lines

    def leaks(self, patience=5.0):
        """What is there now and was not, or the other way round; waits a little for it to go away."""
        deadline = time.monotonic() + patience
        while True:
            reap()
            now = self._now()
            appeared, gone = now - self.before, self.before - now
            if not appeared and not gone:
                return []
            if time.monotonic() > deadline:
                return [f"left behind: {line}" for line in appeared] + [f"gone: {line}" for line in gone]
            time.sleep(0.02)

    def kill_processes(self):
        """Ends what is left running below us, so that one test's leak is not the next one's too."""
        for pid, name in descendants().items():
            if f"process {pid} ({name})" not in self.before:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
