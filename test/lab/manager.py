# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service manager that makes scopes, as far as one method call can tell: on a socket in place of a bus.

It remembers what it was asked for, puts the process into a cgroup that belongs to the user, and says that the job is
done; or does what else `manner` says: "refuse", "fail" (the job fails), "silent" (no answer), "garbage", "hang up",
"old" (knows processes by number only), "busy" (the name is taken for a while).

A machine manager besides, if `machined` is given: "" registers; "old" knows the old method only, "none" is not there,
"refuse", "exists" (another machine of that name lives), "dead" (it died), "silent", "late", "garbage", "hang up".
"""
import array
import os
import pathlib
import socket
import struct
import threading
import time

from lab import probe

SIZES = {"y": 1, "b": 4, "i": 4, "u": 4, "h": 4, "x": 8, "t": 8, "d": 8}


class Reader:
    """Values out of the bytes of a message in this machine's order."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def align(self, size):
        self.at += -self.at % size

    def number(self, kind):
        size = SIZES[kind]
        self.align(size)
        self.at += size
        code = {"y": "B", "b": "I", "i": "i", "u": "I", "h": "I", "x": "q", "t": "Q", "d": "d"}[kind]
        return struct.unpack_from("=" + code, self.data, self.at - size)[0]

    def text(self, length):
        self.at += length + 1
        return self.data[self.at - length - 1:self.at - 1].decode()

    def value(self, signature):
        """The value of the first complete type of the signature, and what is left of that."""
        kind, rest = signature[0], signature[1:]
        if kind in "so":
            return self.text(self.number("u")), rest
        if kind == "g":
            return self.text(self.number("y")), rest
        if kind == "v":
            inner, _ = self.value("g")
            return self.value(inner)[0], rest
        if kind == "a":
            length = self.number("u")
            self.align(8 if rest[0] in "(xtd" else 4 if rest[0] != "y" else 1)
            end, items, after = self.at + length, [], None
            while self.at < end:
                item, after = self.value(rest)
                items.append(item)
            return items, after if after is not None else skip(rest)
        if kind == "(":
            self.align(8)
            items = []
            while rest[0] != ")":
                item, rest = self.value(rest)
                items.append(item)
            return tuple(items), rest[1:]
        return self.number(kind), rest

    def all(self, signature):
        values = []
        while signature:
            value, signature = self.value(signature)
            values.append(value)
        return values


def skip(signature):
    """What follows the first complete type."""
    if signature[0] == "a":
        return skip(signature[1:])
    depth, at = 0, 0
    while True:
        depth += {"(": 1, ")": -1}.get(signature[at], 0)
        at += 1
        if depth == 0:
            return signature[at:]


def put_text(out, text):
    out += b"\0" * (-len(out) % 4) + struct.pack("=I", len(text)) + text.encode() + b"\0"


def message(kind, fields, signature="", body=b"", serial=1):
    """The bytes of a message; fields are (code, signature, value)."""
    head = bytearray()
    for code, kind_of, value in [*fields, *([(8, "g", signature)] if signature else [])]:
        head += b"\0" * (-len(head) % 8) + bytes([code, 1]) + kind_of.encode() + b"\0"
        if kind_of == "u":
            head += b"\0" * (-len(head) % 4) + struct.pack("=I", value)
        elif kind_of == "g":
            head += bytes([len(value)]) + value.encode() + b"\0"
        else:
            put_text(head, value)
    fixed = b"l" + bytes([kind, 0, 1]) + struct.pack("=III", len(body), serial, len(head))
    return fixed + bytes(head) + b"\0" * (-len(head) % 8) + body


def texts(*items):
    out = bytearray()
    for item in items:
        if isinstance(item, int):
            out += b"\0" * (-len(out) % 4) + struct.pack("=I", item)
        else:
            put_text(out, item)
    return bytes(out)


def pid_of(pidfd):
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


