# SPDX-License-Identifier: LGPL-2.1-or-later
"""What callers look for before they call: versions, words of the help, whether an option exists."""
import re
import subprocess

import pytest

from lab import run as lab_run


@pytest.fixture
def call(search_path):
    """Calls systemd-nspawn as a program does that captures both streams."""

    def capture(*words, **env):
        result = lab_run.run(*words, command=["systemd-nspawn"], env={**search_path, **env}, stdin=subprocess.DEVNULL)
        return result.code, result.text, result.complaint

    return capture


def test_debspawn_splits_the_version_on_blanks(call):
    code, out, err = call("--version")
    assert (code, err) == (0, "")
    assert int(out.split(" ", 2)[1]) >= 250


def test_mkosi_14_takes_the_second_word_as_a_number(call):
    assert int(call("--version")[1].strip().split()[1]) >= 252


def test_mkosi_compares_the_version(call):
    """254 and later boot with what it passes."""
    name, number, rest = call("--version")[1].splitlines()[0].split(" ", 2)
    assert name == "systemd" and int(re.match(r"\d+", number).group()) >= 254 and rest[0] + rest[-1] == "()"


def test_ansible_matches_the_version(call):
    assert re.match(r"^systemd\s+(\d+)\D", call("--version")[1])


@pytest.mark.parametrize("caller, words", {"mock": ["--pipe", "--console", "--resolv-conf", "--chdir", "--suppress-sync"],
                                           "obs-build": ["--pipe"]}.items())
def test_the_help_has_the_words(call, caller, words):
    """On stdout, complete, and without a pager: a pager that fails would be noticed."""
    code, out, err = call("--help", PAGER="/bin/false", SYSTEMD_PAGER="/bin/false", NSPAWN_PAGER="/bin/false")
    assert (code, err) == (0, "") and not [word for word in words if word not in out]
    assert call("--help")[1] == out == call("-h")[1] == call("--no-pager", "--help")[1]


def test_the_help_may_be_read_in_part(search_path):
    """grep -q goes away at the first match, and then nothing may be complained about."""
    done = subprocess.run(["/bin/sh", "-c", "systemd-nspawn --help | grep -q -e --pipe"], env=lab_run.environment(search_path),
                          capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("option", ["--rlimit", "--console=pipe", "--console=interactive"])
def test_mkosi_14_finds_an_option_that_exists(call, option):
    code, out, err = call(option, "--directory", "/dev/null", "--image", "/dev/null")
    assert code == 1 and out == "" and err and "unrecognized option" not in err


@pytest.mark.parametrize("option", ["--no-such-option", "--no-such-option=x"])
def test_mkosi_14_finds_that_an_option_does_not_exist(call, option):
    code, out, err = call(option, "--directory", "/dev/null", "--image", "/dev/null")
    assert code == 1 and out == "" and "unrecognized option '--no-such-option" in err
