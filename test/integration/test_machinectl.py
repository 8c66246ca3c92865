# SPDX-License-Identifier: LGPL-2.1-or-later
"""Called as machinectl: the lines that callers of that program write, and what they read out of the answers."""
import json
import os
import pathlib
import re
import stat

import pytest

from lab.run import leader_of, program

pytestmark = pytest.mark.requires("root")
THEIRS = [pathlib.Path("/usr/bin/machinectl"), pathlib.Path("/bin/machinectl")]


@pytest.fixture
def machinectl(tmp_path, run):
    path = tmp_path / "machinectl"
    path.symlink_to(program()[0])
    return lambda *words, **more: run(*words, command=[path], **more)


@pytest.fixture
def web(tree, Running):
    root = tree()
    with Running("-q", "-D", root, "-M", "web", "-P", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        machine.root, machine.leader = root, leader_of(machine.pid)
        yield machine


def test_version_is_a_number(machinectl):
    """A connection plugin of Ansible matches this on the first line."""
    assert re.match(r"^systemd\s+(\d+)\D", machinectl("--version").text)


def test_mock(machinectl, web):
    """mock looks whether a root is in use, whose it is, and ends it."""
    assert [line.split()[0] for line in machinectl("list", "--no-legend", "--no-pager").text.splitlines()] == ["web"]
    assert machinectl("show", "-pRootDirectory", "web").text == f"RootDirectory={web.root}\n"
    assert machinectl("show", "--property=Unit", "web").text.startswith("Unit=")
    assert machinectl("terminate", "web").code == 0
    web.wait(5)
    assert machinectl("list", "--no-legend", "--no-pager").out == b""
    assert machinectl("terminate", "web").code == 1


def test_cockpit(machinectl, web):
    result = machinectl("list", "--output=json", "--no-pager")
    assert json.loads(result.out) == [{"machine": "web", "class": "container", "service": "nspawn", "os": "probe", "version": None,
                                       "addresses": None}]
    assert machinectl("show", "web", "--property=State").text == "State=running\n"
    assert machinectl("poweroff", "web").code == 0
    web.wait(5)


def test_nixos_nspawn(machinectl, web):
    assert machinectl("show", "web", "--property", "Leader", "--value").text == f"{web.leader}\n"
    assert machinectl("show", "web", "--property", "State", "--value").text == "running\n"


def test_status_names_the_leader(machinectl, web):
    text = machinectl("status", "web", "--no-pager", "-l", "-n", "5").text
    assert re.search(rf"^\s*Leader: {web.leader}\b", text, re.M)


def test_show_is_lines_of_key_and_value(machinectl, web):
    found = dict(line.split("=", 1) for line in machinectl("show", "web").text.splitlines())
    assert {"Name", "State", "Leader", "RootDirectory", "Class", "Service"} <= set(found) and found["Name"] == "web"
    assert web.process.poll() is None


@pytest.mark.parametrize("words", [["--no-legend", "list"], ["list", "--no-legend", "-l"], ["--no-pager", "--no-legend"],
                                   ["-q", "--no-ask-password", "list", "--no-legend", "--lines=3", "--kill-whom=leader"]])
def test_options_stand_anywhere(machinectl, web, words):
    result = machinectl(*words)
    assert result.code == 0 and result.text.split()[0] == "web" and not result.err and web


def test_unknown_machines_and_verbs(machinectl):
    for words in (["show", "nonesuch"], ["status", "nonesuch"], ["show", "nonesuch", "-pUnit"], ["poweroff", "nonesuch"],
                  ["kill", "nonesuch"]):
        result = machinectl(*words)
        assert result.code == 1 and result.out == b"" and "'nonesuch'" in result.complaint
    result = machinectl("no-such-verb")
    assert result.code == 1 and "There is no verb 'no-such-verb'" in result.complaint


def test_help_lists_the_verbs(machinectl):
    text = machinectl("--help").text
    assert all(re.search(rf"^  {verb} ", text, re.M) for verb in ("list", "status", "show", "poweroff", "stop", "kill"))


@pytest.fixture
def theirs(tmp_path):
    """The host's own machinectl is a program of ours meanwhile, in this mount namespace alone; or there is none."""
    from lab.run import run
    place = THEIRS[0]
    if not place.exists():
        pytest.skip("the host has no machinectl to cover")

    def cover(with_what):
        source = tmp_path / "theirs"
        if with_what is None:
            source.write_text("")
            source.chmod(0o644)
        else:
            source.write_text(with_what)
            source.chmod(0o755)
        assert run("--bind", source, place, command=["mount"]).code == 0

    yield cover
    run(place, command=["umount"])


def test_what_is_not_ours_goes_to_theirs(machinectl, theirs):
    theirs('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    for words in (["list-images", "--output=json"], ["pull-tar", "--verify=no", "http://x/y.tar", "a b"], ["-M", "web", "status"],
                  ["--host=other", "list"], ["remove", "x"], ["show-image", "x"]):
        result = machinectl(*words)
        assert result.code == 7 and result.text == "".join(f"{word}|" for word in words)


def test_without_theirs_it_says_what_does_the_same(machinectl, theirs):
    theirs(None)
    result = machinectl("clone", "a", "b")
    assert result.code == 1 and "there is none on this host" in result.complaint and "nspawn --template=" in result.complaint


def test_it_does_not_call_itself(run, theirs, machinectl):
    """Installed in the place of the other one there is nobody to go to."""
    place = THEIRS[0]
    theirs("#!/bin/sh\n")
    assert run("--bind", program()[0], place, command=["mount"]).code == 0
    try:
        assert stat.S_ISREG(os.stat(place).st_mode)
        result = run("list-images", command=[place], timeout=10)
        assert result.code == 1 and "there is none on this host" in result.complaint
    finally:
        run(place, command=["umount"])
    assert machinectl("list").code == 0
