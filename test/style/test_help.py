# SPDX-License-Identifier: LGPL-2.1-or-later
"""--help and --version, as people and programs see them."""
import os
import re
import subprocess

import pytest
from lab.run import program, run
from lab.terminal import Terminal

# Whoever runs the tests may have come by sudo, which is a matter of its own below.
PAGED = {"SYSTEMD_PAGERSECURE": "no"}
SECTIONS = ["General", "Image", "Execution", "System identity", "Properties", "User namespacing", "Networking", "Security",
            "Resources", "Integration", "Mounts", "Input/output", "Credentials"]


@pytest.fixture
def reference(tmp_path):
    """nspawn by the name of the program that it stands in for."""
    link = tmp_path / "systemd-nspawn"
    link.symlink_to(os.path.abspath(program()[-1]))
    return [str(link)]


def show(*words, env=None, **more):
    """What a terminal gets, and the status."""
    with Terminal(*words, env={**PAGED, **(env or {})}, columns=100, **more) as terminal:
        terminal.expect(r"\n")
        status = terminal.wait()
        return terminal.text, status


def test_help_is_complete_where_it_is_read_by_programs(reference):
    result = run("--help")
    assert (result.code, result.err) == (0, b"") and b"\033" not in result.out
    titles = re.findall(r"^(\S[^:\n]*):\n", result.text, re.MULTILINE)
    assert titles == ["Verbs", *[title for title in SECTIONS if title in titles]]
    assert set(SECTIONS) <= set(titles)
    other = run("--help", command=reference)
    assert other.code == 0 and "Verbs:" not in other.text and "VERB" not in other.text
    assert other.text.split("General:")[1].replace("systemd-nspawn", "nspawn") == result.text.split("General:")[1]
    # mock and obs-build look for these.
    for text in (result.text, other.text):
        for option in ("--pipe", "--console", "--resolv-conf", "--chdir", "--suppress-sync"):
            assert option in text


def test_help_keeps_to_its_columns(reference):
    for command in (None, reference):
        for line in run("--help", **({"command": command} if command else {})).text.splitlines():
            assert len(line) <= 80, line
            assert re.match(r"$|Usage:|[A-Z][A-Za-z/ ]+:$|  +\S|Run a command|What is on|like --bind|The manual", line), line


