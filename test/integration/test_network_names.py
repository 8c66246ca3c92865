# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of names in a machine whose network nspawn sets up: resolv.conf follows the host's, hosts is as it was at the end."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from lab.run import leader_of, program

pytestmark = [pytest.mark.requires("root", "netns", "veth"), pytest.mark.usefixtures("own_network")]

FIRST, SECOND = "nameserver 192.0.2.1\n", "nameserver 192.0.2.2\nsearch example.org\n"
LAYERS = [["-n"], ["-n", "-U"], ["-n", "--ephemeral"], ["-n", "--read-only"], ["-n", "-U", "--read-only"], ["-n", "--volatile=overlay"]]


@pytest.fixture
def etc(tmp_path):
    """The host's /etc, as nspawn finds it: a copy that a test may change."""
    path = tmp_path / "etc"
    path.mkdir()
    for name in ("passwd", "group", "subuid", "subgid", "machine-id", "os-release"):
        if os.path.exists(f"/etc/{name}"):
            shutil.copy(f"/etc/{name}", path / name)
    (path / "resolv.conf").write_text(FIRST)
    return path


@pytest.fixture
def machine(etc, tree, Running):
    """A machine that stays, on that host; it is watched when the fixture hands it out."""
    with_etc = ["unshare", "--mount", "--propagation=private", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc)]
    started = []

    def start(*options, root=None):
        machine = Running("-P", "-D", root or tree(kind="busybox"), "-M", "web", *options, "--", "/bin/sh", "-c", "echo ready; exec sleep 60",
                          command=[*with_etc, *program()])
        started.append(machine)
        machine.expect("ready")
        machine.inside = f"/proc/{leader_of(machine.pid)}/root/etc"
        return machine

    yield start
    for each in started:
        each.__exit__()


def watches(machine):
    """Whether the supervisor watches files: it holds a descriptor of inotify(7)."""
    folder = f"/proc/{machine.pid}/fd"
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # it opens and closes others meanwhile
            if os.readlink(f"{folder}/{fd}") == "anon_inode:inotify":
                return True
    return False


def becomes(what, wanted, seconds=5.0):
    deadline = time.monotonic() + seconds
    while what() != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    assert what() == wanted
    return True


def resolv_conf(machine):
    with open(f"{machine.inside}/resolv.conf", encoding="utf-8") as file:
        return file.read().rstrip("\n") + "\n"


def replace(etc, text):
    (etc / "new").write_text(text)
    (etc / "new").rename(etc / "resolv.conf")


@pytest.mark.parametrize("options", LAYERS, ids=" ".join)
def test_it_follows(machine, etc, options):
    """Replaced and written to; what came before watching began as well."""
    found = machine(*options)
    assert resolv_conf(found) == FIRST
    replace(etc, SECOND)
    becomes(lambda: resolv_conf(found), SECOND)
    assert watches(found)
    (etc / "resolv.conf").write_text(FIRST)
    becomes(lambda: resolv_conf(found), FIRST, seconds=1)
    status = os.stat(f"{found.inside}/resolv.conf")
    assert status.st_mode & 0o7777 == 0o644 and status.st_uid == os.stat(f"{found.inside}/..").st_uid
    assert os.listdir(found.inside).count("resolv.conf") == 1 and not [name for name in os.listdir(found.inside) if name.startswith(".#")]


def test_links_of_the_host_are_followed(machine, etc):
    """To a file elsewhere, and turned to another."""
    (etc / "one").mkdir()
    (etc / "two").mkdir()
    (etc / "one/servers").write_text(FIRST)
    (etc / "two/servers").write_text(SECOND)
    (etc / "resolv.conf").unlink()
    (etc / "resolv.conf").symlink_to("one/servers")
    found = machine("-n")
    becomes(lambda: watches(found), True)
    (etc / "one/servers").write_text("nameserver 192.0.2.3\n")
    becomes(lambda: resolv_conf(found), "nameserver 192.0.2.3\n", seconds=1)
    (etc / "turned").symlink_to("two/servers")
    (etc / "turned").rename(etc / "resolv.conf")
    becomes(lambda: resolv_conf(found), SECOND, seconds=1)
    (etc / "two/servers").write_text(FIRST)
    becomes(lambda: resolv_conf(found), FIRST, seconds=1)


