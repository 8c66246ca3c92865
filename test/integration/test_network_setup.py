# SPDX-License-Identifier: LGPL-2.1-or-later
"""-n with nothing on either side: addresses, names and a way out, with real packets.

The host is a network namespace of the tests, the world beyond it another one.
"""
import contextlib
import glob
import ipaddress
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from lab import probe
from lab.network import WORLD, WORLD6, ip, leaves, links, neighbour, read, ruleset
from lab.run import leader_of

pytestmark = [pytest.mark.requires("root", "netns", "veth"), pytest.mark.usefixtures("outside")]

PING = "ping -c1 -W3 {0} >/dev/null && echo pong {0}"
FORWARD = "/proc/sys/net/ipv4/conf/{0}/forwarding"
FORWARD6 = "/proc/sys/net/ipv6/conf/{0}/force_forwarding"


def state():
    """What a machine could leave behind in the network of the host."""
    return {"addresses": [line.split("valid_lft")[0] for line in ip("-o", "addr").splitlines()], "routes": ip("route"), "routes6": ip("-6", "route"),
            "rules": ruleset(), "sysctls": [read(FORWARD.format("up0")), read(FORWARD6.format("up0")), read("/proc/sys/net/ipv4/ip_forward"),
                                            read("/proc/sys/net/ipv6/conf/all/forwarding")],
            "files": sorted(glob.glob("/run/nspawn/.addresses/*") + glob.glob("/run/nspawn/.subnets/*"))}


@pytest.fixture(autouse=True)
def nothing_left(outside):
    del outside
    with leaves(state):
        yield


def shell(*lines):
    return ["/bin/sh", "-c", "\n".join(lines)]


def plan_of(run, root, *options):
    """{name: row} of the network in the plan."""
    return {row["name"]: row for row in run("--dry-run=json", "-D", root, *options).json["network"]}


def serve(Running, root, name, *options):
    """A machine that says so and stays."""
    return Running("-P", "-D", root, "-M", name, *options, "--", *shell("echo ready", "exec sleep 60"))


# --- With nothing on either side ---

@pytest.mark.parametrize("options", [["-n"], ["-n", "-U"], ["--network-zone=shop"], ["-n", "--read-only"], ["-n", "--ephemeral"],
                                     ["-n", "-M", "averyveryverylongname1"], ["-n", "--network-veth-name=web0"]], ids=" ".join)
def test_a_bare_command_reaches_host_and_world(tree, run, options):
    root = tree({"etc/hosts": "127.0.0.1 localhost\n"}, kind="busybox")
    words = shell(PING.format("host"), PING.format(WORLD), "ip -o -6 addr show host0 | grep -q ' fd' && " + PING.format("host").replace("ping", "ping -6", 1))
    result = run("-P", "-D", root, *options, "--", *words)
    assert result.code == 0 and result.text == f"pong host\npong {WORLD}\npong host\n", result


@pytest.mark.skipif(not os.path.exists(FORWARD6.format("lo")), reason="a kernel from 6.17 on forwards IPv6 for single interfaces")
def test_the_world_by_ipv6(tree, run):
    assert run("-P", "-D", tree(kind="busybox"), "-n", "--", *shell(PING.format(WORLD6))).text == f"pong {WORLD6}\n"


@pytest.mark.skipif(not os.path.exists(FORWARD6.format("lo")), reason="a kernel from 6.17 on forwards IPv6 for single interfaces")
def test_ipv6_where_the_host_forwards_it_anyway(tree, run):
    path = pathlib.Path("/proc/sys/net/ipv6/conf/all/forwarding")
    path.write_text("1")
    try:
        assert run("-P", "-D", tree(kind="busybox"), "-n", "--", *shell(PING.format(WORLD6))).text == f"pong {WORLD6}\n"
        assert read(FORWARD6.format("up0")) == "0\n"
    finally:
        path.write_text("0")


