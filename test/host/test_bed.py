# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host itself: it is one, and what asks it tells the truth."""
import pytest


def test_it_is_a_host_with_systemd(host):
    result = host.check("cat /proc/1/comm; systemctl is-system-running; machinectl --version | head -n 1; nspawn --version")
    first, state, release, ours = result.text.splitlines()[:4]
    assert (first, state) == ("systemd", "running") and release.startswith("systemd 257") and ours.startswith("nspawn ")


def test_exit_code_output_and_input_are_those_of_the_command(host):
    result = host.run("cat; echo out; echo err >&2; exit 7", stdin=b"in\n")
    assert (result.code, result.text, result.complaint) == (7, "in\nout\n", "err\n")


def test_an_ordinary_user_has_a_manager_there(host):
    result = host.check("id -un; systemctl --user is-system-running; cat /proc/self/cgroup | grep ^0::", user="eva")
    assert result.text.split()[:2] == ["eva", "running"] and "/user.slice/user-1000.slice/user@1000.service/" in result.text


def test_a_command_that_never_ends_is_ended(host):
    with pytest.raises(AssertionError, match="not over after 1 s"):
        host.run("echo before; sleep 1000", timeout=1)
    assert host.run("pgrep -x sleep | xargs -r ps -o args= -p | grep 1000").code != 0


def test_a_terminal_there(host):
    with host.terminal("sh") as screen:
        screen.line("stty -echo; PS1='ready''# '")
        screen.expect("ready# ")
        screen.line("test -t 0 && grep -c ^0::/system.slice/terminals /proc/self/cgroup; exit 5")
        screen.expect("1")
        assert screen.wait() == 5


def test_a_machine_runs_nested(host):
    result = host.check("nspawn -q -x -D /trees/busybox -M nested sh -c 'echo $container; echo $$'")
    assert result.text == "systemd-nspawn\n1\n"


def test_what_is_left_behind_is_found(host):
    """The check that every test of this suite relies on."""
    before = host.inventory()
    host.check("mkdir -p /run/nspawn/left && ip link add left0 type veth peer name left1 && touch /etc/systemd/system/nspawn@left.service")
    found = host.left(before, patience=0)
    host.check("rm -r /run/nspawn/left /etc/systemd/system/nspawn@left.service; ip link del left0")
    assert found == ["left behind: directory /run/nspawn/left", "left behind: link left0", "left behind: link left1",
                     "left behind: unit file /etc/systemd/system/nspawn@left.service"]
