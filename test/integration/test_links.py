# SPDX-License-Identifier: LGPL-2.1-or-later
"""Links between machine and host, with real packets: cables, bridges, zones, macvlan, moved interfaces, joined networks.

The host is a network namespace of the tests: nothing here touches an interface of the machine that runs them.
"""
import contextlib
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lab.network import ip, links
from lab.run import environment, leader_of, program

pytestmark = [pytest.mark.requires("root", "netns", "veth"), pytest.mark.usefixtures("own_network")]

UP = "ip addr add {0} dev {1} && ip link set {1} up"
WAIT_PING = "for i in 1 2 3 4 5 6 7 8 9 10; do ping -c1 -W1 {0} >/dev/null && echo pong && break; sleep 0.1; done"
NONE = "--network-setup=none"


@contextlib.contextmanager
def link(name, *words):
    """An interface of the host, gone afterwards if it is there still."""
    ip("link", "add", name, *words)
    try:
        yield
    finally:
        ip("link", "del", name, check=False)


def wait_for(condition, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def shell(*lines):
    return ["/bin/sh", "-c", " && ".join(lines)]


def serve(Running, root, name, address, *options):
    """A machine with an address that says so and stays."""
    return Running("-P", "-D", root, "-M", name, *options, "--",
                   *shell(UP.format(address, "host0"), "echo ready", "exec sleep 60"))


def inside(run, root, *options, words=("/bin/ip", "-o", "link"), **more):
    """{name: line} of the interfaces of a machine."""
    result = run("-P", "-D", root, *options, "--", *words, **more)
    assert result.code == 0, result
    return {re.match(r"\d+: ([^:@]+)", line).group(1): line for line in result.text.splitlines()}


def mac_of(line):
    return re.search(r"link/ether ([0-9a-f:]+)", line).group(1)


# --- One cable ---

@pytest.mark.parametrize("options", [["-n"], ["--network-veth"], ["-n", "-U"]], ids=" ".join)
def test_packets_go_both_ways(tree, Running, options):
    name = f"w{os.getpid()}"
    root = tree(kind="busybox")
    with serve(Running, root, name, "10.77.0.2/24", *options) as machine:
        machine.expect("ready")
        ip("addr", "add", "10.77.0.1/24", "dev", f"ve-{name}")
        ip("link", "set", f"ve-{name}", "up")
        script = WAIT_PING.format("10.77.0.2").replace("ping", f"{root}/bin/busybox ping")
        assert subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=False).stdout == b"pong\n"
        machine.stop()
    assert set(links()) == {"lo"}


def test_a_connection_to_the_host(tree, Running):
    name = f"w{os.getpid()}"
    words = shell(UP.format("10.77.0.2/24", "host0"), "echo ready", "read go", "echo hello from inside | nc 10.77.0.1 4000")
    with Running("-P", "-D", tree(kind="busybox"), "-M", name, "-n", "--", *words) as machine:
        machine.expect("ready")
        ip("addr", "add", "10.77.0.1/24", "dev", f"ve-{name}")
        ip("link", "set", f"ve-{name}", "up")
        with socket.create_server(("10.77.0.1", 4000)) as server:
            server.settimeout(20)
            machine.process.stdin.write(b"go\n")
            machine.process.stdin.flush()
            connection, peer = server.accept()
            with connection:
                assert peer[0] == "10.77.0.2" and connection.makefile().readline() == "hello from inside\n"


def test_ends_are_down_and_keep_their_addresses(tree, run):
    """The same machine has the same address each time, another machine another; root's ids change nothing."""
    root = tree(kind="busybox")
    first = inside(run, root, "-n", NONE, "-M", "a-machine")
    assert set(first) == {"lo", "host0"} and "UP" not in first["host0"].split("<")[1].split(">")[0].split(",")
    assert mac_of(inside(run, root, "-n", NONE, "-M", "a-machine")["host0"]) == mac_of(first["host0"])
    assert mac_of(inside(run, root, "-n", NONE, "-U", "-M", "a-machine")["host0"]) == mac_of(first["host0"])
    assert mac_of(inside(run, root, "-n", NONE, "-M", "b-machine")["host0"]) != mac_of(first["host0"])
    assert int(mac_of(first["host0"])[:2], 16) & 3 == 2


