# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the process that serves ports can still do when somebody has taken it over."""
import ctypes
import errno
import os
import socket

import pytest

pytestmark = [pytest.mark.requires("root", "netns"), pytest.mark.usefixtures("own_network")]


# A service, and on demand a client of the host's.
INSIDE = "nc -ll -p 80 -e /bin/cat & sleep 0.2; echo ready; read line; echo hello | nc 127.0.0.1 7143; sleep 60"


def server_of_ports(supervisor):
    """The process of a supervisor that serves ports."""
    with open(f"/proc/{supervisor}/task/{supervisor}/children", encoding="ascii") as children:
        for pid in map(int, children.read().split()):
            with open(f"/proc/{pid}/comm", encoding="utf-8") as name:
                if name.read() == "nspawn-ports\n":
                    return pid
    raise AssertionError("nobody serves ports")


class Traced:
    """A process that waits in a system call and has to make others for us (ptrace(2), x86-64)."""
    NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
    Registers = type("Registers", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_ulong) for name in NAMES]})

    def __init__(self, pid):
        self.pid, self.libc = pid, ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

    def _do(self, request, data=None):
        assert self.libc.ptrace(request, self.pid, None, data) == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        self._do(16)  # PTRACE_ATTACH
        os.waitpid(self.pid, 0x40000000)
        self.before = self.Registers()
        self._do(12, ctypes.byref(self.before))  # PTRACE_GETREGS
        return self

    def __exit__(self, *_):
        self._do(13, ctypes.byref(self.before))
        self._do(17)  # PTRACE_DETACH

    def call(self, number, *arguments):
        """By the instruction that it is behind of."""
        now = self.Registers.from_buffer_copy(self.before)
        now.rip, now.rax, now.orig_rax = now.rip - 2, number, ctypes.c_ulong(-1).value
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
            setattr(now, name, ctypes.c_ulong(value).value)
        self._do(13, ctypes.byref(now))  # PTRACE_SETREGS
        self._do(9)  # PTRACE_SINGLESTEP
        os.waitpid(self.pid, 0x40000000)
        self._do(12, ctypes.byref(now))
        return ctypes.c_long(now.rax).value


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="makes its calls by registers of x86-64")
@pytest.mark.parametrize("option", ["--port=8080:80", "--host-port=7143"])
def test_the_process_that_serves_in_foreign_hands(tree, Running, option):
    """Who takes it over may move bytes between networks, as it does, and nothing else."""
    with Running("-P", "-D", tree(kind="busybox"), "-M", "web", "--private-network", option, "--", "/bin/sh", "-c", INSIDE) as machine, \
            socket.create_server(("127.0.0.1", 7143)) as server:
        machine.expect("ready")
        pid = server_of_ports(machine.process.pid)
        with Traced(pid) as taken:
            here, memory = taken.before.rsp, (0, 4096)
            for name, words, error in (
                    ("open", (2, here, 0), errno.EPERM), ("openat", (257, -100, here, 0), errno.EPERM), ("execve", (59, here, 0, 0), errno.EPERM), ("fork", (57,), errno.EPERM),
                    ("clone", (56, 0), errno.EPERM), ("ptrace", (101, 16, 1), errno.EPERM), ("kill", (62, 1, 0), errno.EPERM), ("setns", (308, 0, 0), errno.EPERM),
                    ("unshare", (272, 0x10000000), errno.EPERM), ("read", (0, 0, here, 1), errno.EPERM), ("mprotect", (10, *memory, 7), errno.EPERM), ("bpf", (321, 0), errno.EPERM),
                    ("io_uring_setup", (425, 1, here), errno.EPERM), ("openat of x32", (0x40000000 | 257, -100, here, 0), errno.EPERM),
                    ("mmap for code", (9, *memory, 5, 0x22, -1, 0), errno.EPERM), ("socket of netlink", (41, 16, 3, 0), errno.EPERM), ("socket of unix", (41, 1, 1, 0), errno.EPERM)):
                assert taken.call(*words) == -error, name
            fd = taken.call(41, socket.AF_INET6, socket.SOCK_STREAM, 0)
            assert fd > 2 and taken.call(3, fd) == 0 and taken.call(9, *memory, 3, 0x22, -1, 0) > 0
        if option.startswith("--port"):
            with socket.create_connection(("127.0.0.1", 8080), timeout=10) as client:
                client.sendall(b"hello\n")
                assert client.recv(100) == b"hello\n"
        else:
            machine.process.stdin.write(b"\n")
            machine.process.stdin.flush()
            server.settimeout(10)
            with server.accept()[0] as connection:
                assert connection.recv(100) == b"hello\n"
