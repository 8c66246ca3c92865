# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests that meson knows of, in every build of NSPAWN_TEST_BUILDS, one test here for each of them there.

What is set up and not yet compiled, or not any more, is compiled first.
"""
import functools
import json
import os
import subprocess

import pytest

from lab.tree import TOP


def builds():
    return [TOP / name for name in os.environ.get("NSPAWN_TEST_BUILDS", "build").split() if (TOP / name / "build.ninja").exists()]


@functools.lru_cache(maxsize=None)
def compiled(build):
    """Whether it compiled, and what was said. Tests that wait for something beside us come first."""
    done = subprocess.run(["nice", "ninja", "-C", build, "--quiet"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode == 0, done.stdout


def known_tests():
    found = []
    for build in builds():
        listing = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True).stdout
        for test in json.loads(listing):
            suites = [suite.split(":")[-1] for suite in test["suite"]]
            test["workdir"] = test["workdir"] or build  # as meson does
            found.append(pytest.param(build, test, id=f"{build.name}:{'+'.join(suites)}:{test['name']}"))
    return found


def test_there_is_a_build():
    assert builds(), "nothing is built: run tools/test or tools/check"


@pytest.mark.parametrize("build", [pytest.param(build, id=build.name) for build in builds()])
def test_it_compiles(build):
    good, said = compiled(build)
    assert good, said[-20000:]


@pytest.mark.parametrize("build, test", known_tests())
def test_meson(build, test):
    assert compiled(build)[0], "it did not compile"
    environment = {**os.environ, **test["env"], "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
                   "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    result = subprocess.run(test["cmd"], cwd=test["workdir"], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, errors="replace", timeout=test["timeout"] or 120, check=False)
    if result.returncode == 77:
        pytest.skip(result.stdout.strip()[-300:] or "skipped")
    assert result.returncode == 0, f"{result.stdout[-4000:]}{result.stderr[-4000:]}"
