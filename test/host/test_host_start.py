# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn start, enable and disable, by the manager of the system and of a user."""
import re

import pytest

CONF = "/etc/systemd/system/nspawn@{}.service.d/50-nspawn-enable.conf"


@pytest.fixture
def machines(host):
    """Trees with these names; stopped and disabled at the end."""
    names = []

    def make(*wanted):
        for name in wanted:
            names.append(name)
            host.machine(name)

    yield make
    units = " ".join(f"nspawn@{name}" for name in names)
    host.run(f"systemctl stop {units}; systemctl reset-failed {units} 2>/dev/null")


def test_start_waits_until_they_run(host, machines):
    machines("a-1", "b.2")
    result = host.check("nspawn start a-1 b.2 && systemctl is-active nspawn@a-1 nspawn@b.2")
    assert result.text.split() == ["active", "active"] and result.complaint == ""
    assert host.check("nspawn start a-1").complaint == "", "what runs is left alone"


def test_a_machine_that_does_not_start(host, machines):
    machines()
    result = host.run("nspawn start nosuch")
    assert result.code == 1 and result.text == ""
    assert re.fullmatch(r"nspawn: Machine 'nosuch' did not start: No image for machine 'nosuch' found in: .*/var/lib/machines .*\n"
                        r"nspawn: See 'journalctl -n 20 -u nspawn@nosuch'\n", result.complaint), result
    assert "nosuch" in host.check("journalctl -q --no-pager -n 20 -u nspawn@nosuch").text
    host.check("systemctl reset-failed nspawn@nosuch")


def test_one_that_fails_keeps_no_other_from_starting(host, machines):
    machines("good")
    result = host.run("nspawn start nosuch good")
    assert result.code == 1 and host.check("systemctl is-active nspawn@good").text == "active\n"
    host.check("systemctl reset-failed nspawn@nosuch")


def test_enable_now_and_disable_now(host, machines):
    machines("one")
    host.check("nspawn enable --now one")
    assert host.check("systemctl is-enabled nspawn@one machines.target; systemctl is-active nspawn@one").text.split() == ["enabled", "enabled", "active"]
    host.check("nspawn disable --now one")
    assert host.run("systemctl is-enabled nspawn@one; systemctl is-active nspawn@one").text.split() == ["disabled", "inactive"]
    assert host.run(f"test -e {CONF.format('one')}").code == 1


def test_order_and_delay_are_a_drop_in(host, machines):
    machines("web", "db")
    host.check("nspawn enable web --after=db --delay=7")
    found = host.check("systemctl show -p After -p Wants -p TimeoutStartUSec -p ExecStartPre nspawn@web").text
    assert "nspawn@db.service" in found.split("After=")[1].split("\n")[0] and "nspawn@db.service" in found.split("Wants=")[1].split("\n")[0]
    assert "TimeoutStartUSec=2min 7s" in found and "exec sleep 7" in found
    # The host runs: nobody waits.
    host.check("nspawn start web", timeout=6)
    assert host.check("systemctl is-active nspawn@db nspawn@web").text.split() == ["active", "active"]
    before, after = (int(host.check(f"systemctl show -P ActiveEnterTimestampMonotonic nspawn@{name}").text) for name in ("db", "web"))
    assert before <= after
    host.check("nspawn enable web")
    assert host.run(f"test -e {CONF.format('web')}").code == 0, "enabling again takes nothing back"
    host.check("nspawn disable web db")
    assert host.run("ls -d /etc/systemd/system/nspawn@web.service.d").code != 0


def test_what_others_wrote_stays(host, machines):
    machines("one")
    host.check("mkdir -p /etc/systemd/system/nspawn@one.service.d && printf '[Service]\\nNice=3\\n' >/etc/systemd/system/nspawn@one.service.d/own.conf")
    host.check("nspawn enable one --delay=1 && nspawn disable one")
    assert host.check("ls /etc/systemd/system/nspawn@one.service.d").text == "own.conf\n"
    host.check("rm -r /etc/systemd/system/nspawn@one.service.d && systemctl daemon-reload")


