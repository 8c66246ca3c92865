# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several bridges, what is said about a new link between commas, and taps: with real packets, in a network of the tests' own."""
import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest

from lab.network import ip, links
from lab.run import leader_of

pytestmark = [pytest.mark.requires("root", "netns", "veth", "bridge"), pytest.mark.usefixtures("own_network")]

PING = "ping -c1 -W5 {0} >/dev/null && echo pong {0}"


@contextlib.contextmanager
def bridges(*names):
    """Bridges of the host, up, gone afterwards."""
    for name in names:
        ip("link", "add", name, "type", "bridge")
        ip("link", "set", name, "up")
    try:
        yield
    finally:
        for name in names:
            ip("link", "del", name, check=False)
    assert set(links()) == {"lo"}


def shell(*lines):
    return ["--", "/bin/sh", "-c", " && ".join(lines)]


def mac(text, name):
    return re.search(rf" {name}@.*link/ether ([0-9a-f:]+)", text).group(1)


def test_several_bridges_lead_to_several_networks(tree, run):
    """Addresses are there before anything runs inside, of both families."""
    with bridges("br0", "br1"):
        for name, number in (("br0", 1), ("br1", 2)):
            ip("addr", "add", f"10.78.{number}.1/24", "dev", name)
            ip("addr", "add", f"fd78:{number}::1/64", "dev", name, "nodad")
        found = run("-q", "-P", "-D", tree(kind="busybox"), "-M", "web", "--network-bridge=br0,ip=10.78.1.2/24,ip=fd78:1::2/64",
                    "--network-bridge=br1:lan,ip=10.78.2.2/24,ip=fd78:2::2/64,mac=02:00:00:12:34:56",
                    *shell("ip -o link", *(PING.format(to) for to in ("10.78.1.1", "10.78.2.1", "fd78:1::1", "fd78:2::1"))))
        assert found.code == 0 and found.text.count("pong") == 4 and not found.err, found
        assert mac(found.text, "lan") == "02:00:00:12:34:56" and "host0@" in found.text


def test_names_on_the_host_and_addresses_are_numbered(tree, Running, run):
    with bridges("br0", "br1", "br2"):
        root = tree(kind="busybox")
        options = ["--network-bridge=br0", "--network-bridge=br1", "--network-bridge=br2"]
        seen = []
        for _ in range(2):
            with Running("-q", "-P", "-D", root, "-M", "web", *options, *shell("ip -o link", "echo ready", "exec sleep 60")) as machine:
                text = machine.expect("ready").out.decode()
                found = links()
                assert {name: found[name]["master"] for name in ("vb-web", "vb-web+1", "vb-web+2")} == {
                    "vb-web": "br0", "vb-web+1": "br1", "vb-web+2": "br2"}
                assert all("UP" in found[name]["flags"] for name in ("vb-web", "vb-web+1", "vb-web+2"))
                seen.append([mac(text, f"host{i}") for i in range(3)] + [found[name]["address"] for name in sorted(found) if name[:2] == "vb"])
                machine.stop()
        assert seen[0] == seen[1] and len(set(seen[0])) == 6


def test_long_names_with_numbers_do_not_collide(tree, Running):
    names = ["averyveryverylongname1", "averyveryverylongname2"]
    with bridges("br0", "br1"), contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(Running("-q", "-P", "-D", tree(kind="busybox"), "-M", name, "--network-bridge=br0", "--network-bridge=br1",
                                        *shell("echo ready", "exec sleep 60"))).expect("ready")
        found = {name for link in links().values() for name in link.get("altnames", [])}
        assert found == {f"vb-{name}{end}" for name in names for end in ("", "+1")}


@pytest.mark.parametrize("options, said", [
    (["--network-bridge=br0", "--network-bridge=br0:host0"], "called 'host0'"), (["--network-bridge=br0,vlan=10"], "does not tell VLANs apart"),
    (["--network-bridge=br0,pvid=10"], "does not tell VLANs apart"), (["--network-bridge=br0", "--network-bridge=lo"], "it is no bridge"),
    (["--network-bridge=br0"] * 65, "more than 64 bridges"), (["--network-bridge=br0", "--network-zone=z"], "cannot be combined"),
    (["--network-bridge=br0", "--network-tap=host0"], "called 'host0'"),
    (["--network-bridge=br0,ip=10.0.0.1/24,ip=fe80::1/128", "--network-bridge=br0,ip=::1/128"], "its addresses")])
def test_what_cannot_be(tree, run, options, said):
    with bridges("br0"):
        result = run("-q", "-D", tree(), *options, "/payload", "exit", "0")
        assert result.code == 1 and said in result.complaint and len(result.complaint.splitlines()) <= 2, result