def test_the_address_can_be_given(tree, run):
    env = {"SYSTEMD_NSPAWN_NETWORK_MAC": "02:00:00:12:34:56"}
    assert mac_of(inside(run, tree(kind="busybox"), "-n", env=env)["host0"]) == "02:00:00:12:34:56"


@pytest.mark.parametrize("value", ["x", "02:00:00:12:34", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:02:03:04:05:06", "2" * 300])
def test_an_address_that_is_none(tree, run, value):
    result = run("-D", tree(), "-n", "/payload", "exit", "0", env={"SYSTEMD_NSPAWN_NETWORK_MAC": value})
    assert result.code == 1 and "SYSTEMD_NSPAWN_NETWORK_MAC" in result.complaint


def test_the_machine_sees_nothing_else(tree, run):
    with link("secret0", "type", "veth", "peer", "name", "secret1"):
        assert set(inside(run, tree(kind="busybox"), "-n", "--network-veth-extra=x:y")) == {"lo", "host0", "y"}


def test_sysfs_shows_the_machines_own(tree, run):
    assert set(run("-P", "-D", tree(kind="busybox"), "-n", "/bin/ls", "/sys/class/net").text.split()) == {"lo", "host0"}


def test_root_inside_administers_its_own(tree, run):
    words = shell("ip link set host0 name renamed0", "ip link add x type veth peer name y", "ip link del renamed0", "ip -o link")
    result = run("-q", "-P", "-D", tree(kind="busybox"), "-n", "-U", "--", *words)
    assert result.code == 0 and result.err == b"", result


# --- Names ---

def test_long_names_do_not_collide(tree, Running):
    names = ["averyveryverylongname1", "averyveryverylongname2"]
    with contextlib.ExitStack() as stack:
        for name in names:
            machine = stack.enter_context(serve(Running, tree(kind="busybox"), name, "10.77.0.2/24", "-n"))
            machine.expect("ready")
        found = {alternative: name for name, link in links().items() for alternative in link.get("altnames", [])}
        assert set(found) == {f"ve-{name}" for name in names}
        assert all(len(name) == 15 and name.startswith("ve-averyver") for name in found.values())


def test_a_short_name_is_told(tree, run):
    assert "is called 've-averyveryverylongname1' as well" in run("-D", tree(), "-M", "averyveryverylongname1", "-n", "/payload", "exit",
                                                                  "0").complaint


def test_the_cable_has_the_name_that_is_asked_for(tree, Running):
    with serve(Running, tree(kind="busybox"), "whatever", "10.77.0.2/24", "-n", "--network-veth-name=web0") as machine:
        machine.expect("ready")
        assert set(links()) == {"lo", "web0"}


def test_what_others_own_is_not_touched(tree, run):
    with link("ve-taken", "type", "veth", "peer", "name", "other"):
        before = links()["ve-taken"]["address"]
        result = run("-q", "-D", tree(), "-M", "taken", "-n", "/payload", "exit", "0")
        assert result.code == 1 and "interface 've-taken' already" in result.complaint
        assert links()["ve-taken"]["address"] == before


@pytest.mark.parametrize("options, said", [
    (["-n", "--network-veth-extra=x:host0"], "called 'host0'"), (["--network-veth-extra=x", "--network-veth-extra=x:y"], "'x' of the host"),
    (["--network-interface=lo"], "loopback"), (["--network-interface=lo:x"], "loopback")])
def test_what_cannot_be(tree, run, options, said):
    result = run("-q", "-D", tree(), *options, "/payload", "exit", "0")
    assert result.code == 1 and said in result.complaint, result


# --- Bridges and zones ---

@pytest.mark.requires("bridge")
def test_two_machines_in_a_bridge(tree, run, Running):
    with link("br0", "type", "bridge"):
        ip("link", "set", "br0", "up")
        with serve(Running, tree(kind="busybox"), "one", "10.77.0.2/24", "--network-bridge=br0") as machine:
            machine.expect("ready")
            found = links()["vb-one"]
            assert found["master"] == "br0" and "UP" in found["flags"]
            words = shell(UP.format("10.77.0.3/24", "host0"), WAIT_PING.format("10.77.0.2"))
            assert run("-P", "-D", tree(kind="busybox"), "-M", "two", "--network-bridge=br0", "--", *words).text == "pong\n"
        assert set(links()) == {"lo", "br0"}


def test_what_is_no_bridge(tree, run):
    with link("x0", "type", "veth", "peer", "name", "x1"):
        result = run("-q", "-D", tree(), "--network-bridge=x0", "/payload", "exit", "0")
        assert result.code == 1 and "it is no bridge" in result.complaint


@pytest.mark.requires("bridge")
def test_a_zone_comes_with_the_first_and_goes_with_the_last(tree, run, Running):
    with serve(Running, tree(kind="busybox"), "one", "10.77.0.2/24", "--network-zone=shop") as machine:
        machine.expect("ready")
        assert links()["vb-one"]["master"] == "vz-shop" and "UP" in links()["vz-shop"]["flags"]
        words = shell(UP.format("10.77.0.3/24", "host0"), WAIT_PING.format("10.77.0.2"))
        assert run("-P", "-D", tree(kind="busybox"), "-M", "two", "--network-zone=shop", "--", *words).text == "pong\n"
        assert "vz-shop" in links(), "removed under a machine"
    assert set(links()) == {"lo"}


@pytest.mark.requires("bridge")
def test_a_zone_is_not_seen_before_something_is_plugged_in(tree, run):
    """A network manager that sets it up sooner sees its carrier go and come: systemd-networkd takes another subnet then."""
    with subprocess.Popen(["ip", "-o", "monitor", "link"], stdout=subprocess.PIPE, text=True) as monitor:
        try:
            ip("link", "add", "before", "type", "bridge")
            while not select.select([monitor.stdout], [], [], 0.1)[0]:  # it may not have begun to listen
                ip("link", "set", "before", "up")  # of one that is down most changes are not told
                ip("link", "set", "before", "down")
            ip("link", "add", "nspawn-zone", "type", "bridge")  # of somebody who was killed
            assert run("-q", "-P", "-D", tree(kind="busybox"), "-M", "one", "--network-zone=shop", "/bin/true").code == 0
            ip("link", "del", "before")
            seen = []
            while not seen or not re.match(r"Deleted \d+: before", seen[-1]):
                seen.append(monitor.stdout.readline())
        finally:
            monitor.kill()
    first = {name: next(i for i, line in enumerate(seen) if f" {name}" in line) for name in ("vb-one", "vz-shop")}
    assert first["vb-one"] < first["vz-shop"], seen
    assert set(links()) == {"lo"}


@pytest.mark.requires("bridge")
def test_the_address_of_a_zone_stays(tree, Running):
    """Whatever is plugged in, now and the next time: what machines know of the host's address is true."""
    def address():
        return links()["vz-shop"]["address"]

    found = set()
    for names in (("one", "two"), ("three", "four")):
        with Running("-P", "-D", tree(kind="busybox"), "-M", names[0], "--network-zone=shop", "--", "/bin/sh", "-c", "echo ready; exec sleep 60") as machine:
            machine.expect("ready")
            found.add(address())
            ip("link", "add", "low", "address", "02:00:00:00:00:01", "master", "vz-shop", "up", "type", "veth", "peer", "name", "low1")
            found.add(address())
            ip("link", "del", "low")
    assert len(found) == 1 and not found & {links()[name]["address"] for name in links()}, found


@pytest.mark.requires("bridge")
def test_a_zone_is_kept_while_others_use_it(tree, run):
    with link("x0", "type", "veth", "peer", "name", "x1"):
        with link("vz-shop", "type", "bridge"):
            ip("link", "set", "x0", "master", "vz-shop")
            assert run("-P", "-D", tree(kind="busybox"), "--network-zone=shop", "/bin/true").code == 0
            found = links()
            assert found["x0"]["master"] == "vz-shop" and "UP" in found["vz-shop"]["flags"], "as systemd-nspawn makes it, it is down"


def test_a_zone_of_another_kind(tree, run):
    with link("vz-shop", "type", "veth", "peer", "name", "x1"):
        result = run("-q", "-D", tree(), "--network-zone=shop", "/payload", "exit", "0")
        assert result.code == 1 and "is no bridge of a zone" in result.complaint and "vz-shop" in links()


@pytest.mark.requires("bridge")
def test_many_machines_come_and_go_in_a_zone(tree, Running):
    """Whoever makes or removes it at the same time: each finds its way in, nothing is left."""
    roots = [tree(kind="busybox") for _ in range(4)]
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            machines = [stack.enter_context(Running("-q", "-P", "-D", root, "--network-zone=shop", "/bin/true")) for root in roots]
            for machine in machines:
                result = machine.wait()
                assert result.code == 0 and result.err == b"", result
        assert set(links()) == {"lo"}


# --- Interfaces of the host ---

@pytest.mark.requires("macvlan")
@pytest.mark.parametrize("options", [[], ["-U"]], ids=str)
def test_a_macvlan_has_packets_of_its_own(tree, run, options):
    with link("wire", "type", "veth", "peer", "name", "far"):
        ip("link", "set", "wire", "up")
        ip("link", "set", "far", "up")
        ip("addr", "add", "10.77.1.1/24", "dev", "far")
        words = shell(UP.format("10.77.1.2/24", "mv-wire"), WAIT_PING.format("10.77.1.1"))
        assert run("-P", "-D", tree(kind="busybox"), "--network-macvlan=wire", *options, "--", *words).text == "pong\n"
        first = inside(run, tree(kind="busybox"), "-M", "mac", "--network-macvlan=wire:x", "--network-macvlan=wire:y")
        again = inside(run, tree(kind="busybox"), "-M", "mac", "--network-macvlan=wire:x wire:y")
        assert set(first) == {"lo", "x", "y"} and mac_of(first["x"]) != mac_of(first["y"])
        assert {name: mac_of(first[name]) for name in "xy"} == {name: mac_of(again[name]) for name in "xy"}


@pytest.mark.requires("macvlan")
def test_names_of_children_are_short_as_well(tree, run):
    with link("fifteen-letters", "type", "veth", "peer", "name", "far"):
        found = set(inside(run, tree(kind="busybox"), "--network-macvlan=fifteen-letters")) - {"lo"}
        assert [name[:11] for name in found] == ["mv-fifteen-"] and all(len(name) == 15 for name in found)


def test_ipvlan(tree, run):
    from lab import probe
    with link("wire", "type", "veth", "peer", "name", "far"):
        if probe.offers("ipvlan"):
            assert set(inside(run, tree(kind="busybox"), "--network-ipvlan=wire")) == {"lo", "iv-wire"}
        else:
            result = run("-q", "-D", tree(), "--network-ipvlan=wire", "/payload", "exit", "0")
            assert result.code == 1 and "kernel has no interfaces of the kind ipvlan" in result.complaint


@pytest.mark.parametrize("value, name", [("wire", "wire"), ("wire:lan", "lan"), ("long-name-of-a-wire", "wire"),
                                         ("long-name-of-a-wire:lan", "lan"), ("wire:other", "wire")])
@pytest.mark.parametrize("options", [[], ["-U"]], ids=str)
def test_an_interface_moves_in_and_comes_back(tree, run, value, name, options):
    with link("wire", "type", "veth", "peer", "name", "far"):
        ip("link", "property", "add", "dev", "wire", "altname", "long-name-of-a-wire", "altname", "other")
        before = links()["wire"]
        assert set(inside(run, tree(kind="busybox"), f"--network-interface={value}", *options)) == {"lo", name}
        after = links()["wire"]
        assert after["address"] == before["address"] and sorted(after["altnames"]) == sorted(before["altnames"])


def test_packets_through_a_moved_interface(tree, run):
    with link("wire", "type", "veth", "peer", "name", "far"):
        ip("link", "set", "far", "up")
        ip("addr", "add", "10.77.1.1/24", "dev", "far")
        words = shell(UP.format("10.77.1.2/24", "lan"), WAIT_PING.format("10.77.1.1"))
        assert run("-P", "-D", tree(kind="busybox"), "--network-interface=wire:lan", "--", *words).text == "pong\n"
        assert {"wire", "far"} < set(links())


def test_two_swap_their_names(tree, run):
    with link("wire", "type", "veth", "peer", "name", "far"):
        macs = {name: links()[name]["address"] for name in ("wire", "far")}
        found = inside(run, tree(kind="busybox"), "--network-interface=wire:far far:wire")
        assert mac_of(found["wire"]) == macs["far"] and mac_of(found["far"]) == macs["wire"]
        assert {name: links()[name]["address"] for name in ("wire", "far")} == macs


def test_it_comes_back_whatever_the_guest_calls_it(tree, run):
    with link("wire", "type", "veth", "peer", "name", "far"):
        words = shell("ip link set lan up", "ip link set lan down", "ip link set lan name mine")
        assert run("-P", "-D", tree(kind="busybox"), "--network-interface=wire:lan", "--", *words).code == 0
        assert "wire" in links()


def test_it_comes_back_where_its_name_is_taken_by_now(tree, Running):
    with link("wire", "type", "veth", "peer", "name", "far"):
        address = links()["wire"]["address"]
        with Running("-P", "-D", tree(kind="busybox"), "--network-interface=wire:lan", "--", *shell("echo ready", "read line")) as machine:
            machine.expect("ready")
            ip("link", "add", "wire", "type", "veth", "peer", "name", "other")
            machine.process.stdin.close()
            result = machine.wait()
        try:
            assert "another interface 'wire' by now" in result.complaint and links()["lan"]["address"] == address
        finally:
            ip("link", "delete", "wire")
            ip("link", "set", "lan", "name", "wire")


def test_it_is_told_when_the_guest_removed_it(tree, run):
    with link("wire", "type", "veth", "peer", "name", "far"):
        result = run("-P", "-D", tree(kind="busybox"), "--network-interface=wire", "--", *shell("ip link del wire"))
        assert result.code == 0 and "'wire' is gone" in result.complaint and "wire" not in links()


def test_one_that_comes_late_is_waited_for(tree, Running):
    with Running("-D", tree(kind="busybox"), "--network-interface=late0", "/bin/ip", "-o", "link") as machine:
        machine.expect("Waiting for the interface 'late0'")
        with link("late0", "type", "veth", "peer", "name", "late1"):
            result = machine.wait()
            assert result.code == 0 and "late0" in result.text and "late0" in links()


def test_a_failed_start_gives_everything_back(tree, run):
    """What is asked for last cannot be had: what came before is as it was."""
    with link("wire", "type", "veth", "peer", "name", "far"):
        before = links()
        for last in ("--network-macvlan=lo", "--network-interface=far --network-ipvlan=lo"):
            result = run("-q", "-D", tree(), "--network-interface=wire", "-n", *last.split(), "/payload", "exit", "0")
            assert result.code == 1 and "lo'" in result.complaint
            assert {name: link["address"] for name, link in links().items()} == {name: link["address"] for name, link in before.items()}


# --- Joining ---

@pytest.mark.parametrize("options", [[], ["-U"], ["--private-network"], ["-U", "--private-network"]], ids=str)
def test_a_network_is_joined(tree, run, ask, tmp_path, options):
    path = tmp_path / "net"
    path.touch()
    script = f"ip link add inhabitant type veth peer name other && mount --bind /proc/self/ns/net {path}"
    subprocess.run(["unshare", "--net", "sh", "-c", script], check=True)
    try:
        joined = [*options, f"--network-namespace-path={path}"]
        assert set(inside(run, tree(kind="busybox"), *joined)) == {"lo", "inhabitant", "other"}
        answer = ask(tree(), "namespaces", "links", options=joined)
        assert answer["namespaces"]["net"] == f"net:[{path.stat().st_ino}]"
        assert {"inhabitant", "other"} < set(answer["links"])
        words = shell("ip link set inhabitant up")
        may_change = options == ["--private-network"]
        assert (run("-P", "-D", tree(kind="busybox"), *joined, "--", *words).code == 0) == may_change
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("path", ["/proc/self/ns/pid", "/etc/passwd", "/no/such/file", "/dev/null", "/"])
def test_what_is_no_network_is_not_joined(tree, run, path):
    result = run("-q", "-D", tree(), f"--network-namespace-path={path}", "/payload", "exit", "0")
    assert result.code == 1 and path in result.complaint


@pytest.mark.parametrize("options", [
    ["--network-namespace-path=/proc/self/ns/net", option] for option in
    ("-n", "--network-bridge=b", "--network-zone=z", "--network-interface=x", "--network-macvlan=x", "--network-ipvlan=x",
     "--network-veth-extra=a")] + [["--network-bridge=b", "--network-zone=z"], ["--network-veth-name=x"]], ids=" ".join)
def test_what_cannot_be_combined(tree, run, options):
    result = run("-q", "-D", tree(), *options, "/payload", "exit", "0")
    assert result.code == 1 and len(result.complaint.splitlines()) <= 2 and "--network-" in result.complaint


@pytest.mark.parametrize("options", [["--network-interface=dummy1 another"], ["--network-interface=dummy1", "--network-macvlan=another"]],
                         ids=" ".join)
def test_what_moves_in_is_there_once(tree, run, options):
    with link("dummy1", "type", "veth", "peer", "name", "peer1"):
        ip("link", "property", "add", "dev", "dummy1", "altname", "another")
        result = run("-q", "-D", tree(), *options, "/payload", "exit", "0")
        assert result.code == 1 and "The interface 'dummy1' of the host is there twice" in result.complaint


def test_the_name_of_what_moves_in_is_free(tree, run):
    with link("dummy1", "type", "veth", "peer", "name", "peer1"):
        words = ["-D", tree(), "--network-interface=dummy1:moved", "--network-veth-extra=dummy1:cable", "/payload", "exit", "0"]
        assert [run("-q", *words).code, run("--dry-run", *words).code] == [0, 0]


@pytest.mark.parametrize("option", ["--network-veth-extra=x:lo", "--network-tap=lo", "--network-interface=x:lo", "--network-macvlan=x:lo"])
def test_each_machine_has_a_loopback_already(tree, run, option):
    result = run("-q", "-D", tree(), option, "/payload", "exit", "0")
    assert result.code == 1 and "Two interfaces of the machine would be called 'lo'" in result.complaint


# --- Settings files ---

def test_settings_files_ask_for_the_same(tree, run, beside):
    root = tree(kind="busybox")
    path = beside / f"{root.name}.nspawn"
    path.write_text("[Network]\nVirtualEthernetExtra=a:b\nVirtualEthernetExtra=c\nVirtualEthernet=yes\n")
    try:
        assert set(inside(run, root, "--settings=trusted")) == {"lo", "host0", "b", "c"}
        assert set(inside(run, root, "--settings=trusted", "--network-veth-extra=x")) == {"lo", "x"}
        untrusted = run("-P", "-D", root, "/payload", "links")
        assert untrusted.code == 0 and "only in a trusted file" in untrusted.complaint
        path.write_text("[Network]\nPrivate=no\n")
        assert set(inside(run, root, "--settings=override", "-n")) == {"lo", "host0"}, "it was not trusted"
        for bad in ("Bridge=a b", "Zone=" + "z" * 20, "Interface=a/b", "NamespacePath=relative"):
            path.write_text(f"[Network]\n{bad}\n")
            result = run("-q", "-P", "-D", root, "--settings=trusted", "/payload", "links")
            assert result.code == 1 and "would use the host's network" in result.complaint, result
    finally:
        path.unlink()


# --- Ends ---

def test_reboots_make_links_anew(tree, run):
    """Twenty of them; addresses stay, an interface of the host is there each time."""
    root = tree(kind="busybox")
    script = ("ip -o link | grep -E 'host0|lan' | grep -o 'link/ether .*' | sort >>/var/macs; echo x >>/var/count; "
              "[ $(wc -l </var/count) -ge 20 ] && exit 9; /payload reboot restart")
    with link("wire", "type", "veth", "peer", "name", "far"):
        result = run("-q", "-P", "-D", root, "-n", "--network-zone=shop", "--network-interface=wire:lan", "--", "/bin/sh", "-c", script,
                     timeout=60)
        assert result.code == 9 and result.err == b"", result
        lines = (root / "var/macs").read_text().splitlines()
        assert len(lines) == 40 and len(set(lines)) == 2
    assert set(links()) == {"lo"}


@pytest.mark.requires("bridge")
def test_killed_at_any_moment(tree, run, Running):
    """Nothing is left that the next start does not take away; a zone's bridge may wait for it."""
    root, generator = tree(kind="busybox"), random.Random(5)
    for _ in range(15):
        with Running("-q", "-P", "-D", root, "-M", "victim", "--network-zone=shop", "--network-veth-extra=ex", "/bin/sleep", "60") as machine:
            time.sleep(generator.uniform(0, 0.06))
            machine.signal(signal.SIGKILL)
            machine.wait()
        result = run("-q", "-P", "-D", root, "-M", "victim", "--network-zone=shop", "--network-veth-extra=ex", "/bin/true")
        assert result.code == 0, result
        assert set(links()) == {"lo"}


@pytest.mark.parametrize("words, sentence", [(["-q", "-P", "-n", "/bin/true"], ""), (["--cleanup"], "Removed links")], ids=["start", "cleanup"])
def test_a_cable_that_somebody_held_is_taken_away(tree, run, Running, words, sentence):
    """A process that entered the machine's network keeps it, and with it the cable of a killed nspawn."""
    root = tree(kind="busybox")
    with Running("-q", "-P", "-D", root, "-M", "victim", "-n", "--", *shell("echo up", "sleep 60")) as machine:
        machine.expect("up")
        namespace = os.open(f"/proc/{leader_of(machine.pid)}/ns/net", os.O_RDONLY)
        try:
            machine.signal(signal.SIGKILL)
            machine.wait()
            assert "ve-victim" in links()
            result = run("-D", root, "-M", "victim", *words)
            assert result.code == 0 and sentence in result.complaint, result
            assert set(links()) == {"lo"}
        finally:
            os.close(namespace)


def test_a_flood_does_not_delay_the_end(tree, Running):
    name = f"w{os.getpid()}"
    words = shell(UP.format("10.77.0.2/24", "host0"), "echo ready", "while :; do ping -f -c 1000 -W1 10.77.0.1 >/dev/null 2>&1; done")
    with Running("-q", "-P", "-D", tree(kind="busybox"), "-M", name, "-n", "--", *words) as machine:
        machine.expect("ready")
        ip("addr", "add", "10.77.0.1/24", "dev", f"ve-{name}")
        ip("link", "set", f"ve-{name}", "up")
        time.sleep(0.3)
        machine.stop()
    assert set(links()) == {"lo"}


# --- What it costs ---

def calls_of(root, *options):
    """Pairs of a process and what it asked of the kernel."""
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    traced = subprocess.run(["strace", "-f", "-qq", *program(), "-q", "-P", "-D", root, *options, "/payload", "exit", "0"], stderr=subprocess.PIPE,
                            text=True, env=environment(), check=True)
    # strace names a process only where there are several.
    return [re.match(r"(?:\[pid +(\d+)\] )?(.*)", line).groups() for line in traced.stderr.splitlines()]


def test_a_plain_start_asks_nothing_of_the_network(tree):
    found = [call for _, call in calls_of(tree()) if re.search("AF_NETLINK|CLONE_NEWNET|setns|machine-id|network-zone", call)]
    assert not [call for call in found if "/etc/machine-id" not in call or "RESOLVE_IN_ROOT" not in call], found


def test_the_last_wait_for_a_cable_is_not_ours(tree):
    """The kernel keeps long who asks for a removal: that is another process, with nothing open that somebody could wait for."""
    calls = calls_of(tree(), "-n")
    sender = next(pid for pid, call in calls if re.match("sendto.*RTM_DELLINK", call))
    own = [call for pid, call in calls if pid == sender and re.match("close_range|sendto", call)]
    fd = int(re.search(r"\d+", own[-1])[0])
    assert [call.split(" ")[:2] for call in own[:-1]] == [["close_range(0,", f"{fd - 1},"], [f"close_range({fd + 1},", "4294967295,"]], own