def test_a_host_without_servers_is_no_news(machine, etc):
    found = machine("-n")
    becomes(lambda: watches(found), True)
    (etc / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    (etc / "resolv.conf").unlink()
    (etc / "resolv.conf").write_text(SECOND)
    becomes(lambda: resolv_conf(found), SECOND, seconds=1)


# What a machine may have put in the place: its own file, or something to hurt us with.
OWN = {
    "rewritten": "echo nameserver 192.0.2.9 >/etc/resolv.conf",
    "longer": "echo '# mine' >>/etc/resolv.conf",
    "replaced": "echo nameserver 192.0.2.9 >/etc/x; mv /etc/x /etc/resolv.conf",
    "link": "ln -sf ../run/own/resolv.conf /etc/resolv.conf",
    "link to a file of ours": "cp /etc/resolv.conf /etc/x; ln -sf x /etc/resolv.conf",
    "link out": "ln -sf /proc/1/root/etc/passwd /etc/resolv.conf",
    "fifo": "rm /etc/resolv.conf; mkfifo /etc/resolv.conf",
    "directory": "rm /etc/resolv.conf; mkdir /etc/resolv.conf",
    "gone": "rm /etc/resolv.conf",
    "mounted": "cp /etc/resolv.conf /run/x; mount --bind /run/x /etc/resolv.conf",
    "moved": "mv /etc /old; mkdir /etc; cp /old/hosts /etc; rm /old/resolv.conf",
}


@pytest.mark.parametrize("deed", OWN.values(), ids=OWN)
@pytest.mark.parametrize("options", [[], ["-U"]], ids=str)
def test_what_is_the_machines_own_stays(machine, etc, deed, options):
    found = machine("-n", *options)
    becomes(lambda: watches(found), True)
    subprocess.run(["nsenter", "-t", str(leader_of(found.pid)), "-a", "/bin/sh", "-c", deed], check=True)
    look = "cd /etc; ls -lai . ../old 2>/dev/null; test -f resolv.conf && cat resolv.conf; cat /run/x; true"

    def state():
        return subprocess.run(["nsenter", "-t", str(leader_of(found.pid)), "-a", "/bin/sh", "-c", look], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout

    before = state()
    replace(etc, SECOND)
    becomes(lambda: watches(found), False)  # never again
    assert state() == before
    assert found.stop().code in (0, 1, 143)


def test_what_cannot_be_written_is_told_and_tried_again(machine, etc):
    """An /etc that takes no file; then one that does."""
    found = machine("-n")
    becomes(lambda: watches(found), True)
    if subprocess.run(["chattr", "+i", f"{found.inside}/resolv.conf"], stderr=subprocess.PIPE, check=False).returncode != 0:
        pytest.skip("this file system has no immutable files")
    try:
        replace(etc, SECOND)
        found.expect("Cannot tell machine 'web' of the host's new name servers")
        assert resolv_conf(found) == FIRST
    finally:
        subprocess.run(["chattr", "-i", f"{found.inside}/resolv.conf"], check=True)
    replace(etc, SECOND + "\n")
    becomes(lambda: resolv_conf(found), SECOND)
    assert not [name for name in os.listdir(found.inside) if name.startswith(".#")]


@pytest.mark.parametrize("options", [["-n", "--network-setup=none"], ["-n", "--network-setup=host"], ["-n", "--resolv-conf=off"], ["--private-network"], []], ids=" ".join)
def test_who_set_nothing_up_watches_nothing(machine, options):
    found = machine(*options)
    time.sleep(0.5)
    assert not watches(found)


def test_nothing_wakes_up(machine):
    """Once it has seen to files and routes, and sleeps."""
    found = machine("-n")
    becomes(lambda: watches(found), True)
    becomes(lambda: "00000440" in pathlib.Path("/proc/net/netlink").read_text(encoding="utf-8"), True)

    def status(key):
        with open(f"/proc/{found.pid}/status", encoding="utf-8") as lines:
            return next(line.split()[1] for line in lines if line.startswith(key))

    def switches():
        return int(status("voluntary_ctxt_switches"))

    becomes(lambda: status("State"), "S")
    before = switches()
    time.sleep(0.5)
    assert switches() == before


# --- hosts ---

HOSTS = "127.0.0.1 localhost\n10.0.0.1 printer\n"


@pytest.mark.parametrize("options", [["-n"], ["-n", "-U"], ["-n", "--read-only"], ["-n", "--ephemeral"], ["-n", "--volatile=yes"]], ids=" ".join)
@pytest.mark.parametrize("hosts", [HOSTS, HOSTS.rstrip("\n"), None], ids=["lines", "unended", "missing"])
def test_hosts_is_as_it_was(tree, run, options, hosts):
    root = tree({} if hosts is None else {"etc/hosts": hosts}, kind="busybox")
    if hosts is None:
        (root / "etc/hosts").unlink()
    result = run("-P", "-D", root, *options, "--", "/bin/sh", "-c", "grep -c ' host # nspawn$' /etc/hosts; grep -c localhost /etc/hosts")
    if hosts is not None or "--read-only" not in options:
        assert result.code == 0 and "0" not in result.text.split(), result
    path = root / "etc/hosts"
    assert (path.read_text().rstrip("\n") if path.exists() else None) == (hosts and hosts.rstrip("\n"))


def test_what_the_machine_wrote_into_hosts_stays(tree, run):
    root = tree({"etc/hosts": HOSTS}, kind="busybox")
    run("-P", "-D", root, "-n", "--", "/bin/sh", "-c", "echo 10.0.0.9 late >>/etc/hosts")
    assert (root / "etc/hosts").read_text() == HOSTS + "10.0.0.9 late\n"


@pytest.mark.parametrize("deed", ["rm /etc/hosts; mkfifo /etc/hosts", "ln -sf /proc/1/root/etc/passwd /etc/hosts", "rm /etc/hosts; mkdir /etc/hosts", "mv /etc /old"])
def test_a_hosts_that_is_none_any_more(tree, run, deed):
    result = run("-P", "-D", tree({"etc/hosts": HOSTS}, kind="busybox"), "-n", "--", "/bin/sh", "-c", deed, timeout=10)
    assert result.code == 0 and result.complaint == "", result


def test_lines_of_a_killed_supervisor_are_the_next_ones(machine, tree, run):
    root = tree({"etc/hosts": HOSTS}, kind="busybox")
    found = machine("-n", root=root)
    found.process.kill()
    found.process.wait()
    becomes(lambda: run("-q", "-P", "-D", root, "-M", "web", "-n", "/bin/true").code, 0)
    assert (root / "etc/hosts").read_text() == HOSTS
