# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running nspawn without a terminal, and looking at what came of it."""
import json
import os
import select
import shlex
import signal
import subprocess
import time

from lab import identity, leaks
from lab.tree import TOP

# What nspawn itself is started with: the same everywhere, whatever the caller's own environment has.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "TERM": "vt220", "LC_ALL": "C.UTF-8"}
if "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY" in os.environ:
    ENVIRONMENT["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = os.environ["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"]


def program():
    """The command that is tested, as words: $NSPAWN, or the build's own."""
    return shlex.split(os.environ.get("NSPAWN", str(TOP / "build/nspawn")))


def environment(extra=None):
    """ENVIRONMENT with changes: a value of None takes the variable away."""
    merged = {**ENVIRONMENT, **identity.environment(), **(extra or {})}
    return {key: value for key, value in merged.items() if value is not None}


class Result:
    """How a run ended: code (negative: killed by that signal), out and err as bytes."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    @property
    def text(self):
        return self.out.decode(errors="replace").replace("\r\n", "\n")

    @property
    def complaint(self):
        return self.err.decode(errors="replace").replace("\r\n", "\n")

    @property
    def json(self):
        assert self.code == 0, repr(self)
        return json.loads(self.out)

    def __repr__(self):
        return (f"\n  $ {' '.join(map(shlex.quote, self.words))}\n  exit {self.code}\n"
                f"  stdout: {self.out[-3000:]!r}\n  stderr: {self.err[-3000:]!r}")


def run(*words, stdin=b"", env=None, timeout=30, cwd=None, fds=(), command=None):
    """Runs nspawn with these words to its end. It is killed, and the test fails, after timeout seconds."""
    words = identity.words(program(), words) if command is None else [*command, *map(str, words)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(env), cwd=cwd,
                               pass_fds=fds, start_new_session=True, **identity.popen())
    try:
        out, err = process.communicate(stdin if isinstance(stdin, bytes) and stdin else None, timeout=timeout)
    except subprocess.TimeoutExpired:
        leaks.kill_all_below(process)
        try:
            out, err = process.communicate(timeout=5)
        except subprocess.TimeoutExpired as over:
            out, err = over.stdout or b"", over.stderr or b""
        raise AssertionError(f"not over after {timeout} s: {Result(words, None, out, err)!r}") from None
    return Result(words, process.returncode, out, err)


class Running:
    """nspawn in the background, its output collected as it comes. Use as a context: it is ended at the end."""

    def __init__(self, *words, env=None, cwd=None, fds=(), stdin=subprocess.PIPE, command=None):
        self.words = identity.words(program(), words) if command is None else [*command, *map(str, words)]
        self.process = subprocess.Popen(self.words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment(env), cwd=cwd, pass_fds=fds, start_new_session=True,
                                        **identity.popen())
        self.out, self.err = bytearray(), bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        leaks.end(self.process)
        self._collect(time.monotonic() + 10, lambda: False)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        self.process.wait(timeout=10)

    @property
    def pid(self):
        return self.process.pid

    def _collect(self, deadline, is_enough):
        streams = {stream: into for stream, into in
                   ((self.process.stdout, self.out), (self.process.stderr, self.err)) if not stream.closed}
        while streams and not is_enough():
            ready = select.select(list(streams), [], [], max(0, min(0.05, deadline - time.monotonic())))[0]
            for stream in ready:
                chunk = os.read(stream.fileno(), 65536)
                if chunk:
                    streams[stream] += chunk
                else:
                    del streams[stream]
            if not ready and time.monotonic() > deadline:
                break
        return is_enough()

    def expect(self, wanted, timeout=20):
        """Waits until wanted is in what it said on either stream."""
        wanted = wanted.encode() if isinstance(wanted, str) else wanted
        found = self._collect(time.monotonic() + timeout, lambda: wanted in self.out or wanted in self.err)
        assert found, f"never said {wanted!r}: {self!r}"
        return self

    def collect(self, seconds):
        """Reads what it says for some time."""
        self._collect(time.monotonic() + seconds, lambda: False)

    def signal(self, signo):
        os.kill(self.process.pid, signo)

    def stop(self, timeout=20):
        """Sends SIGTERM and waits for the end."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout=20):
        deadline = time.monotonic() + timeout
        self._collect(deadline, lambda: False)
        try:
            self.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not over after {timeout} s: {self!r}") from None
        return Result(self.words, self.process.returncode, bytes(self.out), bytes(self.err))

    def __repr__(self):
        return repr(Result(self.words, self.process.poll(), bytes(self.out), bytes(self.err)))


def leader_of(pid, timeout=10):
    """The pid, on the host, of the machine's PID 1: the child of nspawn that is one in its own namespace."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/status", encoding="utf-8", errors="replace") as file:
                        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
                except OSError:
                    continue
                if fields.get("PPid") == str(pid) and fields.get("NSpid", "").split()[-1:] == ["1"]:
                    return int(entry)
        time.sleep(0.02)
    raise AssertionError(f"process {pid} has no machine")
