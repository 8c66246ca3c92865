# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd-nsresourced and systemd-mountfsd, as far as a start asks them: what they promise is really done, by root.

Answers can be spoilt, a method at a time: {"error": NAME}, {"raw": TEXT}, {"delay": SECONDS}, {"hang": true},
{"lie": true} (says it is done, and did nothing).
"""
import array
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

from lab import probe

RUN = pathlib.Path("/run/systemd")
RESOURCES, MOUNTS = "io.systemd.NamespaceResource", "io.systemd.MountFileSystem"
SHIFT, FOREIGN, RANGE = 0x40000000, 0x7FFE0000, 65536
CGROUP_FILES = ("cgroup.controllers", "cgroup.events", "cgroup.procs", "cgroup.stat", "cgroup.subtree_control", "cgroup.threads",
                "memory.oom.group", "memory.reclaim")
CLONE_NEWUSER, SYS_OPEN_TREE, SYS_MOUNT_SETATTR = 0x10000000, 428, 442
OPEN_TREE, AT_EMPTY_PATH, ATTR_RDONLY, ATTR_IDMAP = 0x80001, 0x1000, 0x1, 0x100000


# --- What root does ---

def _write_maps(pid, extents):
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write("".join(f"{inside} {outside} {count}\n" for inside, outside, count in extents))


def _in_namespace(enter, action):
    """Runs action(pid) while a child of ours, that enter() has brought there, lives in a user namespace."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        enter()
        os.write(told, b"x")
        signal.pause()
    try:
        os.read(ready, 1)
        return action(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)


def _checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def fill_namespace(users, extents):
    """Writes the maps of a namespace of which there is only a descriptor."""
    _in_namespace(lambda: _checked(probe.LIBC.setns(users, CLONE_NEWUSER)), lambda pid: _write_maps(pid, extents))


def open_namespace(extents):
    """A namespace that exists only as a map for mounts."""
    def take(pid):
        _write_maps(pid, extents)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    return _in_namespace(lambda: _checked(probe.LIBC.unshare(CLONE_NEWUSER)), take)


def mapped_clone(directory, users, read_only):
    mount = _checked(probe.LIBC.syscall(SYS_OPEN_TREE, directory, b"", OPEN_TREE | AT_EMPTY_PATH))
    attributes = (ctypes.c_uint64 * 4)(ATTR_IDMAP | (ATTR_RDONLY if read_only else 0), 0, 0, users)
    _checked(probe.LIBC.syscall(SYS_MOUNT_SETATTR, mount, b"", AT_EMPTY_PATH, attributes, ctypes.sizeof(attributes)))
    return mount


# --- The services ---

class Services:
    """Both of them, in one process: they share what namespaces they know."""

    def __init__(self):
        self.known = {}

    def allocate(self, parameters, fds):
        users = fds[parameters["userNamespaceFileDescriptor"]]
        base = SHIFT + 17 * RANGE * len(self.known)
        extents = [(0, base, parameters["size"])]
        extents += [(first, first, RANGE) for first in range(base + RANGE, base + RANGE * (1 + parameters.get("delegateContainerRanges", 0)), RANGE)]
        fill_namespace(users, extents)
        self.known[os.fstat(users).st_ino] = base
        return {"name": parameters["name"]}, []

    def base_of(self, users):
        return self.known[os.fstat(users).st_ino]

    def give_cgroup(self, parameters, fds):
        base, group = self.base_of(fds[parameters["userNamespaceFileDescriptor"]]), fds[parameters["controlGroupFileDescriptor"]]
        os.fchown(group, base, base)
        for name in CGROUP_FILES:
            try:
                os.chown(name, base, base, dir_fd=group)
            except FileNotFoundError:
                pass
        return {}, []

    def mount_directory(self, parameters, fds):
        directory, base = fds[parameters["directoryFileDescriptor"]], self.base_of(fds[parameters["userNamespaceFileDescriptor"]])
        os.listdir(directory)  # a descriptor that only names is none
        owner = os.fstat(directory).st_uid
        # A tree of the caller's: the host's root's keeps its owners, who are nobody inside, a user's belongs to root inside.
        extent = (FOREIGN, base, RANGE) if FOREIGN <= owner < FOREIGN + RANGE else (0, 0, RANGE) if owner == 0 else (owner, base, 1)
        users = open_namespace([extent])
        mount = mapped_clone(directory, users, parameters.get("readOnly", False))
        os.close(users)
        return {"mountFileDescriptor": 0}, [mount]

    def answer(self, method, parameters, fds):
        if method == "org.varlink.service.GetInterfaceDescription":
            return {"description": f"interface {parameters['interface']}\nmethod MountDirectory() -> ()\n"}, []
        methods = {f"{RESOURCES}.AllocateUserRange": self.allocate, f"{RESOURCES}.AddControlGroupToUserNamespace": self.give_cgroup,
                   f"{RESOURCES}.AddMountToUserNamespace": lambda *_: ({}, []), f"{MOUNTS}.MountDirectory": self.mount_directory}
        return methods[method](parameters, fds)


def _hear(connection):
    text, fds = b"", array.array("i")
    while not text.endswith(b"\0"):
        part, control, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16 * fds.itemsize))
        if not part:
            return None, []
        text += part
        for _, _, data in control:
            fds.frombytes(data)
    return json.loads(text[:-1]), list(fds)


def _converse(services, connection, folder):
    call, fds = _hear(connection)
    if call is None:
        return
    method, parameters = call["method"], call.get("parameters", {})
    with open(folder / "calls", "a", encoding="utf-8") as file:
        file.write(json.dumps([method.rsplit(".", 1)[1], parameters]) + "\n")
    spoilt = json.loads((folder / "spoilt").read_text()).get(method.rsplit(".", 1)[1], {})
    time.sleep(spoilt.get("delay", 0))
    mounts = []
    if spoilt.get("hang"):
        signal.pause()
    if "error" in spoilt:
        text = json.dumps({"error": spoilt["error"], "parameters": spoilt.get("parameters", {})}).encode()
    elif "raw" in spoilt:
        text = spoilt["raw"].encode()
    elif "lie" in spoilt:
        text = b"{}"
    else:
        answer, mounts = services.answer(method, parameters, fds)
        text = json.dumps({"parameters": answer}).encode()
    try:
        socket.send_fds(connection, [text + b"\0"], mounts)
    except BrokenPipeError:
        pass
    for fd in fds + mounts:
        os.close(fd)


def serve(folder):
    listeners = []
    for name in (RESOURCES, MOUNTS):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(RUN / name))
        os.chmod(RUN / name, 0o666)
        listener.listen(8)
        listeners.append(listener)
    services = Services()
    print("ready", flush=True)
    while True:
        for listener in select.select(listeners, [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                _converse(services, connection, folder)


# --- For tests ---

class Managers:
    """Use as a context: the services run, at the places where they are known, seen from our mount namespace only."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.spoil({})
        (folder / "calls").touch()

    def spoil(self, methods):
        (self.folder / "spoilt").write_text(json.dumps(methods))

    @property
    def calls(self):
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def named(self, method):
        return [parameters for name, parameters in self.calls if name == method]

    def __enter__(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "nspawn-test", RUN], check=True)
        for name in ("nspawn", "nspawn-uid"):
            (RUN / name).mkdir()
        self.process = subprocess.Popen([sys.executable, "-m", "lab.managers", self.folder], stdout=subprocess.PIPE,
                                        cwd=pathlib.Path(__file__).parent.parent)
        assert self.process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        subprocess.run(["umount", RUN], check=True)


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]))
