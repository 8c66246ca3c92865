# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real systems: each test gets a throw-away view of a cached tree, and a person's way of using it."""
import itertools
import os
import subprocess

import pytest

from lab import tree as lab_tree
from lab.run import leader_of
from lab.terminal import Terminal

COUNTER = itertools.count(1)
SLOW = 180  # seconds: a loaded machine with two processors boots six systems in a row


class Copy:
    """A writable view of a cached tree, whose ids are the host's."""

    options = []

    def __init__(self, kind, folder):
        self.overlay = lab_tree.Overlay(lab_tree.cached(kind), folder)
        self.root = self.overlay.root

    def put(self, inside, source):
        """A file or directory of the host's, in the tree."""
        target = self.root / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--no-target-directory", source, target], check=True)

    def has_host_ids(self):
        return True

    def remove(self):
        self.overlay.remove()


class Mapped:
    """A cached tree with ids of its own, its changes thrown away. No overlay of ours can be mapped, so the tree itself is."""

    def __init__(self, kind, folder):
        self.root = lab_tree.cached(kind)
        self.folder = folder
        self.options = ["-x", "-U"]
        folder.mkdir()

    def put(self, inside, source):
        """The same, as a mount."""
        copy = self.folder / inside.replace("/", "-")
        subprocess.run(["cp", "-a", "--no-target-directory", source, copy], check=True)
        self.options += [f"--bind={copy}:/{inside}:idmap"]

    def has_host_ids(self):
        return False

    def remove(self):
        lab_tree.remove(self.folder)


@pytest.fixture(params=[Copy, Mapped], ids=["host-ids", "own-ids"])
def system(request, beside):
    """Makes writable views of cached trees: system("bookworm") has a root, and options to start it with."""
    made = []

    def view(kind):
        made.append(request.param(kind, beside / f"s{os.getpid()}x{next(COUNTER)}"))
        return made[-1]

    yield view
    for each in made:
        each.remove()


class Guest(Terminal):
    """A booted system on a terminal, with what one does there."""

    def __init__(self, system, *options, **more):
        super().__init__("-q", "-D", system.root, "--boot", *system.options, *options, **more)

    def login(self):
        self.expect("login: ", timeout=SLOW)
        self.line("root")
        self.expect("# ", timeout=60)
        # A shell without an editor of lines, which would redraw them: what follows is for a program to read.
        self.line("stty -echo; PAGER=cat PS1='ready''# ' exec sh")
        self.expect("ready# ", timeout=30)
        return self

    def run(self, command, timeout=60):
        """Runs a command in the login shell; returns (exit code, what it said)."""
        self.line(f"{command}; echo \"code=$?=\"")
        match = self.expect(r"(.*?)code=(\d+)=\s+ready# ", timeout=timeout)
        return int(match.group(2)), match.group(1).decode(errors="replace").replace("\r", "").strip()

    def ends(self, timeout=SLOW):
        """Waits for the machine to be over; returns the exit code."""
        return self.wait(timeout=timeout)

    def leader(self):
        return leader_of(self.pid)


@pytest.fixture
def guest():
    return Guest
