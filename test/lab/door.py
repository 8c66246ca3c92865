# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of a machine's control socket that says what it is told to, right or wrong."""
import array
import json
import socket
import struct
import time

from lab import identity

MACHINES = identity.MACHINES
MACHINE = "org.nspawn.Machine"
REPLY, ERROR = 2, 3


def directory(name):
    return MACHINES / name


def state(name):
    return json.loads((directory(name) / "state.json").read_text(encoding="utf-8"))


def await_state(name, is_it=lambda entry: True, timeout=10):
    """The entry of a machine as soon as it is there and as wanted."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            entry = state(name)
            if is_it(entry) and (directory(name) / "control").exists():
                return entry
        except (OSError, ValueError):
            pass
        time.sleep(0.01)
    raise AssertionError(f"'{name}' did not come to be as wanted")


def _align(data, size):
    return data + b"\0" * (-len(data) % size)


def _text(data, text):
    raw = text.encode()
    return _align(data, 4) + struct.pack("=I", len(raw)) + raw + b"\0"


def message(member, signature="", *values, interface=MACHINE, path="/org/nspawn/Machine", serial=1, flags=0):
    body = b""
    for kind, value in zip(signature, values):
        body = _text(body, value) if kind == "s" else _align(body, 4) + struct.pack("=I", value)
    fields = b""
    for number, kind, text in ((1, "o", path), (2, "s", interface), (3, "s", member), (8, "g", signature)):
        fields = _align(fields, 8) + bytes([number, 1, ord(kind), 0])
        fields = fields + bytes([len(text)]) + text.encode() + b"\0" if kind == "g" else _text(fields, text)
    head = struct.pack("=cBBBIII", b"l", 1, flags, 1, len(body), serial, len(fields))
    return _align(head + fields, 8) + body


class Door:
    """Connected and, unless told otherwise, let in."""

    def __init__(self, name, is_known=True, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(directory(name) / "control"))
        self.data, self.fds, self.serial = b"", [], 0
        if is_known:
            self.socket.sendall(b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
            assert self.line().startswith("OK ") and self.line() == "AGREE_UNIX_FD"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _more(self):
        chunk, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(16))
        for _, _, data in ancillary:
            fds = array.array("i")
            fds.frombytes(data)
            self.fds += fds
        if not chunk:
            raise ConnectionResetError("the other side has closed")
        self.data += chunk

    def line(self):
        while b"\r\n" not in self.data:
            self._more()
        line, self.data = self.data.split(b"\r\n", 1)
        return line.decode()

    def send(self, member, *more, **how):
        self.serial += 1
        self.socket.sendall(message(member, *more, serial=self.serial, **how))

    def receive(self):
        """The next message: its type, the serial that it answers, and its body."""
        while len(self.data) < 16:
            self._more()
        _, kind, _, _, body, _, fields = struct.unpack("=cBBBIII", self.data[:16])
        length = 16 + fields + (-fields % 8) + body
        while len(self.data) < length:
            self._more()
        whole, self.data = self.data[:length], self.data[length:]
        return kind, whole[16:16 + fields], whole[length - body:]

    def call(self, member, *more, **how):
        self.send(member, *more, **how)
        return self.receive()

    def is_closed(self):
        try:
            while True:
                self._more()
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False


def texts(body):
    """The first text of a body."""
    length = struct.unpack("=I", body[:4])[0]
    return body[4:4 + length].decode()
