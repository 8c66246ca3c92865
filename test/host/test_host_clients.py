# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd's own programs with machines of ours: machinectl, systemctl, systemd-cgls, loginctl, journalctl, busctl."""
import json

import pytest

BUSY = "busybox"
PAUSE = 40  # seconds that a loaded machine may take for one step


@pytest.fixture(scope="module")
def debian(bed):
    """One Debian that boots once for the tests that only look, in the unit of its name."""
    bed.machine("deb", "trixie")
    bed.check("mkdir -p /etc/systemd/nspawn && printf '[Exec]\\nNotifyReady=yes\\n' >/etc/systemd/nspawn/deb.nspawn")
    bed.check("systemctl start nspawn@deb", timeout=120)
    try:
        yield "deb"
    finally:
        bed.run("systemctl stop nspawn@deb; systemctl reset-failed nspawn@deb 2>/dev/null; rm -r /etc/systemd/nspawn", timeout=120)
        bed.remove("deb")


def properties(bed, name):
    return dict(line.split("=", 1) for line in bed.check(f"machinectl show {name}").text.splitlines())


def test_list(bed, debian):
    lines = bed.check("machinectl list --no-legend").text.splitlines()
    assert len(lines) == 1 and lines[0].split()[:5] == ["deb", "container", "systemd-nspawn", "debian", "13"]
    listed = json.loads(bed.check("machinectl list --output=json").text)
    assert [(each["machine"], each["class"]) for each in listed] == [("deb", "container")]


def test_show(bed, debian):
    found = properties(bed, debian)
    assert found["Name"] == "deb" and found["Class"] == "container" and found["State"] == "running"
    assert found["Unit"] == "nspawn@deb.service" and found["RootDirectory"] == "/var/lib/machines/deb"
    assert bed.check(f"cat /proc/{found['Leader']}/comm").text == "systemd\n"
    assert bed.check(f"tr -d '-' </proc/{found['Leader']}/root/etc/machine-id").text.strip() == found["Id"]
    link = bed.check("cat /sys/class/net/ve-deb/ifindex").text.strip()
    known = bed.check("busctl get-property org.freedesktop.machine1 /org/freedesktop/machine1/machine/deb org.freedesktop.machine1.Machine NetworkInterfaces").text
    assert known.split() == ["ai", "1", link]


def test_status_has_the_tree_of_processes(bed, debian):
    text = bed.check("machinectl status deb --no-pager --full").text
    for wanted in ("Leader:", "Service: systemd-nspawn", "Root: /var/lib/machines/deb", "OS: Debian GNU/Linux 13", "Unit: nspawn@deb.service", "init.scope",
                   "systemd-journald", "Iface: ve-deb", "ID Shift: "):
        assert wanted in text, text


def test_trees_of_groups(bed, debian):
    """Each manager sees its own part: the host's all of it, below payload the machine's."""
    text = bed.check("systemd-cgls --no-pager -M deb").text
    assert "init.scope" in text and "system.slice" in text and "dbus-daemon" in text
    status = bed.check("systemctl status --no-pager nspawn@deb").text
    assert "payload" in status and "supervisor" in status and "systemd-journald" in status


def test_the_manager_inside_is_reached(bed, debian):
    assert bed.check("systemctl -M deb is-system-running --wait").text.strip() in ("running", "degraded")
    assert "dbus.service" in bed.check("systemctl -M deb list-units --plain --no-legend --no-pager").text
    assert "SESSION" in bed.check("loginctl -M deb list-sessions").text or "No sessions" in bed.check("loginctl -M deb list-sessions").text
    assert "org.freedesktop.systemd1" in bed.check("busctl -M deb list --no-legend --no-pager").text
    assert "deb" in bed.check("hostnamectl -M deb hostname 2>/dev/null || cat /var/lib/machines/deb/etc/hostname; echo deb").text


def test_the_journal_inside(bed, debian):
    assert "systemd" in bed.check("journalctl -M deb -q --no-pager -n 20").text
    assert bed.check("journalctl -q --no-pager -u nspawn@deb").text != ""