class Manager:
    """Listens at a path until it is left. `calls` has the names of methods, `unit` and `properties` what was asked for."""

    def __init__(self, path, uid, manner="", machined="none"):
        self.path, self.uid, self.manner, self.machined = pathlib.Path(path), uid, manner, machined
        self.asked, self.machines, self.connections, self.attempts = [], {}, [], 0
        self.calls, self.unit, self.properties, self.group = [], None, {}, None
        self.put_off = None
        self.listener = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self.path.parent.mkdir(exist_ok=True)
        self.listener.bind(str(self.path))
        os.chmod(self.path, 0o666)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.path.unlink()
        if self.path.parent.name == "systemd":
            self.path.parent.rmdir()
        if self.group:
            for folder, _, _ in os.walk(self.group, topdown=False):
                os.rmdir(folder)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def named(self, member):
        """What each call of that name had for arguments."""
        return [arguments for name, arguments in self.asked if name == member]

    def request_stop(self):
        """Somebody stops the scope."""
        where = [(1, "o", "/org/freedesktop/systemd1/unit/x"), (2, "s", "org.freedesktop.systemd1.Scope"), (3, "s", "RequestStop")]
        self.connections[-1].sendall(message(4, where))

    def hang_up(self):
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()

    def _talk(self, connection):
        self.connections.append(connection)
        fds = []
        data = bytearray()
        while b"BEGIN\r\n" not in data:
            data += connection.recv(4096)
        data = data[data.index(b"BEGIN\r\n") + 7:]
        connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n")
        while True:
            while len(data) < 16 or len(data) < self._length(data):
                try:
                    more, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(16))
                except OSError:
                    return
                if not more:
                    return
                for _, _, numbers in control:
                    fds += array.array("i", numbers)
                data += more
            length = self._length(data)
            count = dict(Reader(bytes(data), 12).value("a(yv)")[0]).get(9, 0)
            try:
                self._answer(connection, bytes(data[:length]), fds[:count])
            except OSError:
                pass  # who does not wait for answers may be gone, what he said still counts
            finally:
                for fd in fds[:count]:
                    os.close(fd)
                del fds[:count]
            data = data[length:]

    @staticmethod
    def _length(data):
        body, _, fields = struct.unpack_from("=III", data, 4)
        return 16 + fields + -fields % 8 + body

    def _answer(self, connection, data, fds):
        body_length, serial, _ = struct.unpack_from("=III", data, 4)
        fields = dict(Reader(data, 12).value("a(yv)")[0])
        member, signature = fields[3], fields.get(8, "")
        # Offsets count from the body's own begin, which is aligned.
        arguments = Reader(data[len(data) - body_length:]).all(signature)
        self.calls.append(member)
        self.asked.append((member, arguments))

        def reply(kind=2, more=(), signature="", body=b""):
            connection.sendall(message(kind, [(5, "u", serial), *more], signature, body))

        if member == "Hello":
            reply(signature="s", body=texts(":1.7"))
        elif fields[2] == "org.freedesktop.machine1.Manager":
            self._manage(member, arguments, reply, connection, fds)
        elif member == "Get":
            reply(signature="v", body=b"\1u\0\0" + struct.pack("=I", self.machines["leader"]))
        elif member != "StartTransientUnit":
            reply()
        elif self.manner == "old" and "PIDFDs" in dict(arguments[2]):
            reply(3, [(4, "s", "org.freedesktop.DBus.Error.PropertyReadOnly")], "s", texts("Cannot set property PIDFDs, or unknown property."))
        elif self.manner == "busy" and self.attempts < 3:
            self.attempts += 1
            reply(3, [(4, "s", "org.freedesktop.systemd1.UnitExists")], "s", texts("It is going."))
        elif self.manner == "refuse":
            reply(3, [(4, "s", "org.freedesktop.systemd1.UnitExists")], "s", texts("That unit is there already."))
        elif self.manner == "garbage":
            connection.sendall(b"l\x02\x00\x01" + b"\xff" * 64)
        elif self.manner == "hang up":
            connection.close()
        elif self.manner != "silent":
            self._start(arguments, reply, connection, fds)

    def _manage(self, member, arguments, reply, connection, fds):
        def refuse(name, text):
            reply(3, [(4, "s", name)], "s", texts(text))

        manner = self.machined
        if manner == "none":
            refuse("org.freedesktop.DBus.Error.ServiceUnknown", "The name org.freedesktop.machine1 was not provided by any .service files")
        elif member == "RegisterMachineEx" and manner == "both":
            self.put_off = reply  # until it is asked in older words as well
        elif member == "RegisterMachineEx" and manner == "old":
            refuse("org.freedesktop.DBus.Error.UnknownMethod", "Unknown method RegisterMachineEx")
        elif member == "GetMachine":
            reply(signature="o", body=texts("/machine/x"))
        elif member == "UnregisterMachine":
            if self.machined == "dead":
                self.machined = ""
            self.machines.pop(arguments[0], None)
            reply()
        elif manner in ("exists", "dead"):
            self.machines["leader"] = os.getpid() if manner == "exists" else 0x3FFFFE
            refuse("org.freedesktop.machine1.MachineExists", f"Machine '{arguments[0]}' already exists")
        elif manner == "refuse":
            refuse("org.freedesktop.DBus.Error.AccessDenied", "Access denied")
        elif manner == "garbage":
            connection.sendall(b"l\x02\x00\x01" + b"\xff" * 64)
        elif manner == "hang up":
            connection.close()
        elif manner != "silent":
            if manner == "late":
                time.sleep(1)
            leader = pid_of(fds[-1]) if member == "RegisterMachineEx" else arguments[4]
            if manner == "both":
                self.put_off(3, [(4, "s", "org.freedesktop.DBus.Error.UnknownMethod")], "s", texts("Unknown method"))
            if arguments[0] in self.machines:
                refuse("org.freedesktop.machine1.MachineExists", f"Machine '{arguments[0]}' already exists")
            else:
                self.machines[arguments[0]] = leader
                reply(signature="o", body=texts("/machine/x"))

    def _start(self, arguments, reply, connection, fds):
        self.unit, self.properties = arguments[0], dict(arguments[2])
        group = f"{probe.own_cgroup()}/{self.unit}"
        os.mkdir(group)
        self.group = group
        for name in ("", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"):
            os.chown(group + name, self.uid, self.uid)
        with open(group + "/cgroup.procs", "w", encoding="utf-8") as file:
            file.write(str(self.properties["PIDs"][0] if "PIDs" in self.properties else pid_of(fds[self.properties["PIDFDs"][0]])))
        reply(signature="o", body=texts("/job/1"))
        result = "failed" if self.manner == "fail" else "done"
        where = [(1, "o", "/org/freedesktop/systemd1"), (2, "s", "org.freedesktop.systemd1.Manager"), (3, "s", "JobRemoved")]
        # Somebody else's job first: it is not the one that is waited for.
        for job, how in (("/job/9", "failed"), ("/job/1", result)):
            connection.sendall(message(4, where, "uoss", texts(1, job, self.unit, how)))
