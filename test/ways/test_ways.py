# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of lab/identity.py's THREE_WAYS with ids of their own, and as an ordinary user: one test here for each there.

A file runs at once, in a bed of its own, and each of its tests is told apart.
"""
import functools
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import pytest

from lab import identity
from lab.tree import TOP

pytestmark = pytest.mark.requires("root", "cgroup2", "userns", "newuidmap")

FOLDER = TOP / "test/integration"
WAYS = ["userns", "user"]


def pytest_as(way, *words, fds=()):
    # Options of whoever runs us would change the listing.
    environment = {**os.environ, "NSPAWN_TEST_AS": way, "PYTEST_ADDOPTS": ""}
    return subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *words], env=environment, cwd=TOP,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          pass_fds=fds)


@functools.lru_cache(maxsize=None)
def collected():
    """What there is to run is the same both ways: what cannot run is skipped there, with its reason."""
    if os.geteuid() != 0 or identity.AS != "root":
        return []
    files = [str(FOLDER / f"{name}.py") for name in identity.THREE_WAYS]
    listing = pytest_as("userns", "--collect-only", *files)
    assert listing.returncode == 0, listing.stdout
    names = [line.partition("::") for line in listing.stdout.splitlines() if "::" in line]
    return [(way, file.rpartition("/")[2], name) for way in WAYS for file, _, name in names]


@functools.lru_cache(maxsize=None)
def results(way, file):
    """{name: its outcome as an element of JUnit's}"""
    # By its descriptor: the other bed has a /tmp of its own.
    with tempfile.TemporaryFile() as report:
        said = pytest_as(way, "--tb=short", "-o", "junit_family=xunit1", f"--junitxml=/proc/self/fd/{report.fileno()}",
                         str(FOLDER / file), fds=[report.fileno()])
        try:
            report.seek(0)
            cases = xml.etree.ElementTree.parse(report).iter("testcase")
        except xml.etree.ElementTree.ParseError:
            return said.stdout
        found = {}
        for case in cases:
            found.setdefault(case.get("name"), []).extend(case)
        return found


@pytest.mark.parametrize("way, file, name", collected(), ids=lambda value: value)
def test_in_another_way(way, file, name):
    found = results(way, file)
    assert not isinstance(found, str), found
    assert name in found, f"it did not run: {sorted(found)}"
    for outcome in found[name]:
        if outcome.tag in ("failure", "error"):
            pytest.fail(outcome.text or outcome.get("message"), pytrace=False)
        if outcome.tag == "skipped":
            pytest.skip(outcome.get("message"))
