# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same lines to the reference, systemd-nspawn 252: what the caller's program finds inside, and what the caller gets back, is
the same but for what test/compat/differences.py and against.py know.

Compared is what callers look at: words, environment, ids, streams and terminal, directory, exit status, output. The rest of a
machine is compared in test/compat. Neither asks a service manager here.
"""
import pathlib
import platform

import against
import caller
import facts
import pytest
import record
import sides
from differences import DIFFERENCES
from lines import FILES, LINES

pytestmark = [pytest.mark.requires("root", "cgroup2", "netns", "reference"),
              pytest.mark.skipif(platform.machine() != "x86_64", reason="some callers run programs of 32-bit x86"),
              pytest.mark.usefixtures("known_host", "known_network")]
COMPARED = {"env": facts.env, "tty": facts.tty, **{name: facts.each(name) for name in ("ids", "fds", "system")},
            "argv": lambda words: {f"word {number}": word for number, word in enumerate(words)}, "input": lambda text: {"input": text}}

# What the reference runs inside to find a user, by a shell that is one.
GETENT = {"bin/busybox!": pathlib.Path("/bin/busybox"), "usr/bin/getent!": """#!/bin/busybox sh
case $1 in
passwd) busybox grep -E "^$2:|^[^:]*:[^:]*:$2:" /etc/passwd ;;
initgroups) echo "$2 10" ;;
esac
"""}


def shown(place, code, out, err):
    answer, text = record.told(out)
    found = {"exit": code, "stdout": text, "stderr": "says something" if err.strip() else "silent"}
    for question in sorted(set(answer) & set(COMPARED)):
        found |= COMPARED[question](answer[question])
    # Both have what the host has there, and differ in that only by when they were started.
    found.pop("system cgroup", None)
    return {fact: place.names.everywhere(value) for fact, value in found.items()}


@pytest.fixture
def differing(tree, work, folder):
    def compare(line):
        sides_shown = []
        for program in ("/usr/bin/systemd-nspawn", "systemd-nspawn"):
            entries = {**(line.files or FILES), **GETENT, "payload.report": f"{line.asks} exit={line.exits}"}
            place = caller.Place(tree(entries), work, folder)
            sides_shown.append(shown(place, *caller.run(line, place, program, extra=sides.COMMON, env=sides.ENVIRONMENT)))
        theirs, ours = sides_shown
        return [(f"{line.caller}: {line.name}", fact, theirs.get(fact), ours.get(fact)) for fact in sorted({*theirs, *ours})
                if theirs.get(fact) != ours.get(fact)]

    return compare


def explains(row, found):
    """Texts are compared as the tables write them."""
    name, fact, theirs, ours = found
    texts = tuple(text if text is None or isinstance(text, str) else str(text) for text in (theirs, ours))
    return against.matches(row, name, fact) and (row.reference, row.ours) == texts


@pytest.mark.parametrize("line", [line for line in LINES.values() if not line.why_not_compared],
                         ids=lambda line: f"{line.caller}, {line.name}")
def test_only_known_differences(differing, line):
    found = differing(line)
    unknown = [f"{fact}\n    reference: {theirs!r}\n    ours:      {ours!r}" for case, fact, theirs, ours in found
               if not any(explains(row, (case, fact, theirs, ours)) for row in [*DIFFERENCES, *against.DIFFERENCES])]
    assert not unknown, "\n" + "\n".join(unknown)
    stale = [row for row in against.DIFFERENCES if row.case == f"{line.caller}: {line.name}" and row.is_expected()
             and not any(explains(row, one) for one in found)]
    assert not stale, f"no longer a difference: {stale}"


def test_each_difference_has_its_reason():
    assert all(row.reason for row in against.DIFFERENCES)
