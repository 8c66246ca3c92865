# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's services fail, or machines begin again and again: a machine runs on and is known afterwards."""
import pytest

# Reboots that many times from inside, then powers off.
AGAIN = """#!/bin/sh
n=$(cat /count 2>/dev/null || echo 0)
echo $((n + 1)) >/count
[ $n -ge {} ] && exec poweroff -f
exec reboot -f
"""
KNOWN = "machinectl show -P State {0} 2>/dev/null | grep -q running"


@pytest.fixture
def one(host):
    host.machine("one")
    with host.boots("one"):
        yield "one"


def test_the_machine_manager_is_killed(host, one):
    host.check("systemctl kill --signal=KILL systemd-machined; systemctl restart systemd-machined")
    host.wait_until(KNOWN.format(one))
    host.check("nspawn exec one -- true && machinectl terminate one")
    host.wait_until("! systemctl is-active -q run-one && ! machinectl show one >/dev/null 2>&1")


def test_the_machine_manager_is_not_there(host):
    host.machine("one")
    host.check("systemctl mask --runtime --now systemd-machined dbus-org.freedesktop.machine1")
    try:
        with host.boots("one", ready="nspawn exec {0} -- true 2>/dev/null"):
            assert host.check("nspawn list --no-legend").text.split()[:3] == ["one", "container", "nspawn"]
            assert "run-one.service" in host.check("nspawn status one").text
            host.check("nspawn terminate one")
        host.check("nspawn -q -a -D /var/lib/machines/one true")
    finally:
        host.check("systemctl unmask --runtime systemd-machined dbus-org.freedesktop.machine1; systemctl start systemd-machined")


def test_the_bus_begins_anew(host, one):
    host.check("systemctl restart dbus && systemctl restart systemd-machined systemd-logind")
    host.check("nspawn exec one -- true && nspawn status one >/dev/null")
    host.wait_until(KNOWN.format(one))
    host.check("nspawn poweroff one")
    host.wait_until("! machinectl show one >/dev/null 2>&1 && ! systemctl is-active -q run-one")
    assert host.check("systemctl show -P Result run-one").text == "success\n"


def test_twenty_reboots_in_a_scope(host):
    host.machine("again", entries={"usr/lib/systemd/systemd!": AGAIN.format(20)})
    result = host.check("nspawn -q -b -D /var/lib/machines/again </dev/null", timeout=120)
    assert (host.machines / "again/count").read_text() == "21\n" and "nspawn: " not in result.text + result.complaint


def test_six_reboots_in_a_unit(host):
    """Each is a start of the unit by its exit status, of which a manager would by itself allow five in ten seconds."""
    host.machine("again", entries={"usr/lib/systemd/systemd!": AGAIN.format(6)})
    try:
        host.check("systemctl start nspawn@again", timeout=120)
        host.wait_until("systemctl show -P ActiveState nspawn@again | grep -qx inactive && grep -qx 7 /var/lib/machines/again/count", timeout=60)
        assert host.check("systemctl show -P Result nspawn@again").text == "success\n"
        said = host.check("journalctl -q --no-pager -o cat -t nspawn -u nspawn@again").text
        assert "exists" not in said and "Cannot" not in said, said
    finally:
        host.check("systemctl stop nspawn@again; systemctl reset-failed nspawn@again 2>/dev/null || :")


def test_a_killed_supervisor_begins_again(host):
    host.machine("one")
    host.check("mkdir -p /run/systemd/system/nspawn@one.service.d && "
               "printf '[Service]\\nRestart=on-failure\\nRestartSec=0\\n' >/run/systemd/system/nspawn@one.service.d/x.conf && systemctl daemon-reload && systemctl start nspawn@one")
    try:
        for count in (1, 2, 3):
            before = host.check("systemctl show -P MainPID nspawn@one").text.strip()
            host.check(f"kill -9 {before}")
            host.wait_until(f"test $(systemctl show -P NRestarts nspawn@one) = {count} && systemctl is-active -q nspawn@one")
        host.wait_until(KNOWN.format("one"))
        host.check("nspawn exec one -- true")
    finally:
        host.check("systemctl stop nspawn@one; rm -r /run/systemd/system/nspawn@one.service.d; systemctl daemon-reload; systemctl reset-failed nspawn@one 2>/dev/null || :")


def test_a_user_has_a_scope(host):
    """His manager makes it. systemd 257 has no machine manager for users, so only our own list knows the machine."""
    host.check("cd /home/eva && mkdir -p .local/state/machines && cp -a /trees/busybox .local/state/machines/mine && chown -R eva: .local")
    try:
        host.check("systemd-run --user -q --unit=typing --service-type=notify --collect nspawn -q -b -M mine -D .local/state/machines/mine", user="eva", setup=("-p", "WorkingDirectory=/home/eva"))
        assert "nspawn" in host.check("nspawn list --no-legend", user="eva").text
        host.check("systemctl --user is-active machine-mine.scope && nspawn exec mine -- true && nspawn terminate mine", user="eva")
        host.wait_until("test ! -e /run/user/1000/nspawn/mine")
    finally:
        host.run("systemctl --user stop typing machine-mine.scope; systemctl --user reset-failed", user="eva")
        host.check("rm -rf /home/eva/.local")
