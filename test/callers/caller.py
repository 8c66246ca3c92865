# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a line as its caller does."""
import contextlib
import os
import re
import shlex
import subprocess

import sides
from record import Names

from lab import run as lab_run
from lab.terminal import Terminal


class Place:
    """The tree, and what is beside it: what the names in a line stand for."""

    def __init__(self, root, work, folder):
        self.root, self.work, self.folder = root, work, folder
        self.names = Names(WORK=work, TREE=root, BESIDE=root.parent, BIN=folder)

    def fill_in(self, word):
        for name, text in (("TREE", str(self.root)), ("NAME", self.root.name), ("WORK", str(self.work)),
                           ("BESIDE", str(self.root.parent)), ("ARCH", os.uname().machine)):
            word = re.sub(rf"\b{name}\b", text, word)
        return word


@contextlib.contextmanager
def settings(line, place):
    """The tree's name among the machines, and its settings files. A tree that is called by its name has them beside the name."""
    made = [f"/etc/machines/{place.root.name}"]
    os.symlink(place.root, made[0])
    beside = place.root.parent if "TREE" in line.words else "/etc/machines"
    for folder, text in (("/etc/systemd/nspawn", line.settings), (beside, line.settings_beside)):
        if text:
            made.append(f"{folder}/{place.root.name}.nspawn")
            os.makedirs(folder, exist_ok=True)
            with open(made[-1], "w", encoding="utf-8") as out:
                out.write(place.fill_in(text))
    try:
        yield
    finally:
        for path in made:
            os.unlink(path)


def command(line, place, program, extra=(), words=None):
    """What is started: in front of the line a shell that enters a control group of the run."""
    words = [*extra, *(line.run_words() if words is None else words)]
    if line.is_absolute and program == "systemd-nspawn":
        program = str(place.folder / "systemd-nspawn")
    full = [place.fill_in(word) for word in [*line.before, program, *words]]
    return ["/bin/sh", "-c", line.script.replace("LINE", shlex.join(full))] if line.script else full


def run(line, place, program="systemd-nspawn", extra=(), env=None, words=None):
    """Returns (exit code, stdout, stderr)."""
    env = {"PATH": f"{place.folder}:{lab_run.ENVIRONMENT['PATH']}", **line.env, **(env or {})}
    full = command(line, place, program, extra, words)
    cwd = place.fill_in(line.cwd)
    with settings(line, place), sides.group() as group:
        full = ["/bin/sh", "-c", sides.ENTER, group, *full]
        if not isinstance(line.stdin, dict):
            stdin = subprocess.DEVNULL if line.stdin is None else line.stdin
            result = lab_run.run(command=full, env=env, stdin=stdin, cwd=cwd)
            return result.code, result.out, result.err
        with Terminal(command=full, env=env, cwd=cwd, **line.stdin) as screen:
            code = screen.wait()
            assert screen.is_restored(), "the terminal is not as it was"
            return code, bytes(screen.seen), b""