def test_help_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([*program(), "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 1 and b"Cannot write to standard output" in ran.stderr


@pytest.mark.parametrize("env,is_paged", [
    ({"SYSTEMD_PAGER": "sed s/^/paged:/"}, True),
    ({"PAGER": "sed s/^/paged:/"}, True),
    ({"SYSTEMD_PAGER": "sed s/^/paged:/", "PAGER": "false"}, True),
    ({"SYSTEMD_PAGER": "", "PAGER": "sed s/^/paged:/"}, False),
    ({"SYSTEMD_PAGER": "cat"}, False),
    ({"PAGER": ""}, False),
    ({"SYSTEMD_PAGER": "/nonexistent/pager --fast"}, False),
    ({"SYSTEMD_PAGER": "sed s/^/paged:/", "TERM": "dumb"}, False),
])
def test_pager(env, is_paged):
    text, status = show("--help", env=env)
    assert status == 0
    assert text.count("paged:") == (len(text.splitlines()) if is_paged else 0)
    assert "Usage:" in text and "nspawn(1)" in text.splitlines()[-1]


def test_no_pager():
    text, status = show("--no-pager", "--help", env={"SYSTEMD_PAGER": "sed s/^/paged:/"})
    assert status == 0 and "paged:" not in text and "Credentials" in text


def test_pager_that_does_not_read_on():
    assert show("--help", env={"SYSTEMD_PAGER": "head -n 1"}) == ("\033[1mUsage:\033[0m nspawn [OPTION…] [COMMAND [ARGUMENT…]]\n", 0)


@pytest.mark.parametrize("env,expected", [
    ({}, "FRSXMK"),
    ({"LESS": "-i"}, "-i"),
    ({"LESS": "-i", "SYSTEMD_LESS": "FR"}, "FR"),
])
def test_less_is_told_how_to_be(env, expected):
    text, _ = show("--help", env={"SYSTEMD_PAGER": "env", **env})
    assert f"LESS={expected}\n" in text and "LESSCHARSET=utf-8\n" in text and "LESSSECURE" not in text


def test_less_shows_a_page_and_is_left():
    with Terminal("--help", env={**PAGED, "SYSTEMD_LESS": "RM", "TERM": "xterm"}, rows=10) as terminal:
        terminal.expect("Usage:")
        terminal.expect(r"\d+%|lines 1")
        assert "Credentials" not in terminal.text
        terminal.send("q")
        assert terminal.process.wait(timeout=10) == 0


@pytest.mark.parametrize("caller", [{"SUDO_UID": "1000"}, {"SUDO_UID": "x"}, {"PKEXEC_UID": "1000"}, {"DOAS_USER": "somebody"}])
def test_pager_gets_no_rights_of_another_user(caller, tmp_path):
    """A pager that the caller chose, or put first in $PATH, is not run, and less must not run anything."""
    for name in ("less", "more", "evil"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
        path.chmod(0o755)
    env = {**caller, "SYSTEMD_PAGERSECURE": None, "SYSTEMD_PAGER": f"{tmp_path}/evil", "SYSTEMD_LESS": "RM", "TERM": "xterm",
           "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with Terminal("--help", env=env, rows=10) as terminal:
        terminal.expect("Usage:")
        terminal.expect(r"\d+%|lines 1")
        terminal.send("!")
        terminal.expect("not available")
        terminal.send("\n")
        terminal.send("q")
        assert terminal.process.wait(timeout=10) == 0
    assert not (tmp_path / "ran").exists()


def test_pager_that_is_said_to_be_secure():
    text, _ = show("--help", env={"SUDO_UID": "1000", "SYSTEMD_PAGERSECURE": "yes", "SYSTEMD_PAGER": "env"})
    assert "LESSSECURE=1\n" in text


@pytest.mark.parametrize("env,is_bold", [
    ({}, True),
    ({"NO_COLOR": "1"}, False),
    ({"SYSTEMD_COLORS": "false"}, False),
    ({"SYSTEMD_COLORS": "true", "NO_COLOR": "1"}, True),
    ({"TERM": "dumb"}, False),
])
def test_headings_are_bold_where_that_is_wanted(env, is_bold):
    text, _ = show("--no-pager", "--help", env=env)
    assert ("\033[1mImage:\033[0m\n" in text) == is_bold
    assert is_bold or "\033" not in text


# --- How callers read the version ---

def debspawn(text):
    """Two splits on blanks; the second field is a number."""
    return int(text.split(" ", 2)[1])


def mkosi_14(text):
    return int(text.split()[1])


def mkosi_now(text):
    """Compares what follows the name, so a number comes first."""
    version = text.split()[1]
    assert version[0].isdigit() and re.fullmatch(r"[\w.~^-]+", version)
    return int(re.match(r"\d+", version).group())


def ansible(text):
    return int(re.match(r"^systemd\s+(\d+)\D", text).group(1))


@pytest.mark.parametrize("parser", [debspawn, mkosi_14, mkosi_now, ansible])
def test_callers_understand_the_version(parser, reference):
    result = run("--version", command=reference)
    assert (result.code, result.err) == (0, b"")
    assert parser(result.text) >= 254, "too old to boot a system for some of them"


def test_version(reference):
    lines = run("--version").text.splitlines()
    assert re.fullmatch(r"nspawn \d+\.\d+", lines[0]) and len(lines) == 3
    assert all(re.fullmatch(r"[+-][A-Z]+", word) for word in lines[1].split())
    assert "+SECCOMP" in lines[1].split() and "settings=yes" in lines[2].split()
    other = run("--version", command=reference).text.splitlines()
    number = lines[0].split()[1]
    assert re.fullmatch(rf"systemd \d+ \(nspawn {re.escape(number)}\)", other[0]) and other[1:] == lines[1:]


@pytest.mark.parametrize("feature,words", [("SELINUX", ["-Z", "a:b:c"]), ("USERNS", ["--private-users=pick"]), ("IMAGES", ["--image=/x"]),
                                           ("APPARMOR", ["--apparmor-profile=x"]), ("JOURNAL", ["-j"]),
                                           ("CREDENTIALS", ["--set-credential=a:b"]), ("OVERLAYS", ["--overlay=/a:/b"])])
def test_features_are_what_is_not_refused(feature, words):
    is_there = f"+{feature}" in run("--version").text.splitlines()[1].split()
    assert ("not available yet" not in run(*words, "-D", "/nonexistent").complaint) == is_there


def test_verbs_are_words_of_the_command_for_the_reference(reference):
    result = run("config", "-D", "/nonexistent", command=reference)
    assert result.code == 1 and "Usage" not in result.text and not result.out
