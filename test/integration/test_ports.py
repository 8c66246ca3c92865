# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ports of the host that lead into machines, and one of the host that leads out of one, with real packets.

The host is a network namespace of the tests, the LAN beside it another one.
"""
import contextlib
import glob
import json
import os
import shlex
import socket
import subprocess
import sys
import time

import pytest

from lab.network import ip, read, ruleset
from lab.ports import HOST, HOST6, LAN, LAN6, OWN, asked, machine, service, sockets
from lab.run import leader_of

pytestmark = [pytest.mark.requires("root", "netns", "veth"), pytest.mark.usefixtures("no_ports_left")]


# --- Every way in ---

@pytest.mark.parametrize("options", [["-n"], ["-n", "-U"], ["--private-network"], ["--private-network", "-U"]], ids=" ".join)
def test_every_path(tree, Running, lan, options):
    """TCP and UDP; the host's own addresses, both loopbacks, and from the LAN; IPv4 and IPv6."""
    with machine(Running, tree(kind="busybox"), "web", *options, "-p", "8080:80", "-p", "udp:5353:53") as (_, leader), \
            service(leader), service(leader, "udp", 53):
        for kind, port in (("tcp", 8080), ("udp", 5353)):
            for address in OWN:
                assert asked(kind, address, port)[1:] == ["hello"], (kind, address)
            for address in (HOST, HOST6):
                # What has no address but its loopback is not told of by ::1, which would make others its own.
                if options[0] == "-n" or ":" not in address:
                    assert asked(kind, address, port, lan)[1:] == ["hello"], (kind, address)
        assert [line for line in sockets() if ":8080" in line and "LISTEN" in line] and [line for line in sockets() if ":5353" in line]


def test_who_is_no_process_of_the_machine_does_not_seem_to_be(tree, Running, lan):
    with machine(Running, tree(kind="busybox"), "web", "--private-network", "-p", "8080:80") as (_, leader), service(leader, address="0.0.0.0"):
        assert asked("tcp", "127.0.0.1", 8080) == ["127.0.0.1", "hello"]
        assert asked("tcp", HOST, 8080, lan) == ["127.64.64.64", "hello"]


def test_what_listens_on_loopback_alone_is_not_published(tree, Running):
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:80") as (_, leader), service(leader, address="127.0.0.1"):
        assert "refused" in asked("tcp", HOST, 8080) or "reset" in asked("tcp", HOST, 8080)
        assert asked("tcp", "::1", 8080).endswith("reset by peer")


@pytest.mark.parametrize("inside", ["0.0.0.0", "::"])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_service_of_the_other_family(tree, Running, kind, inside):
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", f"{kind}:8080:80") as (_, leader), service(leader, kind, address=inside):
        assert asked(kind, "::1", 8080)[1:] == ["hello"]


def test_an_address_of_its_own(tree, Running, lan):
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "127.0.0.1:8080:80", "-p", f"[{HOST6}]:8081:80", "-p", f"{HOST}:udp:8082:80") as (_, leader), \
            service(leader), service(leader, "udp"):
        assert asked("tcp", "127.0.0.1", 8080)[1:] == ["hello"] and asked("tcp", HOST6, 8081, lan)[1:] == ["hello"]
        assert asked("udp", HOST, 8082, lan)[1:] == ["hello"]
        for address, port, pid in (("::1", 8080, None), (HOST, 8080, None), (HOST, 8080, lan), ("::1", 8081, None), (HOST, 8081, lan)):
            assert "refused" in asked("tcp", address, port, pid), (address, port)


def test_a_range(tree, Running):
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8000-8010:9000-9010", "-p", "udp:7000-7002") as (_, leader), service(leader, port=9007), \
            service(leader, "udp", 7002):
        assert asked("tcp", "127.0.0.1", 8007)[1:] == ["hello"] and asked("udp", "::1", 7002)[1:] == ["hello"]
        assert len([line for line in sockets() if ":80" in line]) == 11


def test_two_machines(tree, Running):
    with machine(Running, tree(kind="busybox"), "one", "-n", "-p", "8001:80") as (_, first), machine(Running, tree(kind="busybox"), "two", "-n", "-p", "8002:80") as (_, second), \
            service(first, address="0.0.0.0"), service(second):
        assert asked("tcp", "127.0.0.1", 8001)[1:] == ["hello"] and asked("tcp", "::1", 8002)[1:] == ["hello"]


# --- Refused ---