def test_a_connection_to_the_world_and_its_answer(tree, run, outside):
    with subprocess.Popen(["nsenter", "-n", "-t", str(outside), "python3", "-c", """
import socket
server = socket.create_server(("198.51.100.1", 4000)); print("ready", flush=True)
connection, peer = server.accept(); connection.sendall(peer[0].encode() + b"\\n"); connection.close()"""],
                          stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "ready\n"
        result = run("-P", "-D", tree(kind="busybox"), "-n", "--", *shell(f"nc {WORLD} 4000 </dev/null"))
        server.kill()
    assert result.text == "198.51.100.2\n", "the world saw the host's address"


def test_addresses_are_there_before_the_payload(tree, run):
    result = run("-P", "-D", tree(kind="busybox"), "-M", "web", "-n", "--", "/bin/ip", "-o", "addr", "show", "host0")
    plan = plan_of(run, tree(kind="busybox"), "-M", "web", "-n")
    assert f"inet {plan['IPv4']['address']} " in result.text and f"inet6 {plan['IPv6']['address']} " in result.text


def test_they_are_the_same_each_time_and_private(tree, run):
    rows = [plan_of(run, tree(kind="busybox"), "-M", name, "-n") for name in ("a-machine", "a-machine", "b-machine")]
    assert rows[0]["IPv4"]["address"] == rows[1]["IPv4"]["address"] != rows[2]["IPv4"]["address"]
    assert rows[0]["IPv6"]["address"] == rows[1]["IPv6"]["address"] != rows[2]["IPv6"]["address"]
    assert all(ipaddress.ip_interface(row["IPv4"]["address"]).is_private for row in rows)
    assert all(ipaddress.ip_interface(row["IPv6"]["address"]) in ipaddress.ip_network("fd00::/8") for row in rows)


# --- Forwarding ---

def test_only_what_is_needed_is_forwarded(tree, Running, outside):
    """The world may answer, and not come in: neither to a machine nor through the host to others."""
    with serve(Running, tree(kind="busybox"), "web", "-n") as machine:
        machine.expect("ready")
        assert read(FORWARD.format("up0")) == "1\n" and read("/proc/sys/net/ipv4/ip_forward") == "0\n"
        address = next(a["local"] for link in json.loads(ip("-j", "-4", "addr", "show", "ve-web")) for a in link["addr_info"])
        guest = str(ipaddress.ip_address(address) + 1)
        world = ["nsenter", "-n", "-t", str(outside)]
        subprocess.run([*world, "ip", "route", "add", f"{guest}/32", "via", "198.51.100.2"], check=True)
        script = f"import socket; socket.create_connection(('{guest}', 9), timeout=0.5)"
        refused = subprocess.run([*world, "python3", "-c", script], stderr=subprocess.PIPE, text=True, check=False).stderr
        assert "timed out" in refused, refused
        subprocess.run([*world, "ip", "route", "del", f"{guest}/32"], check=True)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((guest, 9), timeout=3)
        assert 'elements = { "ve-web" }' in ruleset()


def test_what_goes_with_the_last(tree, Running):
    with contextlib.ExitStack() as stack:
        machines = [stack.enter_context(serve(Running, tree(kind="busybox"), name, "-n")) for name in ("one", "two")]
        for machine in machines:
            machine.expect("ready")
        machines[0].stop()
        assert "ve-one" not in ruleset() and "ve-two" in ruleset() and read(FORWARD.format("up0")) == "1\n"
    assert ruleset() == "" and read(FORWARD.format("up0")) == "0\n"


def test_what_others_turn_on_stays_on(tree, Running):
    path = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
    with serve(Running, tree(kind="busybox"), "web", "-n") as machine:
        machine.expect("ready")
        path.write_text("1")
    assert read(FORWARD.format("up0")) == "1\n"
    path.write_text("0")


# --- Zones ---

@pytest.mark.requires("bridge")
def test_cables_of_a_zone_are_no_way_out(tree, Running):
    """An interface of which the host has only the addresses of its link leads nowhere, and is left alone."""
    with contextlib.ExitStack() as stack:
        for name in ("one", "two"):
            stack.enter_context(serve(Running, tree(kind="busybox"), name, "--network-zone=shop")).expect("ready")
            time.sleep(0.4)  # those addresses come by themselves
        assert '"vb-' not in ruleset() and '"up0"' in ruleset(), ruleset()
        assert {read(FORWARD6.format("vb-one")), read(FORWARD6.format("vb-two"))} <= {None, "0\n"}


@pytest.mark.requires("bridge")
def test_machines_of_a_zone_reach_each_other(tree, run, Running):
    with serve(Running, tree(kind="busybox"), "one", "--network-zone=shop") as machine:
        machine.expect("ready")
        other = subprocess.run(["nsenter", "-n", "-t", str(leader_of(machine.process.pid)), "ip", "-j", "addr", "show", "host0"], stdout=subprocess.PIPE, check=True)
        found = [a["local"] for link in json.loads(other.stdout) for a in link["addr_info"] if a["scope"] == "global"]
        assert len(found) == 2
        result = run("-P", "-D", tree(kind="busybox"), "-M", "two", "--network-zone=shop", "--", *shell(*map(PING.format, [*found, "host", WORLD])))
        assert result.text == "".join(f"pong {who}\n" for who in [*found, "host", WORLD]), result


@pytest.mark.requires("bridge")
def test_no_two_of_a_zone_have_one_address(tree, Running):
    with contextlib.ExitStack() as stack:
        machines = [stack.enter_context(serve(Running, tree(kind="busybox"), f"m{n}", "--network-zone=shop")) for n in range(4)]
        for machine in machines:
            machine.expect("ready")
        assert len(glob.glob("/run/nspawn/.addresses/*")) == 4
    assert set(links()) == {"lo", "up0"}


# --- Clashes ---

def test_a_route_of_the_host_is_in_the_way(tree, run):
    """The next one then, which is kept when the way is free again."""
    first = plan_of(run, tree(kind="busybox"), "-M", "web", "-n")["IPv4"]["address"]
    network = str(ipaddress.ip_interface(first).network.supernet(new_prefix=20))
    ip("route", "add", network, "via", WORLD)
    try:
        result = run("-P", "-D", tree(kind="busybox"), "-M", "web", "-n", "--", *shell(PING.format(WORLD), "ip -o -4 addr show host0"))
        second = result.text.split("inet ")[1].split()[0]
        assert result.code == 0 and "pong" in result.text and ipaddress.ip_interface(second).ip not in ipaddress.ip_network(network)
    finally:
        ip("route", "del", network)
    try:
        assert plan_of(run, tree(kind="busybox"), "-M", "web", "-n")["IPv4"]["address"] == second
    finally:
        os.unlink("/run/nspawn/.subnets/ve-web")


def test_another_machine_is_in_the_way(tree, run):
    """As if a machine of another name had the same subnet."""
    import fcntl
    import struct
    first = plan_of(run, tree(kind="busybox"), "-M", "web", "-n")["IPv4"]["address"]
    base = ipaddress.ip_interface(first).network.network_address
    os.makedirs("/run/nspawn/.addresses", mode=0o700, exist_ok=True)
    path = f"/run/nspawn/.addresses/{base}"
    with open(path, "w", encoding="utf-8") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
        result = run("-P", "-D", tree(kind="busybox"), "-M", "web", "-n", "--", *shell(PING.format("host"), "ip -o -4 addr show host0"))
        assert result.code == 0 and "pong" in result.text and first not in result.text
    os.unlink(path)
    os.unlink("/run/nspawn/.subnets/ve-web")


def test_no_address_is_free(tree, run):
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
        ip("route", "add", network, "via", WORLD)
    try:
        result = run("-D", tree(), "-n", "/payload", "exit", "0")
        assert result.code == 1 and "No private addresses are free" in result.complaint and "--network-setup=none" in result.complaint
        assert run("-D", tree(), "-n", "--network-setup=none", "/payload", "exit", "0").code == 0
    finally:
        for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
            ip("route", "del", network)


# --- Names ---

def test_resolvers_of_the_host(tree, run):
    result = run("-P", "-D", tree(kind="busybox"), "-n", "/bin/cat", "/etc/resolv.conf")
    wanted = [line for line in read("/etc/resolv.conf").splitlines() if line.startswith("nameserver") and not line.split()[1].startswith("127.")]
    assert [line for line in result.text.splitlines() if line.startswith("nameserver")] == wanted[:3]


def test_a_link_is_left_to_who_made_it(tree, run):
    root = tree(kind="busybox")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    assert run("-P", "-D", root, "-n", "/bin/readlink", "/etc/resolv.conf").text == "../run/systemd/resolve/stub-resolv.conf\n"
    (root / "etc/resolv.conf").unlink()
    (root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    assert run("-P", "-D", root, "-n", "--resolv-conf=off", "/bin/cat", "/etc/resolv.conf").text == "nameserver 192.0.2.53\n"


def test_hosts_says_itself_who_host_is(tree, run):
    root = tree({"etc/hosts": "10.0.0.1 host\n"}, kind="busybox")
    run("-P", "-D", root, "-n", "/bin/true")
    assert (root / "etc/hosts").read_text() == "10.0.0.1 host\n"


def test_nothing_is_written_where_nothing_may(tree, run):
    root = tree({"etc/hosts": "127.0.0.1 localhost\n"}, kind="busybox")
    result = run("-P", "-D", root, "-n", "--read-only", "/bin/grep", "-c", "nspawn", "/etc/hosts")
    assert result.text == "2\n" and (root / "etc/hosts").read_text() == "127.0.0.1 localhost\n"


def test_a_network_manager_inside_is_told(tree, run):
    result = run("-P", "-D", tree(kind="busybox"), "-M", "web", "-n", "/bin/cat", "/run/systemd/network/79-nspawn-host0.network")
    assert "Name=host0\n" in result.text and "KeepConfiguration=yes" in result.text


# --- Who does what ---

ASKS = "auto lo\niface lo inet loopback\nauto host0\niface host0 inet dhcp\n"
# What the script of udhcpc does in distributions, before it has any answer.
FORGETS = '#!/bin/sh\n[ "$1" != deconfig ] || { ip -4 addr flush dev $interface; touch /asked; }\n'


def test_a_small_ifup_does_not_ask(tree, run):
    """The ifup of busybox has its own file of what is done, and its client begins by taking the address away."""
    entries = {"etc/network/interfaces": ASKS, "var/run=": "/run", "etc/udhcpc/default.script!": FORGETS,
               **{f"etc/network/if-{when}.d/": None for when in ("pre-up", "up")}}
    root = tree(entries, kind="busybox")
    result = run("-P", "-D", root, "-n", "--", *shell("ifup -a || exit 3", PING.format("host"), PING.format(WORLD), "cat /run/ifstate"))
    assert result.code == 0 and result.text.splitlines()[-4:] == ["pong host", f"pong {WORLD}", "lo=lo", "host0=host0"], result
    assert not (root / "asked").exists()
    # Where an administrator of the machine says otherwise, or somebody else sets the network up, there is none.
    for options in (["-n", "--network-setup=host"], ["--private-network"]):
        assert run("-P", "-D", root, *options, "--", "/bin/ls", "/run/ifstate").code == 1
    (root / "etc/network/interfaces").write_text("iface host0 inet static\n")
    assert run("-P", "-D", root, "-n", "--", "/bin/ls", "/run/ifstate").code == 1


@pytest.mark.parametrize("setup, host, guest", [("auto", True, True), ("host", True, False), ("guest", False, True), ("none", False, False)])
def test_each_end_by_itself(tree, Running, setup, host, guest):
    with serve(Running, tree(kind="busybox"), "web", "-n", f"--network-setup={setup}") as machine:
        machine.expect("ready")
        own = ip("-o", "-4", "addr", "show", "ve-web")
        inside = subprocess.run(["nsenter", "-n", "-t", str(leader_of(machine.process.pid)), "ip", "-o", "-4", "addr", "show", "host0"], stdout=subprocess.PIPE,
                                text=True, check=True).stdout
        assert (own != "", inside != "") == (host, guest) and ("ve-web" in ruleset()) == host


def test_who_has_the_bridge_has_the_say(tree, run):
    ip("link", "add", "br0", "type", "bridge")
    try:
        assert run("-P", "-D", tree(kind="busybox"), "--network-bridge=br0", "--", *shell("ip -o -4 addr show host0")).text == ""
        result = run("-D", tree(), "--network-bridge=br0", "--network-setup=guest", "/payload", "exit", "0")
        assert result.code == 1 and "--network-setup" in result.complaint
    finally:
        ip("link", "del", "br0")


@pytest.mark.parametrize("value", ["", " ", "x", "AUTO", "yes", "auto,host", "x" * 300, "a\nb"])
def test_bad_values(tree, run, value):
    result = run("-D", tree(), "-n", f"--network-setup={value}", "/payload", "exit", "0")
    assert result.code == 1 and "--network-setup" in result.complaint


def test_missing_value_and_no_cable(tree, run):
    assert "--network-setup" in run("-D", tree(), "--network-setup").complaint
    assert run("-D", tree(), "--network-setup=host", "/payload", "exit", "0").code == 1
    assert run("-D", tree(), "--network-setup=auto", "/payload", "exit", "0").code == 0


def test_settings_files_ask_for_the_same(tree, run, beside):
    root = tree(kind="busybox")
    path = beside / f"{root.name}.nspawn"
    path.write_text("[Network]\nVirtualEthernet=yes\nSetup=none\n")
    try:
        assert run("-P", "-D", root, "--settings=trusted", "--", *shell("ip -o -4 addr show host0")).text == ""
    finally:
        path.unlink()


# --- Later than the start ---

@contextlib.contextmanager
def watched(Running, root):
    """A machine whose supervisor hears of routes already, which it does a little after the start. Its leader."""
    with serve(Running, root, "web", "-n") as machine:
        machine.expect("ready")
        deadline = time.monotonic() + 10
        while "00000440" not in read("/proc/net/netlink"):  # of IPv4 and IPv6, bits of RTNLGRP_*
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield leader_of(machine.process.pid)


def reaches(leader, target):
    return subprocess.run(["nsenter", "-n", "-t", str(leader), "timeout", "1", "bash", "-c", f"</dev/tcp/{target}/9"], stderr=subprocess.PIPE, check=False).stderr.find(b"refused") >= 0


def test_an_uplink_that_comes_later_is_one_too(tree, Running):
    """And is shut again at the end."""
    targets = ["203.0.113.1"] + (["2001:db8:2::1"] if os.path.exists(FORWARD6.format("up0")) else [])
    with neighbour() as far:
        try:
            with watched(Running, tree(kind="busybox")) as leader:
                subprocess.run(["sh", "-ec", f"""
                    ip link add up1 type veth peer name eth0
                    ip addr add 203.0.113.2/24 dev up1; ip addr add 2001:db8:2::2/64 dev up1 nodad
                    until ip link set eth0 netns {far} && nsenter -n -t {far} ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
                    nsenter -n -t {far} sh -ec 'ip addr add 203.0.113.1/24 dev eth0; ip addr add 2001:db8:2::1/64 dev eth0 nodad; ip link set lo up; ip link set eth0 up'
                    ip link set up1 up"""], check=True)
                deadline = time.monotonic() + 10
                for target in targets:
                    while not reaches(leader, target):
                        assert time.monotonic() < deadline, ruleset()
                assert read(FORWARD.format("up1")) == "1\n" and '"up1"' in ruleset()
            assert read(FORWARD.format("up1")) == "0\n" and read(FORWARD6.format("up1")) in ("0\n", None)
        finally:
            ip("link", "delete", "up1", check=False)


@pytest.mark.skipif(not os.path.exists(FORWARD6.format("lo")), reason="a kernel from 6.17 on forwards IPv6 for single interfaces")
@pytest.mark.parametrize("is_global", [False, True])
def test_rules_of_ipv6_come_with_a_way(tree, Running, is_global):
    """As they cost something, and many hosts have none; what only leads to the neighbours is none."""
    path = pathlib.Path("/proc/sys/net/ipv6/conf/all/forwarding")
    path.write_text("1" if is_global else "0")
    ip("-6", "route", "del", "default")
    ip("addr", "del", "2001:db8:1::2/64", "dev", "up0")
    try:
        with watched(Running, tree(kind="busybox")) as leader:
            assert "table ip nspawn" in ruleset() and "table ip6" not in ruleset()
            ip("addr", "add", "2001:db8:1::2/64", "dev", "up0", "nodad")
            ip("-6", "route", "replace", "default", "via", "2001:db8:1::1")
            deadline = time.monotonic() + 10
            while not reaches(leader, WORLD6):
                assert time.monotonic() < deadline, ruleset()
            assert "table ip6 nspawn" in ruleset()
    finally:
        ip("addr", "replace", "2001:db8:1::2/64", "dev", "up0", "nodad")
        ip("-6", "route", "replace", "default", "via", "2001:db8:1::1")
        path.write_text("0")


def test_machines_that_come_later_are_none(tree, run, Running):
    """Who hears of their routes does not take them for a way out, from where only answers come."""
    root, other = tree(kind="busybox"), tree(kind="busybox")
    with watched(Running, root):
        for _ in range(3):
            words = shell(PING.format(WORLD), "sleep 0.3", PING.format(WORLD))
            assert run("-P", "-D", other, "-M", "two", "-n", "--", *words).text == f"pong {WORLD}\n" * 2
        assert "ve-two" not in ruleset()


# --- Ends ---

def test_a_killed_supervisor_leaves_nothing_for_long(tree, run, Running):
    """The rules are all that the kernel does not take back; the next start or --cleanup does."""
    root = tree(kind="busybox")
    for sweeper in (["-q", "-P", "-D", root, "-M", "other", "-n", "/bin/true"], ["--cleanup", "-D", root, "-M", "web"]):
        with serve(Running, root, "web", "-n") as machine:
            machine.expect("ready")
            os.kill(machine.process.pid, signal.SIGKILL)
            machine.process.wait()
        deadline = time.monotonic() + 5
        while "ve-web" in links() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert run(*sweeper).code == 0
        assert ruleset() == "" and read(FORWARD.format("up0")) == "0\n"


def test_a_reboot_has_the_same(tree, run):
    root = tree(kind="busybox")
    words = shell("ip -o -4 addr show host0 | awk '{print $4}' >>/seen", PING.format(WORLD), "test $(wc -l </seen) -ge 2 || exec reboot -f")
    result = run("-P", "-D", root, "-M", "web", "-n", "--", *words)
    seen = (root / "seen").read_text().split()
    assert result.text.count("pong") == 2 and len(seen) == 2 and seen[0] == seen[1], result


# --- Walls of others ---

@pytest.mark.parametrize("rules, said", [
    ("table inet firewalld {\nchain x {\n}\n}", "firewall-cmd --zone=trusted"), ("table ip filter {\nchain ufw-user-forward {\n}\n}", "ufw route allow in on ve-web"),
    ("table ip filter {\nchain FORWARD {\ntype filter hook forward priority 0; policy drop;\n}\n}", "nft insert rule ip filter FORWARD iifname ve-web accept")],
                         ids=["firewalld", "ufw", "closed"])
def test_walls_are_told(tree, run, rules, said):
    subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
    try:
        result = run("-D", tree(), "-M", "web", "-n", "/payload", "exit", "0")
        assert result.code == 0 and said in result.complaint, result
    finally:
        subprocess.run(["nft", "flush", "ruleset"], check=True)


@pytest.mark.parametrize("program, target", [("iptables-legacy", WORLD), ("ip6tables-legacy", WORLD6)])
def test_walls_of_the_older_tables_are_told(tree, run, program, target):
    """What is said to be needed is enough."""
    if target == WORLD6 and not os.path.exists(FORWARD6.format("up0")):
        pytest.skip("this kernel forwards IPv6 for all interfaces or none")
    if subprocess.run([program, "-P", "FORWARD", "DROP"], stderr=subprocess.PIPE, check=False).returncode != 0:
        pytest.skip("this kernel has no older tables")
    words = ["-D", tree(kind="busybox"), "-M", "web", "-n", "--", *shell(PING.format(target).replace("-W3", "-W1"))]
    try:
        result = run(*words)
        assert result.code == 1 and "pong" not in result.text, result
        needed = re.findall(f"'({program} [^']*)'", result.complaint)
        assert len(needed) == 2, result
        for command in needed:
            subprocess.run(command.split(), check=True)
        assert f"pong {target}" in run(*words).text
    finally:
        subprocess.run([program, "-F", "FORWARD"], check=True)
        subprocess.run([program, "-P", "FORWARD", "ACCEPT"], check=True)


def test_a_ufw_that_is_disabled_keeps_nothing_back(tree, run):
    """These of its chains are there until the host is started again."""
    rules = "table ip filter {\nchain ufw-before-forward {\n}\nchain FORWARD {\ntype filter hook forward priority 0; policy accept;\n}\n}"
    subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
    try:
        result = run("-D", tree(), "-M", "web", "-n", "/payload", "exit", "0")
        assert result.code == 0 and "ufw" not in result.complaint, result
    finally:
        subprocess.run(["nft", "flush", "ruleset"], check=True)


def test_without_a_wall_nothing_is_said(tree, run):
    result = run("-q", "-D", tree(), "-M", "web", "-n", "/payload", "exit", "0")
    assert result.code == 0 and result.err == b"", result


def test_without_nf_tables_the_host_is_all(tree, run):
    """A host that may not make rules: as if the kernel had none."""
    if not probe.offers("root"):
        pytest.skip("needs root")
    script = f"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
# socket(AF_NETLINK, …, NETLINK_NETFILTER) has no such protocol (seccomp(2))
import struct
def insn(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
program = b"".join([insn(0x20,0,0,0), insn(0x15,0,5,41), insn(0x20,0,0,16), insn(0x15,0,3,16), insn(0x20,0,0,32), insn(0x15,0,1,12),
                    insn(0x06,0,0,0x00050000|93), insn(0x06,0,0,0x7fff0000)])
buffer = ctypes.create_string_buffer(program)
class F(ctypes.Structure): _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
f = F(8, ctypes.cast(buffer, ctypes.c_void_p))
assert libc.prctl(22, 2, ctypes.byref(f)) == 0
os.execv(sys.argv[1], sys.argv[1:])"""
    nspawn = os.environ.get("NSPAWN")
    if not nspawn or os.uname().machine != "x86_64":
        pytest.skip("the filter of this test is for x86_64")
    done = subprocess.run(["python3", "-c", script, nspawn, "-P", "-D", str(tree({"etc/hosts": ""}, kind="busybox")), "-n", "--", *shell(PING.format("host"))],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 and done.stdout == "pong host\n" and "without a way beyond it" in done.stderr, done