def test_only_what_is_there_is_enabled(host, machines):
    machines("one")
    result = host.run("nspawn enable one nosuch --after=one --delay=1")
    assert (result.code, result.text) == (1, "")
    assert re.fullmatch(r"nspawn: No image for machine 'nosuch' found in: .*/var/lib/machines .*\n", result.complaint), result
    assert host.run("systemctl is-enabled nspawn@one nspawn@nosuch").text.split() == ["disabled", "disabled"]
    assert host.run(f"test -e {CONF.format('one')}").code == 1, "nothing is half done"
    assert host.check("nspawn disable nosuch").complaint == "", "what is not enabled need not be there"


def test_a_tree_elsewhere_is_the_administrators_business(host):
    drop_in = "/etc/systemd/system/nspawn@far.service.d"
    host.check(f"mkdir {drop_in} && printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/nspawn --keep-unit -b -D /srv/far -M far\\n' >{drop_in}/own.conf")
    try:
        host.check("nspawn enable far && systemctl is-enabled nspawn@far && nspawn disable far")
    finally:
        host.run(f"rm -r {drop_in}; systemctl daemon-reload")


@pytest.mark.parametrize("words, complaint", [
    ("start", "'start' needs the name of a machine"),
    ("start --now a", "'start' does not take '--now'"),
    ("start ../a", "'../a' cannot be the name of a machine"),
    ("enable", "'enable' needs the name of a machine"),
    ("enable a --delay=x", "'--delay' takes seconds, 3600 at most, not 'x'"),
    ("enable a --delay=3601", "'--delay' takes seconds, 3600 at most, not '3601'"),
    ("enable a --after=b/c", "'b/c' cannot be the name of a machine"),
    ("disable a --after=b", "'disable' does not take '--after=b'"),
    ("enable 'a\nb'", "'a\\x0ab' cannot be the name of a machine"),
])
def test_words_that_mean_nothing(host, words, complaint):
    result = host.run(f"nspawn {words}")
    assert (result.code, result.text, result.complaint) == (1, "", f"nspawn: {complaint}\n")


def test_a_user_starts_and_enables(host):
    host.check("cd /home/eva && mkdir -p .local/state/machines && cp -a /trees/busybox .local/state/machines/mine && chown -R eva: .local")
    try:
        host.check("nspawn enable --now mine --delay=1 && systemctl --user is-active nspawn@mine && test -e ~/.config/systemd/user/nspawn@mine.service.d/50-nspawn-enable.conf",
                   user="eva")
        host.check("nspawn disable --now mine && ! systemctl --user is-active nspawn@mine", user="eva")
    finally:
        host.run("systemctl --user stop nspawn@mine; systemctl --user disable machines.target; systemctl --user reset-failed", user="eva")
        host.check("rm -rf /home/eva/.local /home/eva/.config")


# A mount namespace in which nothing of systemd's runs, as far as anybody can see.
ALONE = "unshare --mount sh -ec 'mount -t tmpfs none /run/systemd; "


def test_without_a_service_manager_it_stays_in_the_background(host, machines):
    machines("lone")
    result = host.check(ALONE + r'''
        nspawn start lone
        pid=$(grep -o "\"supervisor\":[0-9]*" /run/nspawn/lone/state.json | tr -dc 0-9)
        echo "session $(ps -o sid= -p $pid | tr -d " ") $pid"
        tr "\000" " " </proc/$pid/cmdline
        echo
        kill $pid
        while [ -e /proc/$pid ]; do sleep 0.1; done
        test ! -e /run/nspawn/lone' ''')
    session, words = result.text.splitlines()[:2]
    assert session.split()[1] == session.split()[2], "it outlives the terminal"
    assert words == "nspawn --quiet --boot --settings=override --machine=lone --link-journal=try-guest --network-veth -U "


def test_without_a_service_manager_it_says_why_not(host):
    result = host.run(ALONE + "nspawn start nosuch'")
    assert result.code == 1 and "nosuch" in result.complaint
    assert result.complaint.endswith("nspawn: Machine 'nosuch' did not start: what nspawn says is above\n")


def test_without_a_service_manager_nothing_is_enabled(host):
    result = host.run(ALONE + "nspawn enable one'")
    assert result.code == 1 and "none is found" in result.complaint