def test_systemd_run_in_it(bed, debian):
    result = bed.run("systemd-run -M deb -q --wait -p Type=oneshot /bin/sh -c 'exit 7'")
    assert result.code == 7


def no_getty(bed):
    """The manager inside starts a getty anew whose terminal is gone: it would sit on the next one of that number."""
    bed.check("systemctl -M deb stop 'container-getty@*'")


def test_login_and_shell(bed, debian):
    with bed.terminal("machinectl", "login", "deb") as screen:
        screen.expect("login: ", timeout=PAUSE)
        screen.line("root")
        screen.expect("# ", timeout=PAUSE)
        screen.line("echo in-$((40 + 2))-it; cat /proc/1/comm; exit")
        screen.expect("in-42-it", timeout=PAUSE)
        screen.expect("login: ", timeout=PAUSE)
        screen.send(b"\x1d\x1d\x1d")
        screen.wait(timeout=PAUSE)
    no_getty(bed)
    with bed.terminal("machinectl", "shell", "root@deb", "/bin/sh", "-c", "echo as-$(id -un)-in-$(cat /proc/1/comm)") as screen:
        screen.expect("as-root-in-systemd", timeout=PAUSE)
        screen.wait(timeout=PAUSE)


def test_our_login_and_shell(bed, debian):
    """Each login gets the terminal of the one before, whose getty was begun again in vain until the manager inside gave up."""
    for _ in range(2):
        with bed.terminal("nspawn", "login", "deb") as screen:
            screen.expect("login: ", timeout=PAUSE)
            screen.line("root")
            screen.expect("# ", timeout=PAUSE)
            screen.line("echo in-$((40 + 2))-it; cat /proc/1/comm")
            screen.expect("in-42-it", timeout=PAUSE)
            screen.send(b"\x1d\x1d\x1d")
            assert screen.wait(timeout=PAUSE) == 0
        bed.wait_until("systemctl -M deb is-failed -q 'container-getty@*'")
    no_getty(bed)
    with bed.terminal("nspawn", "shell", "root@deb", "/bin/sh", "-c", "echo as-$(id -un)-in-$(cat /proc/1/comm)") as screen:
        screen.expect("as-root-in-systemd", timeout=PAUSE)
        assert screen.wait(timeout=PAUSE) == 0


def test_our_verbs_know_what_the_host_knows(bed, debian):
    listed = json.loads(bed.check("nspawn list --json").text)
    assert [(each["machine"], each["class"], each["os"], each["version"]) for each in listed] == [("deb", "container", "debian", "13")]
    text, found = bed.check("nspawn status deb").text, properties(bed, "deb")
    for wanted in ("nspawn@deb.service", f"Leader: {found['Leader']} (systemd)", "Iface: ve-deb", "Debian GNU/Linux 13", "init.scope"):
        assert wanted in text, text
    assert bed.check("nspawn exec deb -- systemctl is-active dbus").text == "active\n"
    assert [line.split()[0] for line in bed.check("nspawn limits deb").text.splitlines()] == ["RESOURCE", "memory", "cpus", "tasks", "io-weight"]


def test_copies_where_ids_are_mapped(bed, debian):
    bed.check("machinectl copy-to deb /etc/hostname /root/copied && machinectl copy-from deb /root/copied /tmp/back && cmp /etc/hostname /tmp/back && rm /tmp/back")
    assert bed.check("nspawn exec deb -- stat -c %u:%g /root/copied").text == "0:0\n"
    # What is made by the host's root and kept is nobody's inside, and nobody inside can become its owner.
    leader = properties(bed, "deb")["Leader"]
    bed.check(f"touch /proc/{leader}/root/root/kept && stat -c %u /var/lib/machines/deb/root/kept | grep -qx 2147483646")
    assert bed.check("nspawn exec deb -- stat -c %u:%g /root/kept").text == "65534:65534\n"
    assert bed.run("nspawn exec deb -- chown 2147483646 /root/copied").code != 0