def test_a_killed_one_is_cleaned_up_after(tree, run, Running):
    """Somebody holds its network, so that its cables stay."""
    with bridges("br0", "br1"):
        with Running("-q", "-P", "-D", tree(kind="busybox"), "-M", "victim", "--network-bridge=br0", "--network-bridge=br1",
                     *shell("echo ready", "sleep 60")) as machine:
            machine.expect("ready")
            namespace = os.open(f"/proc/{leader_of(machine.pid)}/ns/net", os.O_RDONLY)
            try:
                machine.signal(signal.SIGKILL)
                machine.wait()
                assert "vb-victim+1" in links()
                assert "Removed links" in run("clean", "victim").complaint
                assert set(links()) == {"lo", "br0", "br1"}
            finally:
                os.close(namespace)


def test_reboots_keep_all(tree, run):
    script = "echo x >>/var/count; [ $(wc -l </var/count) -ge 3 ] && { ip -o -4 addr; exit 9; }; /payload reboot restart"
    with bridges("br0", "br1"):
        result = run("-q", "-P", "-D", tree(kind="busybox"), "--network-bridge=br0,ip=10.78.1.2/24", "--network-bridge=br1,ip=10.78.2.2/24",
                     "--network-tap=vm0", "--", "/bin/sh", "-c", script)
        assert result.code == 9 and "10.78.2.2/24" in result.text and not result.err, result


def test_settings_files_ask_for_the_same(tree, run, beside):
    root = tree(kind="busybox")
    path = beside / f"{root.name}.nspawn"
    with bridges("br0", "br1"):
        try:
            path.write_text("[Network]\nBridge=br0,ip=10.78.1.2/24\nBridge=br1:lan\nTap=vm0\n")
            text = run("-q", "-P", "-D", root, "--settings=trusted", "/bin/ip", "-o", "addr").text
            assert "host0    inet 10.78.1.2/24" in text
            assert {"host0", "lan", "vm0"} <= set(re.findall(r"^\d+: ([a-z0-9]+)", run(
                "-q", "-P", "-D", root, "--settings=trusted", "/bin/ip", "-o", "link").text, re.M))
            text = run("-q", "-P", "-D", root, "--settings=trusted", "--network-bridge=br1", "/bin/ip", "-o", "link").text
            assert "host0@" in text and "lan" not in text and "vm0" not in text, "an option takes the place of the file's network"
        finally:
            path.unlink()


# --- Taps ---

# Opens the tap by its name from the network that we were put into, sends one frame and says what the first one was that it got.
FAR_END = r"""
import fcntl, os, struct, sys
file = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(file, 0x400454ca, struct.pack("16sH22x", b"vm0", 2 | 0x1000))
print("attached", flush=True)
while True:
    frame = os.read(file, 2048)
    if frame[12:14] == b"\x08\x06" and frame[38:42] == bytes([10, 79, 0, 2]):  # who has 10.79.0.2?
        os.write(file, frame[6:12] + b"\2\0\0\0\0\1" + frame[12:20] + b"\0\2" + b"\2\0\0\0\0\1" + frame[38:42] + frame[22:32])
        print(frame[6:12].hex(":"), flush=True)
        sys.stdin.read()  # without us the interface has no carrier
        break
"""


@pytest.mark.parametrize("options", [[], ["-U"]], ids=str)
def test_a_tap_carries_frames_of_a_program(tree, Running, options):
    words = shell("echo ready", "read go", "ping -c1 -W1 10.79.0.2 >/dev/null; ip neigh show dev vm0", "exec sleep 60")
    with Running("-q", "-P", "-D", tree(kind="busybox"), "-M", "web", *options, "--network-tap=vm0,ip=10.79.0.1/24,mac=02:00:00:00:00:07",
                 *words) as machine:
        machine.expect("ready")
        assert set(links()) == {"lo"}, "it is on the host"
        far = subprocess.Popen(["nsenter", "-n", "-t", str(leader_of(machine.pid)), sys.executable, "-c", FAR_END], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
        with far:
            assert far.stdout.readline() == "attached\n"
            machine.process.stdin.write(b"go\n")
            machine.process.stdin.flush()
            assert far.stdout.readline() == "02:00:00:00:00:07\n"
            machine.expect("10.79.0.2 lladdr 02:00:00:00:00:01")
        machine.stop()


@pytest.mark.parametrize("options", [[], ["-U"]], ids=str)
def test_a_tap_is_for_a_user_of_the_machine(tree, Running, run, options):
    """Who is named opens it without rights over the network; who is not does not."""
    root = tree(kind="busybox")
    with Running("-q", "-P", "-D", root, "-M", "web", *options, "--network-tap=vm0,user=1000", "--network-tap=vm1",
                 *shell("chmod 666 /dev/net/tun", "echo ready", "exec sleep 60")) as machine:
        machine.expect("ready")
        for user, name, may in (("1000", "vm0", True), ("1001", "vm0", False), ("1000", "vm1", False), ("0", "vm1", True)):
            done = run("exec", "web", f"--uid={user}", "--", "/bin/busybox", "tunctl", "-t", name)
            assert (done.code == 0) == may, done
        machine.stop()
