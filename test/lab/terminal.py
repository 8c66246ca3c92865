# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal with a program on it: a pty whose other end the test reads and types on."""
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

from lab import identity, leaks
from lab.run import environment, program


class Terminal:
    """Starts words with a new terminal as its controlling one. Each stream may be "tty", "pipe" or "null"."""

    def __init__(self, *words, stdin="tty", stdout="tty", stderr="tty", rows=24, columns=80, env=None, cwd=None,
                 command=None):
        self.words = identity.words(program(), words) if command is None else [*command, *map(str, words)]
        self.master, self.slave = os.openpty()
        if identity.IS_USER:
            os.chown(os.ttyname(self.slave), identity.UID, -1)
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = bytearray()
        choose = {"tty": self.slave, "pipe": subprocess.PIPE, "null": subprocess.DEVNULL}

        def take_terminal():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(self.words, stdin=choose[stdin], stdout=choose[stdout], stderr=choose[stderr],
                                        env=environment(env), cwd=cwd, preexec_fn=take_terminal,
                                        **identity.popen())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        leaks.end(self.process)
        self.process.wait(timeout=10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        os.close(self.master)
        os.close(self.slave)

    @property
    def pid(self):
        return self.process.pid

    @property
    def text(self):
        return self.seen.decode(errors="replace").replace("\r", "")

    def _read(self, timeout):
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        chunk = os.read(self.master, 65536)
        self.seen += chunk
        return bool(chunk)

    def expect(self, pattern, timeout=20):
        """Waits until pattern (a regular expression) matches what was shown since the last match; returns it."""
        deadline = time.monotonic() + timeout
        regex = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.S)
        while True:
            match = regex.search(self.seen, getattr(self, "_mark", 0))
            if match:
                self._mark = match.end()
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"{pattern!r} never appeared: {self!r}")
            if not self._read(min(left, 0.1)) and self.process.poll() is not None and not self._read(0.05):
                match = regex.search(self.seen, getattr(self, "_mark", 0))
                if not match:
                    raise AssertionError(f"it ended before {pattern!r} appeared: {self!r}")

    def send(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def line(self, text):
        self.send(text + "\r")

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, signo):
        os.kill(self.process.pid, signo)

    def wait(self, timeout=20):
        """Reads on until the program ended; returns its exit code."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            self._read(0.05)
            if time.monotonic() > deadline:
                raise AssertionError(f"not over after {timeout} s: {self!r}")
        while self._read(0.05):
            pass
        return self.process.returncode

    def stop(self, timeout=20):
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def attributes(self):
        return termios.tcgetattr(self.slave)

    def is_restored(self):
        """Whether the terminal's modes are what they were before the program started."""
        return self.attributes() == self.before

    def foreground(self):
        return os.tcgetpgrp(self.slave)

    def __repr__(self):
        return f"\n  $ {' '.join(self.words)}\n  exit {self.process.poll()}\n  screen: {bytes(self.seen[-4000:])!r}"
