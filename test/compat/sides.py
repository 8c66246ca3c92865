# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two programs that are compared, and how a case is run by one of them."""
import contextlib
import itertools
import os
import time

from lab import probe
from lab import run as lab_run
from lab.terminal import Terminal

SIDES = ("reference", "ours")
COUNTER = itertools.count(1)

# Without a service manager to ask: the same for both, and what either is told to do without.
COMMON = ["--register=no", "--keep-unit"]
ENVIRONMENT = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "IMPORTED": "from outside"}
# The program enters the control group that is $0 and becomes what the other words say.
ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'


def command(side):
    return ["systemd-nspawn"] if side == "reference" else lab_run.program()


@contextlib.contextmanager
def group():
    """A control group of its own for each run: with --keep-unit a program divides the one it finds itself in."""
    path = f"{probe.own_cgroup()}/compat-{next(COUNTER)}"
    os.mkdir(path)
    try:
        yield path
    finally:
        deadline = time.monotonic() + 5
        while os.path.isdir(path):
            for folder, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)


def wrapped(side, path):
    return ["/bin/sh", "-c", ENTER, path, *command(side), *COMMON]


def environment(case):
    return {**ENVIRONMENT, **case.env}


def words(case, root):
    """The command line of the case, for the tree at root."""
    return [word.replace("TREE", str(root)) for word in [*case.options, *case.words]]


def _quietly(case, side, root, path):
    result = lab_run.run(*words(case, root), command=wrapped(side, path), env=environment(case), stdin=case.stdin,
                         cwd=root)
    return result.code, result.out, result.err


def _signalled(case, side, root, path):
    with lab_run.Running(*words(case, root), command=wrapped(side, path), env=environment(case), cwd=root) as machine:
        machine.expect(case.until)
        for number, signo in enumerate(case.signals):
            # Two that come at once are one.
            time.sleep(0.3 if number else 0)
            machine.signal(signo)
        result = machine.wait()
    return result.code, result.out, result.err


def _on_terminal(case, side, root, path):
    with Terminal(*words(case, root), command=wrapped(side, path), env=environment(case), cwd=root, rows=33, columns=99,
                  **case.terminal) as screen:
        out = err = b""
        if screen.process.stdin:
            screen.process.stdin.close()
            screen.process.stdin = None
        if "pipe" in case.terminal.values():
            out, err = screen.process.communicate(timeout=20)
        if case.typed:
            screen.expect(case.until)
            screen.send(case.typed)
        code = screen.wait()
        restored = screen.is_restored()
        shown = bytes(screen.seen)
    return code, (out or b"") + shown, (err or b"") + (b"" if restored else b"the terminal is not as it was")


def run(case, side, root):
    """Runs the case and returns (exit code, stdout, stderr)."""
    how = _on_terminal if case.terminal is not None else _signalled if case.signals else _quietly
    with group() as path:
        return how(case, side, root, path)


