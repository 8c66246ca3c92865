# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines of systemd-nspawn beside ours: one list, one set of names, one lock for a tree."""
import json

import pytest

REFERENCE = "/opt/reference/systemd-nspawn"


# Its way to stop a machine, and machinectl's, is a signal that only systemd's init understands.
INIT = """#!/bin/sh
trap 'poweroff -f' 37 38
while :; do
	sleep 1000 &
	wait
done
"""


@pytest.fixture
def theirs(host):
    """A machine that systemd-nspawn runs, with ids of its own."""
    host.machine("theirs", entries={"usr/lib/systemd/systemd!": INIT})
    with host.boots("theirs", "-U", command=REFERENCE):
        yield "theirs"
    # What systemd-nspawn leaves behind itself.
    host.check("rmdir /run/systemd/nspawn/propagate/* /run/systemd/nspawn/unix-export/* 2>/dev/null; rm -f /run/systemd/nspawn/locks/inode-* /var/lib/machines/.#*")


def test_one_list_and_one_look(host, theirs):
    host.machine("ours")
    with host.boots("ours", "-U"):
        listed = {each["machine"]: each["service"] for each in json.loads(host.check("nspawn list --json").text)}
        assert listed == {"ours": "nspawn", "theirs": "systemd-nspawn"}
        leader = host.check("machinectl show -P Leader theirs").text.strip()
        text = host.check("nspawn status theirs").text
        assert f"Leader: {leader}" in text and "run-theirs.service" in text and "systemd-nspawn" in text, text
        assert f"Leader={leader}" in host.check("nspawn show theirs").text
        # Both write files into a machine whose ids are mapped, and they are its root's there.
        for name in ("ours", "theirs"):
            host.check(f"machinectl copy-to {name} /etc/hostname /root/copied")
            leader = host.check(f"machinectl show -P Leader {name}").text.strip()
            assert host.check(f"nsenter -t {leader} -U -m stat -c %u:%g /root/copied").text == "0:0\n"
            assert host.check(f"stat -c %u:%g /var/lib/machines/{name}/root/copied").text == "0:0\n"
            host.check(f"machinectl copy-from {name} /root/copied /tmp/back && cmp /tmp/back /etc/hostname && rm /tmp/back")


def test_what_only_ours_can(host, theirs):
    """The others' are known, so nobody hears that there is no such machine."""
    for verb in ("exec theirs true", "shell theirs", "login theirs", "console theirs", "limits theirs", "wait theirs", "copy-to theirs /etc/hostname", "top --once theirs"):
        result = host.run(f"nspawn {verb}")
        assert result.code in (1, 125) and "Machine 'theirs' is not one that nspawn has started" in result.complaint, result
    assert "which nspawn did not start" in host.run("nspawn pause theirs").complaint


@pytest.mark.parametrize("verb", ["terminate theirs", "kill theirs --kill-whom=leader --signal=KILL", "poweroff theirs"])
def test_our_verbs_end_theirs(host, theirs, verb):
    host.check(f"nspawn {verb}")
    host.wait_until("! machinectl show theirs >/dev/null 2>&1 && ! systemctl is-active -q run-theirs")


def test_a_name_of_ours_is_taken_for_them(host, theirs):
    host.machine("ours")
    with host.boots("ours"):
        assert host.run(f"{REFERENCE} -q -b -D /var/lib/machines/theirs -x -M ours").code != 0
        assert host.check("nspawn list --no-legend").text.count("\n") == 2
        host.check("nspawn exec ours -- true")


def test_a_name_of_theirs_is_taken_for_us(host, theirs):
    host.machine("ours")
    result = host.run("nspawn -q -b -D /var/lib/machines/ours -M theirs")
    assert result.code == 1 and "Another machine 'theirs'" in result.complaint, repr(result)
    host.check("machinectl show theirs")


def test_a_tree_that_is_in_use(host, theirs):
    result = host.run("nspawn -q -b -D /var/lib/machines/theirs -M another")
    assert result.code == 1 and "/var/lib/machines/theirs" in result.complaint, repr(result)
    host.machine("ours")
    with host.boots("ours"):
        result = host.run(f"{REFERENCE} -q -b -D /var/lib/machines/ours -M another")
        assert result.code != 0 and "currently busy" in result.complaint, repr(result)
