# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real systems: each test gets a throw-away view of a cached tree, and a person's way of using it."""
import itertools
import os

import pytest

from lab import tree as lab_tree
from lab.run import leader_of
from lab.terminal import Terminal

COUNTER = itertools.count(1)
SLOW = 180  # seconds: a loaded machine with two processors boots six systems in a row


@pytest.fixture
def system(beside, payload):
    """Makes writable views of cached trees: system("bookworm") returns the root."""
    made = []

    def view(kind):
        overlay = lab_tree.Overlay(lab_tree.cached(kind), beside / f"s{os.getpid()}x{next(COUNTER)}")
        made.append(overlay)
        lab_tree.fill(overlay.root, {"payload!": payload})
        return overlay.root

    yield view
    for overlay in made:
        overlay.remove()


class Guest(Terminal):
    """A booted system on a terminal, with what one does there."""

    def __init__(self, root, *options, **more):
        super().__init__("-q", "-D", root, "--boot", *options, **more)

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