def test_bus_of_the_machine_manager(bed, debian):
    path = bed.check("busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager GetMachine s deb").text
    assert path.startswith('o "/org/freedesktop/machine1/machine/deb')
    text = bed.check("busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager GetMachineOSRelease s deb").text
    assert '"ID" "debian"' in text


# --- What ends a machine: each has one of its own ---


@pytest.fixture
def small(host):
    """A busybox in the unit of its name."""
    host.machine("small", BUSY)
    host.check("systemctl start nspawn@small")
    yield "small"
    host.run("systemctl stop nspawn@small; systemctl reset-failed nspawn@small 2>/dev/null")


def leader(host, name):
    return host.check(f"machinectl show -P Leader {name}").text.strip()


@pytest.mark.parametrize("verb", ["terminate small", "kill small --kill-whom=leader --signal=KILL", "kill small --signal=KILL"])
def test_it_is_ended(host, small, verb):
    host.check(f"machinectl {verb}")
    host.wait_until("! machinectl show small >/dev/null 2>&1")
    host.wait_until("! systemctl is-active -q nspawn@small")


def test_bind_and_copy(host):
    """machinectl binds nothing where ids are mapped."""
    host.machine("plain", BUSY)
    with host.boots("plain", "--private-users=no"):
        host.check("mkdir -p /tmp/shared && echo seen >/tmp/shared/file && machinectl bind --mkdir plain /tmp/shared /mnt/shared")
        assert host.check(f"nsenter -t {leader(host, 'plain')} -m cat /mnt/shared/file").text == "seen\n"
        host.check("machinectl copy-to plain /tmp/shared/file /root/copied && machinectl copy-from plain /root/copied /tmp/shared/back")
        assert host.check("cat /tmp/shared/back").text == "seen\n"
        host.check("rm -r /tmp/shared")


def test_reboot_and_poweroff(host):
    """machinectl sends the signals of systemd's own init: a Debian does as they say."""
    host.machine("deb2", "trixie")
    host.check("mkdir -p /etc/systemd/nspawn && printf '[Exec]\\nNotifyReady=yes\\n' >/etc/systemd/nspawn/deb2.nspawn")
    try:
        host.check("systemctl start nspawn@deb2", timeout=120)
        before = leader(host, "deb2")
        host.check("machinectl reboot deb2")
        host.wait_until(f"l=$(machinectl show -P Leader deb2 2>/dev/null) && test $l != {before} && systemctl is-active -q nspawn@deb2", timeout=90)
        host.check("machinectl poweroff deb2")
        host.wait_until("systemctl show -P ActiveState nspawn@deb2 | grep -qx inactive", timeout=60)
        assert host.check("systemctl show -P Result nspawn@deb2").text == "success\n"
    finally:
        host.run("systemctl stop nspawn@deb2; systemctl reset-failed nspawn@deb2 2>/dev/null; rm /etc/systemd/nspawn/deb2.nspawn; rmdir --ignore-fail-on-non-empty /etc/systemd/nspawn")


# --- In a scope, as somebody types it ---


def test_in_a_scope(host):
    host.machine("typed", BUSY)
    host.check("systemd-run -q --collect --unit=typing --service-type=notify nspawn -q -b -M typed --property=MemoryMax=64M --property=TasksMax=300")
    try:
        host.wait_until("machinectl show typed >/dev/null 2>&1")
        found = properties(host, "typed")
        assert found["Unit"] == "machine-typed.scope" and found["State"] == "running"
        assert host.check("systemctl show -P Slice machine-typed.scope").text == "machine.slice\n"
        assert host.check("systemctl show -P MemoryMax -P TasksMax machine-typed.scope").text.split() == ["67108864", "300"]
        assert "memory" in host.check("nspawn limits typed").text
        host.check("systemctl stop machine-typed.scope")
        host.wait_until("! machinectl show typed >/dev/null 2>&1 && ! systemctl is-active -q typing")
    finally:
        host.run("systemctl stop typing")
