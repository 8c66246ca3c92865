# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each kind of init really boots, can be logged into, reboots, powers off, and stops when asked from outside."""
import signal
import socket

import pytest

pytestmark = pytest.mark.requires("root", "mirror")

SLOW = 180  # seconds, on a loaded machine

KINDS = ["bookworm", "trixie", "sysvinit", "openrc", "runit"]
POWER_OFF = {"runit": "init 0"}
REBOOT = {"runit": "init 6"}

# Units of Debian's systemd that fail where there is no hardware and no udev, each with its reason.
MAY_FAIL = {
    "systemd-remount-fs.service": "the root is what the host mounted",
    "dev-hugepages.mount": "huge pages are the host's",
    "sys-kernel-debug.mount": "debugfs is the host's",
    "sys-kernel-tracing.mount": "tracefs is the host's",
    "systemd-networkd-wait-online.service": "nobody configures a network here",
}


@pytest.mark.parametrize("kind", KINDS)
def test_login_reboot_login_poweroff(system, guest, kind):
    with guest(system(kind)) as screen:
        screen.login()
        assert screen.run("cat /proc/1/comm")[0] == 0
        code, text = screen.run("tty; id -u; cat /run/host/container-manager")
        assert code == 0 and "systemd-nspawn" in text and "\n0\n" in text
        screen.line(REBOOT.get(kind, "reboot"))
        screen.login()
        screen.line(POWER_OFF.get(kind, "poweroff"))
        assert screen.ends() == 0
        assert screen.is_restored()


@pytest.mark.parametrize("kind", KINDS)
def test_sigterm_stops_it_cleanly(system, guest, kind):
    """The init is asked in its own way to power off, and does so within its own time."""
    with guest(system(kind)) as screen:
        screen.expect("login: ", timeout=SLOW)
        screen.signal(signal.SIGTERM)
        assert screen.ends() == 0, screen
        assert screen.is_restored()


@pytest.mark.parametrize("kind", ["bookworm", "sysvinit"])
@pytest.mark.parametrize("letter", ["p", "r"])
def test_the_hotkeys_do_too(system, guest, kind, letter):
    with guest(system(kind)) as screen:
        screen.expect("login: ", timeout=SLOW)
        screen.send(b"\x1d\x1d" + letter.encode())
        if letter == "r":
            screen.expect("login: ", timeout=SLOW)
            screen.signal(signal.SIGTERM)
        assert screen.ends() == 0, screen


@pytest.mark.parametrize("kind", ["bookworm", "trixie"])
@pytest.mark.parametrize("options", [[], ["--private-network"]], ids=["host-network", "private-network"])
def test_systemd_comes_up_whole(system, guest, kind, options):
    with guest(system(kind), *options) as screen:
        screen.login()
        _, state = screen.run("systemctl is-system-running --wait", timeout=SLOW)
        assert state in ("running", "degraded")
        _, failed = screen.run("systemctl list-units --failed --plain --no-legend --no-pager | cut -d' ' -f1")
        assert set(failed.split()) <= set(MAY_FAIL), failed
        code, text = screen.run("systemd-detect-virt; systemctl is-active dbus.socket systemd-journald.service; journalctl -b -n1 -q --no-pager")
        assert text.startswith("systemd-nspawn\nactive\nactive\n"), text
        assert code == 0
        # Services get control groups of their own in the group that was delegated to the machine.
        code, text = screen.run("grep -c journald /sys/fs/cgroup/system.slice/systemd-journald.service/cgroup.procs; "
                                "cat /proc/$(systemctl show -P MainPID systemd-journald)/cgroup | grep ^0::")
        assert "0::/system.slice/systemd-journald.service" in text
        screen.line("poweroff")
        assert screen.ends() == 0
        assert "Failed unmounting" not in screen.text


def test_systemd_runs_units_with_sandboxes(system, guest):
    """What a unit asks of the kernel works inside: namespaces of its own, a private /tmp, a filter, a user."""
    with guest(system("bookworm")) as screen:
        screen.login()
        for properties in ("-p PrivateTmp=yes -p ProtectSystem=strict", "-p DynamicUser=yes", "-p PrivateNetwork=yes",
                           "-p SystemCallFilter=@system-service", "-p PrivateDevices=yes -p NoNewPrivileges=yes"):
            code, text = screen.run(f"systemd-run -q --wait --pipe {properties} /bin/echo worked </dev/null", timeout=60)
            assert (code, text) == (0, "worked"), properties
        screen.line("poweroff")
        assert screen.ends() == 0


def test_an_exit_code_set_inside_comes_out(system, guest):
    with guest(system("bookworm")) as screen:
        screen.login()
        screen.line("systemctl exit 42")
        assert screen.ends() == 42


def test_a_ready_systemd_says_so(system, guest, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(180)
        with guest(system("bookworm"), "--notify-ready=yes", env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as screen:
            heard = ""
            while "READY=1" not in heard:
                screen._read(0.05)
                manager.settimeout(0.1)
                try:
                    heard += manager.recv(4096).decode() + "\n"
                except (TimeoutError, socket.timeout):
                    assert screen.process.poll() is None, screen
            screen.expect("login: ", timeout=SLOW)
            screen.signal(signal.SIGTERM)
            assert screen.ends() == 0


def test_boot_of_a_read_only_tree(system, guest):
    """systemd with a read-only root comes up far enough to ask for a name, and writes nothing."""
    machine = system("bookworm")
    with guest(machine, "--read-only") as screen:
        screen.expect("login: ", timeout=SLOW)
        screen.signal(signal.SIGTERM)
        assert screen.ends() == 0
    assert (machine.root / "etc/machine-id").read_text() == ""