@pytest.mark.parametrize(("kind", "words", "complaint"), [
    ("tcp", ["8080:80"], "The port tcp:8080 of the host is taken"), ("udp", ["udp:8080"], "The port udp:8080 of the host is taken"),
    ("tcp", ["8070-8090"], "The port tcp:8080 of the host is taken"), ("tcp", [f"{HOST}:8080:80"], f"The port {HOST}:tcp:8080 of the host is taken")], ids=str)
def test_a_taken_port_is_met_before_the_start(tree, run, kind, words, complaint):
    root = tree({"touch": ""}, kind="busybox")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 8080))
        if kind == "tcp":
            holder.listen()
        result = run("-P", "-D", root, "-n", *[f"--port={word}" for word in words], "--", "/bin/sh", "-c", "echo ran")
    assert result.code == 1 and result.text == "" and complaint in result.complaint and "ss -lnp" in result.complaint, result


def test_a_port_of_another_machine(tree, run, Running):
    with machine(Running, tree(kind="busybox"), "one", "-n", "-p", "8080:80"):
        result = run("-P", "-D", tree(kind="busybox"), "-M", "two", "-n", "-p", "8080:80", "--", "/bin/true")
        assert result.code == 1 and "The port tcp:8080 of the host is taken" in result.complaint, result


@pytest.mark.parametrize(("words", "complaint"), [
    (["-p", "80"], "'--port' and '--host-port' need a network of the machine's own"), (["--host-port=80"], "need a network of the machine's own"),
    (["-n", "-p", "0"], "takes ports from 1 to 65535, not '0'"), (["-n", "-p", "65536"], "takes ports from 1 to 65535, not '65536'"),
    (["-n", "-p", "80:http"], "takes ports as [ADDRESS:][tcp:|udp:]PORT[:PORT], not '80:http'"), (["-n", "-p", "80-90:80-91"], "ranges of different lengths, 11 ports and 12"),
    (["-n", "-p", "80", "-p", "tcp:80:81"], "names the port tcp:80 a second time"), (["-n", "-p", "80-82", "-p", "127.0.0.1:81"], "names the port 127.0.0.1:tcp:81 a second time"),
    (["-n", "-p", "192.0.2.1:80"], "The host does not have the address of the port 192.0.2.1:tcp:80")], ids=str)
def test_one_sentence(tree, run, words, complaint):
    result = run("-P", "-D", tree(kind="busybox"), *words, "--", "/bin/true")
    assert result.code == 1 and complaint in result.complaint and "Spawning" not in result.complaint, result


# --- Many ---

CROWD = """
import resource, socket, sys
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1000, max(count + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
clients = []
for _ in range(count):
    clients.append(socket.create_connection((address, port), timeout=20))
for number, client in enumerate(clients):
    client.sendall(b"%08d" % number)
for number, client in enumerate(clients):
    client.settimeout(20)
    data = b""
    while len(data) < 8:
        chunk = client.recv(8 - len(data))
        assert chunk, number
        data += chunk
    assert data == b"%08d" % number, (number, data)
print("all", count)
"""
# One thread for all of them.
ECHO = """
import resource, select, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, max(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
server = socket.create_server(("::", int(sys.argv[4])), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True)
server.setblocking(False)
poll = select.epoll()
poll.register(server, select.EPOLLIN)
there = {}
print("ready", flush=True)
while True:
    for fd, _ in poll.poll():
        if fd == server.fileno():
            try:
                while True:
                    connection = server.accept()[0]
                    there[connection.fileno()] = connection
                    poll.register(connection, select.EPOLLIN)
            except BlockingIOError:
                continue
        else:
            data = there[fd].recv(4096)
            if data:
                there[fd].sendall(data)
            else:
                poll.unregister(fd)
                there.pop(fd).close()
"""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", HOST, "lan"])
def test_ten_thousand_at_once(tree, Running, lan, address):
    """All open together, each has its own bytes back, and the next is served as well."""
    where = ["nsenter", "-n", "-t", str(lan)] if address == "lan" else []
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:80") as (_, leader), service(leader, script=ECHO):
        for count in (10000, 10):
            done = subprocess.run([*where, sys.executable, "-c", CROWD, HOST if where else address, "8080", str(count)], capture_output=True, text=True, check=False)
            assert done.stdout == f"all {count}\n", done.stderr[-2000:]


