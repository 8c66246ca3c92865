# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn@.service and what systemctl does with it; the line of systemd-nspawn@.service with our executable."""
import pytest


def show(host, unit, *properties):
    text = host.check(f"systemctl show {unit} " + " ".join(f"-p {each}" for each in properties)).text
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.fixture
def unit(host):
    """A machine of its own tree in the unit of its name, stopped at the end."""
    names = []

    def make(name, kind="busybox", entries=None):
        host.machine(name, kind, entries)
        names.append(name)
        return f"nspawn@{name}.service"

    yield make
    for name in names:
        host.run(f"systemctl stop nspawn@{name} systemd-nspawn@{name}; systemctl reset-failed nspawn@{name} systemd-nspawn@{name} 2>/dev/null")


def test_systemd_finds_nothing_wrong_with_the_units(host):
    for options, user in (("", None), ("--user", "eva")):
        result = host.run(f"systemd-analyze verify {options} --man=no --recursive-errors=no nspawn@one.service", user=user)
        assert (result.code, result.complaint) == (0, "")


def test_start_status_restart_stop(host, unit):
    name, began = unit("one"), host.check("date +%s.%N").text.strip()
    host.check(f"systemctl start {name}")
    found = show(host, name, "ActiveState", "Type", "Slice", "StatusText", "MainPID", "ControlGroup", "Delegate", "TasksMax", "WatchdogUSec", "CoredumpReceive")
    assert (found["ActiveState"], found["Slice"], found["Delegate"], found["TasksMax"]) == ("active", "machine.slice", "yes", "16384")
    assert found["WatchdogUSec"] == "3min" and found["CoredumpReceive"] == "yes" and found["StatusText"].startswith("Container ")
    status = host.check(f"systemctl status --no-pager {name}").text
    assert "supervisor" in status and "payload" in status and "/usr/bin/nspawn" in status and "init" in status
    tree = host.check(f"systemd-cgls --no-pager --unit {name}").text
    assert "payload" in tree and "supervisor" in tree
    host.check(f"systemctl restart {name}")
    assert show(host, name, "MainPID")["MainPID"] != found["MainPID"]
    host.check(f"systemctl stop {name}")
    assert show(host, name, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert host.check(f"journalctl -q --no-pager -p notice --since=@{began} -u {name}").text == "", "starts and stops are no reason for a word"


def test_a_reboot_inside_restarts_the_unit(host, unit):
    name = unit("one")
    host.check(f"systemctl start {name}")
    before = show(host, name, "MainPID")["MainPID"]
    leader = host.check(f"pgrep -P {before}").text.strip()
    host.check(f"nsenter -t {leader} -m -p reboot")
    host.wait_until(f"systemctl show -P NRestarts {name} | grep -qx 1 && systemctl is-active -q {name}")
    found = show(host, name, "MainPID", "Result", "NRestarts")
    assert found["MainPID"] != before and found["Result"] == "success"


def test_a_poweroff_inside_ends_the_unit_for_good(host, unit):
    name = unit("one")
    host.check(f"systemctl start {name}")
    leader = host.check(f"pgrep -P $(systemctl show -P MainPID {name})").text.strip()
    host.check(f"nsenter -t {leader} -m -p poweroff")
    host.wait_until(f"systemctl show -P ActiveState {name} | grep -qx inactive")
    assert show(host, name, "Result", "NRestarts") == {"Result": "success", "NRestarts": "0"}


def test_a_killed_supervisor_leaves_nothing(host, unit):
    name = unit("one")
    host.check(f"systemctl start {name} && ip link show ve-one >/dev/null && kill -9 $(systemctl show -P MainPID {name})")
    host.wait_until(f"systemctl show -P ActiveState {name} | grep -qx failed")
    assert host.run("ip link show ve-one").code != 0, "the unit's ExecStopPost did not take the cable away"
    host.check(f"systemctl reset-failed {name}; systemctl start {name}")


def test_the_watchdog_hears_from_us(host, unit):
    name = unit("one")
    host.check(f"mkdir -p /etc/systemd/system/{name}.d && printf '[Service]\\nWatchdogSec=1s\\n' >/etc/systemd/system/{name}.d/watch.conf && systemctl daemon-reload")
    host.check(f"systemctl start {name}; sleep 2.5; systemctl is-active {name}")
    main = show(host, name, "MainPID")["MainPID"]
    host.check(f"kill -STOP {main}")
    host.wait_until(f"! systemctl is-active -q {name}", timeout=10)
    assert show(host, name, "Result")["Result"] == "watchdog"
    host.check(f"kill -CONT {main} 2>/dev/null; systemctl stop {name}; rm -r /etc/systemd/system/{name}.d; systemctl daemon-reload")


def test_machines_target_starts_what_is_enabled(host, unit):
    name = unit("one")
    host.check(f"systemctl enable {name} && systemctl stop machines.target && systemctl start machines.target")
    host.wait_until(f"systemctl is-active -q {name}")
    host.check(f"systemctl stop machines.target; systemctl is-active {name} && exit 1; systemctl disable {name}")


def test_the_unit_of_systemd_with_our_executable(host, unit):
    unit("two")
    assert "(nspawn " in host.check("systemd-nspawn --version").text
    host.check("systemctl start systemd-nspawn@two.service")
    status = host.check("systemctl status --no-pager systemd-nspawn@two.service").text
    assert "systemd-nspawn --quiet --keep-unit --boot --link-journal=try-guest" in status and "payload" in status, status
    host.check("systemctl stop systemd-nspawn@two.service")
    assert show(host, "systemd-nspawn@two", "Result")["Result"] == "success"


def test_a_debian_says_when_it_is_ready(host, unit):
    """And it stops in its own way, with ids of its own and a cable."""
    name = unit("deb", "trixie")
    host.check("mkdir -p /etc/systemd/nspawn && printf '[Exec]\\nNotifyReady=yes\\n' >/etc/systemd/nspawn/deb.nspawn")
    try:
        host.check(f"systemctl start {name}", timeout=90)
        assert show(host, name, "StatusText", "ActiveState") == {"ActiveState": "active", "StatusText": "Container running: Startup finished in"} or \
            "Container running" in show(host, name, "StatusText")["StatusText"]
        host.check(f"systemctl stop {name}", timeout=90)
        assert show(host, name, "Result", "ActiveState") == {"Result": "success", "ActiveState": "inactive"}
    finally:
        host.check("rm -r /etc/systemd/nspawn")


def test_a_user_has_machines_too(host):
    host.check("cd /home/eva && mkdir -p .local/state/machines && cp -a /trees/busybox .local/state/machines/mine && chown -R eva: .local")
    try:
        host.check("systemctl --user start nspawn@mine.service && systemctl --user status --no-pager nspawn@mine.service | grep -q payload && systemctl --user stop nspawn@mine.service",
                   user="eva")
        assert host.check("systemctl --user show -P Result nspawn@mine.service", user="eva").text.strip() == "success"
    finally:
        host.check("systemctl --user stop nspawn@mine.service; systemctl --user reset-failed", user="eva")
        host.check("rm -rf /home/eva/.local")
