# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same command lines to the reference, systemd-nspawn, and to ours: what differs must be in the table, and what is in the
table must differ.

cases.py        the command lines
sides.py        how one is run
facts.py        what a run showed, one short line a fact
differences.py  the table
"""
import concurrent.futures
import fnmatch
import platform

import facts
import pytest
import sides
from cases import SECTIONS
from differences import DIFFERENCES

pytestmark = [pytest.mark.requires("root", "cgroup2", "netns", "reference"),
              pytest.mark.skipif(platform.machine() != "x86_64", reason="system call numbers of x86-64")]


def explains(difference, name, fact, theirs, ours):
    return (fnmatch.fnmatchcase(name, difference.case) and fnmatch.fnmatchcase(fact, difference.fact)
            and (difference.reference, difference.ours) == (theirs, ours))


@pytest.fixture(scope="session")
def compared():
    """{section: [(case, fact, reference, ours)]}: the differences found so far."""
    return {}


@pytest.fixture
def compare(tree, compared):
    """Runs the cases of a section with both, some at a time, and returns what differs. A second time it only remembers."""

    def once(name, case, roots):
        theirs, ours = runs = [sides.run(case, side, root) for side, root in zip(sides.SIDES, roots)]
        assert theirs[0] == case.code, f"{name}: the reference does something else itself: {theirs}; ours: {ours}"
        theirs, ours = (facts.of_run(case, root, *run) for root, run in zip(roots, runs))
        return [(name, fact, theirs.get(fact), ours.get(fact)) for fact in sorted({*theirs, *ours})
                if theirs.get(fact) != ours.get(fact)]

    def one(name, case, roots):
        """The reference races with its own terminal: what is no known difference has to show three times."""
        lines = once(name, case, roots)
        for _ in range(2):
            if all(any(explains(difference, *line) for difference in DIFFERENCES) for line in lines):
                break
            lines = once(name, case, roots)
        return lines

    def comparison(section):
        if section not in compared:
            jobs = [(name, case, [tree(case.files, kind=case.kind) for _ in sides.SIDES])
                    for name, case in SECTIONS[section].items()]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                compared[section] = [line for lines in pool.map(lambda job: one(*job), jobs) for line in lines]
        return compared[section]

    return comparison


@pytest.mark.parametrize("section", SECTIONS)
def test_only_known_differences(compare, section):
    unknown = [f"{name}: {fact}\n    reference: {theirs!r}\n    ours:      {ours!r}"
               for name, fact, theirs, ours in compare(section)
               if not any(explains(difference, name, fact, theirs, ours) for difference in DIFFERENCES)]
    assert not unknown, "\n" + "\n".join(unknown)


def test_every_known_difference_is_still_one(compare):
    """And each has its reason."""
    found = [line for section in SECTIONS for line in compare(section)]
    stale = [f"{difference.case}: {difference.fact}: {difference.reference!r} and {difference.ours!r}" for difference in DIFFERENCES
             if difference.is_expected() and not any(explains(difference, *line) for line in found)]
    assert not stale, "\n" + "\n".join(stale)
    assert all(difference.reason for difference in DIFFERENCES)