def test_much_data_both_ways_at_once(tree, Running):
    """More than any buffer holds, from a client that does not read before it has written, and one whose reader is slow."""
    script = """
import socket, sys, threading
server = socket.create_server(("::", int(sys.argv[4])), family=socket.AF_INET6)
print("ready", flush=True)
while True:
    connection = server.accept()[0]
    def reflect(connection=connection):
        while chunk := connection.recv(65536):
            connection.sendall(chunk)
        connection.close()
    threading.Thread(target=reflect, daemon=True).start()
"""
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:80") as (_, leader), service(leader, script=script):
        with socket.create_connection(("::1", 8080), timeout=10) as client:
            client.setblocking(False)
            block, sent = os.urandom(1 << 16), 0
            with contextlib.suppress(BlockingIOError):
                while sent < 1 << 30:
                    sent += client.send(block[sent % len(block):])
            assert sent > 1 << 16
            client.settimeout(10)
            received = 0
            while received < sent:
                chunk = client.recv(min(1 << 20, sent - received))
                at = received % len(block)
                assert chunk == (block * (len(chunk) // len(block) + 2))[at:at + len(chunk)]
                received += len(chunk)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b"", "its end comes through"


# --- Who the machine sees ---

def test_real_addresses(tree, Running, lan):
    """Of the LAN they are the clients' own; of the host they are the link's; through ::1 the machine's own."""
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:80", "-p", "udp:5353:53") as (_, leader), service(leader), service(leader, "udp", 53):
        link = {a["family"]: a["local"] for found in json.loads(ip("-j", "addr", "show", "ve-web")) for a in found["addr_info"] if a["scope"] == "global"}
        for kind, port in (("tcp", 8080), ("udp", 5353)):
            assert asked(kind, HOST, port, lan) == [LAN, "hello"] and asked(kind, HOST6, port, lan) == [LAN6, "hello"]
            assert asked(kind, HOST, port)[0] == asked(kind, "127.0.0.1", port)[0] == link["inet"]
            assert asked(kind, HOST6, port)[0] == link["inet6"]
        assert asked("tcp", "::1", 8080)[0] not in link.values()


@pytest.mark.requires("bridge")
def test_machines_of_a_zone_by_the_host(tree, Running, lan):
    """One reaches the other, and itself, by the port of the host."""
    with machine(Running, tree(kind="busybox"), "one", "--network-zone=shop", "-p", "8080:80") as (_, first), \
            machine(Running, tree(kind="busybox"), "two", "--network-zone=shop") as (_, second), service(first):
        for pid in (first, second):
            assert asked("tcp", HOST, 8080, pid)[1:] == ["hello"]
        assert asked("tcp", HOST, 8080, lan) == [LAN, "hello"] and asked("tcp", "127.0.0.1", 8080)[1:] == ["hello"]
        assert read("/proc/sys/net/ipv4/conf/vz-shop/route_localnet") == "1\n"


@pytest.mark.parametrize("close, open_up", [
    ("nft 'table ip wall { chain c { type filter hook forward priority 0; policy drop; }; }'", "nft delete table ip wall"),
    ("iptables-legacy -P FORWARD DROP", "iptables-legacy -P FORWARD ACCEPT")], ids=["nft", "iptables"])
def test_where_the_hosts_own_rules_are_closed(tree, Running, lan, close, open_up):
    """They are not passed by: a process serves what they let in, and a sentence says so."""
    if subprocess.run(shlex.split(close), stderr=subprocess.PIPE, check=False).returncode != 0:
        pytest.skip("this kernel has no such tables")
    try:
        with Running("-D", tree(kind="busybox"), "-M", "web", "-n", "-p", "8080:80", "--", "/bin/sh", "-c", "echo ready; exec sleep 60") as running:
            running.expect("ready")
            stack = contextlib.ExitStack()
            stack.enter_context(service(leader_of(running.process.pid)))
            assert asked("tcp", HOST, 8080, lan)[1:] == ["hello"] and asked("tcp", "127.0.0.1", 8080)[1:] == ["hello"]
            running.expect("do not reach the machine with their own addresses")
            assert "nspawn-ports" not in ruleset()
            stack.close()
    finally:
        subprocess.run(shlex.split(open_up), check=True)


# --- Attacks ---

def test_loopback_of_the_host_is_not_reached_from_the_link(tree, Running):
    """CVE-2020-8558: what is routed there for answers is no way in."""
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:80") as (_, leader), service(os.getpid(), port=7000, address="127.0.0.1"), \
            service(os.getpid(), "udp", 7001, "127.0.0.1"):
        inside = ["nsenter", "-n", "-t", str(leader)]
        host = json.loads(ip("-j", "addr", "show", "ve-web"))[0]["addr_info"][0]["local"]
        assert read("/proc/sys/net/ipv4/conf/ve-web/route_localnet") == "1\n"
        subprocess.run([*inside, "sh", "-ec", f"""
            for one in all default host0 lo; do echo 1 >/proc/sys/net/ipv4/conf/$one/route_localnet; done
            ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1/32 via {host} dev host0"""], check=True)
        assert "timed out" in asked("tcp", "127.0.0.1", 7000, leader, timeout=1)
        assert "timed out" in asked("udp", "127.0.0.1", 7001, leader, timeout=1)
        # The way itself is there: without the shield it would be a hole.
        subprocess.run(["nft", "flush", "chain", "inet", "nspawn-ports", "shield"], check=True)
        assert asked("tcp", "127.0.0.1", 7000, leader, timeout=3)[1:] == ["hello"]


@pytest.mark.parametrize("claimed", ["127.0.0.9/32", LAN + "/32", HOST + "/32", "192.0.2.77/32"])
def test_a_guest_that_calls_itself_by_anothers_address(tree, Running, lan, claimed):
    """The host leads nobody to its own loopback, nor to somebody of the LAN."""
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:7000") as (_, leader), service(os.getpid(), port=7000, address="127.0.0.1"), \
            service(lan, port=7000, address=LAN), service(leader, port=7000):
        inside = ["nsenter", "-n", "-t", str(leader), "ip", "addr"]
        own = [f"{a['local']}/{a['prefixlen']}" for found in json.loads(subprocess.run([*inside[:-1], "-j", "-4", "addr", "show", "host0"], stdout=subprocess.PIPE, check=True).stdout)
               for a in found["addr_info"]]
        subprocess.run([*inside, "add", claimed, "dev", "lo", "scope", "global"], check=True)
        for address in own:
            subprocess.run([*inside, "del", address, "dev", "host0"], check=True)
        deadline = time.monotonic() + 5
        while own[0].split("/", maxsplit=1)[0] in ruleset() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert f": {claimed.removesuffix('/32')} ." not in ruleset()
        # Whoever comes is served by what is in the machine.
        assert asked("tcp", "127.0.0.1", 8080) == [claimed.removesuffix("/32"), "hello"]


def test_the_process_that_serves_has_nothing(tree, Running):
    """No rights, no files, no ids of the host's root; and the machine's network alone."""
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "8080:80") as (running, leader):
        mine = [path.split("/")[2] for path in glob.glob("/proc/[0-9]*/comm") if read(path) == "nspawn-ports\n"
                and f"PPid:\t{running.process.pid}\n" in read(path.replace("comm", "status"))]
        assert mine
        for pid in mine:
            status = dict(line.split(":\t", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":\t" in line)
            assert status["Uid"].split() == ["65534"] * 4 and status["Gid"].split() == ["65534"] * 4 and status["Groups"].strip() == ""
            assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
            assert os.listdir(f"/proc/{pid}/root") == []
            assert os.stat(f"/proc/{pid}/ns/net").st_ino == os.stat(f"/proc/{leader}/ns/net").st_ino


# --- A port of the host ---

@pytest.mark.parametrize("options", [["--private-network"], ["--private-network", "-U"], ["-n"]], ids=" ".join)
@pytest.mark.parametrize("inside", ["127.0.0.1", "::1"])
def test_a_port_of_the_host(tree, Running, options, inside):
    """Reached on the machine's loopback, and nothing besides."""
    with service(os.getpid(), port=7143, address="127.0.0.1"), service(os.getpid(), "udp", 7053, "127.0.0.1"), service(os.getpid(), port=7144, address="127.0.0.1"), \
            machine(Running, tree(kind="busybox"), "web", *options, "--host-port=tcp:7143", "--host-port=udp:7053") as (_, leader):
        assert asked("tcp", inside, 7143, leader) == ["127.0.0.1", "hello"] and asked("udp", inside, 7053, leader) == ["127.0.0.1", "hello"]
        assert "refused" in asked("tcp", inside, 7144, leader)


def test_it_is_there_before_the_first_program(tree, run):
    with service(os.getpid(), port=7143, address="::1"):
        result = run("-P", "-D", tree(kind="busybox"), "--private-network", "--host-port=7143", "--", "/bin/sh", "-c", "echo hello | nc 127.0.0.1 7143")
        assert result.text == "::1 hello\n", result


def test_a_port_of_the_host_where_nobody_listens(tree, Running):
    with machine(Running, tree(kind="busybox"), "web", "--private-network", "--host-port=7143") as (_, leader):
        assert asked("tcp", "127.0.0.1", 7143, leader).endswith("reset by peer")
