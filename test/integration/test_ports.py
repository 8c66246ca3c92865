# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ports of the host that lead into machines, and one of the host that leads out of one, with real packets.

The host is a network namespace of the tests, the LAN beside it another one.
"""
import contextlib
import glob
import ipaddress
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

from lab.network import ip, leaves, neighbour, read, ruleset
from lab.run import leader_of

pytestmark = [pytest.mark.requires("root", "netns", "veth"), pytest.mark.usefixtures("lan")]

HOST, HOST6 = "198.51.100.2", "2001:db8:1::2"
LAN, LAN6 = "198.51.100.1", "2001:db8:1::1"
OWN = {"127.0.0.1": None, "::1": None, HOST: None, HOST6: None}

# Answers with the address it was asked from, and what was said, until it is killed. Ready when it has said so.
SERVICE = """
import socket, sys, threading
kind, family, address, port = sys.argv[1], getattr(socket, sys.argv[2]), sys.argv[3], int(sys.argv[4])
server = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((address, port))
def serve(connection, peer):
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    connection.sendall(peer.encode() + b" " + data)
    connection.close()
if kind == "tcp":
    server.listen(4096)
    print("ready", flush=True)
    while True:
        connection, peer = server.accept()
        threading.Thread(target=serve, args=(connection, peer[0]), daemon=True).start()
print("ready", flush=True)
while True:
    data, peer = server.recvfrom(65536)
    server.sendto(peer[0].encode() + b" " + data, peer)
"""
# Asks a service and prints its answer.
ASK = """
import socket, sys
kind, address, port, timeout = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
client = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
client.settimeout(timeout)
client.connect((address, port))
client.sendall(b"hello")
data = b""
if kind == "tcp":
    client.shutdown(socket.SHUT_WR)
    while chunk := client.recv(65536):
        data += chunk
else:
    data = client.recv(65536)
print(data.decode().removeprefix("::ffff:"))
"""


@pytest.fixture(scope="module")
def lan(own_network):
    """Another machine of the host's network, without a route to any container. Its process id."""
    del own_network
    with neighbour() as pid:
        ip("link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", pid)
        no_dad = "echo 0 >/proc/sys/net/ipv6/conf/{0}/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/{0}/dad_transmits;"
        subprocess.run(["sh", "-ec", no_dad.format("lan0") + f"""
            ip addr add {HOST}/24 dev lan0; ip addr add {HOST6}/64 dev lan0 nodad; ip link set lan0 up"""], check=True)
        subprocess.run(["nsenter", "-n", "-t", str(pid), "sh", "-ec", no_dad.format("eth0") + f"""ip link set lo up
            ip addr add {LAN}/24 dev eth0; ip addr add {LAN6}/64 dev eth0 nodad; ip link set eth0 up"""], check=True)
        yield pid
        ip("link", "del", "lan0")


def relays():
    """Processes that serve ports."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if read(path) == "nspawn-ports\n" and os.stat(path.replace("comm", "ns/net")).st_ino:
                found.append(path)
    return found


def sockets():
    return sorted(subprocess.run(["ss", "-Hlntu"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines())


def state():
    return {"rules": ruleset(), "sockets": sockets(), "links": ip("-br", "link"),
            "sysctls": [read(path) for path in sorted(glob.glob("/proc/sys/net/ipv4/conf/*/route_localnet"))]}


@pytest.fixture(autouse=True)
def nothing_left(lan):
    del lan
    with leaves(state):
        yield


def serve(Running, root, name, *options):
    """A machine that says so and stays."""
    return Running("-P", "-D", root, "-M", name, *options, "--", "/bin/sh", "-c", "echo ready; exec sleep 60")


@contextlib.contextmanager
def service(pid, kind="tcp", port=80, address="::", script=SERVICE):
    """A program in the network of a process."""
    words = [kind, "AF_INET6" if ":" in address else "AF_INET", address, str(port)]
    with subprocess.Popen(["nsenter", "-n", "-t", str(pid), sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def machine(Running, root, name, *options):
    """(machine, leader), as soon as its program runs."""
    with serve(Running, root, name, *options) as running:
        running.expect("ready")
        yield running, leader_of(running.process.pid)


def asked(kind, address, port, pid=None, timeout=5):
    """[who the service says that we are, what we said], or what went wrong."""
    words = [sys.executable, "-c", ASK, kind, address, str(port), str(timeout)]
    done = subprocess.run(["nsenter", "-n", "-t", str(pid), *words] if pid else words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


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


# --- Changes ---

def test_a_guest_that_changes_its_address(tree, Running, lan):
    """It is followed, and while it has none nothing is reached."""
    with machine(Running, tree(kind="busybox"), "web", "-n", "--network-setup=none", "-p", "8080:80") as (_, leader), service(leader):
        inside = ["nsenter", "-n", "-t", str(leader), "ip"]
        assert asked("tcp", "127.0.0.1", 8080).endswith("reset by peer")
        subprocess.run([*inside, "link", "set", "host0", "up"], check=True)
        for number in (2, 3):
            subprocess.run([*inside, "addr", "add", f"192.0.2.{number}/24", "dev", "host0"], check=True)
            if number == 3:
                subprocess.run([*inside, "addr", "del", "192.0.2.2/24", "dev", "host0"], check=True)
                subprocess.run([*inside, "addr", "add", "192.0.2.3/24", "dev", "host0"], check=False, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 5
            while asked("tcp", HOST, 8080, lan)[1:] != ["hello"] and time.monotonic() < deadline:
                pass
            assert asked("tcp", HOST, 8080, lan) == [f"192.0.2.{number}", "hello"]
            assert asked("tcp", "::1", 8080)[1:] == ["hello"]


# Says something all the time, from one address and port, and who answers is told once.
TALK = """
import socket, sys, time
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
client.connect((sys.argv[1], int(sys.argv[2])))
client.settimeout(0.05)
said = set()
while True:
    try:
        client.send(b"hello")
        answer = client.recv(100).split()[-1]
    except OSError:
        time.sleep(0.05)
        continue
    if answer not in said:
        print(answer.decode(), flush=True)
    said.add(answer)
    time.sleep(0.02)
"""
# Answers with the address that it has.
AT = """
import socket, sys
server = socket.socket(getattr(socket, sys.argv[2]), socket.SOCK_DGRAM)
server.bind((sys.argv[3], int(sys.argv[4])))
print("ready", flush=True)
while True:
    try:
        server.sendto(sys.argv[3].encode(), server.recvfrom(100)[1])
    except OSError:
        pass  # no way back while there is no address
"""


@pytest.mark.parametrize("family, addresses, has_gap", [("inet", ("127.0.0.1", HOST), False), ("inet", ("127.0.0.1", HOST), True), ("inet6", ("::1", HOST6), False)])
def test_who_goes_on_talking_is_led_to_the_new_address(tree, Running, lan, family, addresses, has_gap):
    """Though the kernel, or the process that serves, knows where its datagrams went before: those of other machines, and the host's own."""
    with machine(Running, tree(kind="busybox"), "web", "-n", "-p", "udp:8080:80") as (_, leader), contextlib.ExitStack() as stack:
        inside = ["nsenter", "-n", "-t", str(leader), "ip"]
        shown = json.loads(subprocess.run([*inside, "-j", "addr", "show", "host0"], stdout=subprocess.PIPE, check=True).stdout)
        old, prefix = next((a["local"], a["prefixlen"]) for a in shown[0]["addr_info"] if a["family"] == family and a["scope"] == "global")
        new = str(ipaddress.ip_address(old) + 1)
        assert ipaddress.ip_address(new) in ipaddress.ip_interface(f"{old}/{prefix}").network
        if not has_gap:
            subprocess.run([*inside[:-1], "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/host0/promote_secondaries"], check=True)
        stack.enter_context(service(leader, "udp", address=old, script=AT))
        talks = []
        for address, pid in [(address, None) for address in addresses] + [(HOST if family == "inet" else HOST6, lan)]:
            words = [*(["nsenter", "-n", "-t", str(pid)] if pid else []), sys.executable, "-c", TALK, address, "8080"]
            talk = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            stack.callback(talk.kill)
            assert talk.stdout.readline() == old + "\n"
            talks.append(talk)
        subprocess.run([*inside, "addr", "add", f"{new}/{prefix}", "dev", "host0", *(["nodad"] if family == "inet6" else [])], check=True)
        stack.enter_context(service(leader, "udp", address=new, script=AT))
        subprocess.run([*inside, "addr", "del", f"{old}/{prefix}", "dev", "host0"], check=True)
        subprocess.run([*inside, "addr", "replace", f"{new}/{prefix}", "dev", "host0"], check=True)
        if has_gap:
            # Its way out went with the address.
            host = next(a["local"] for a in json.loads(ip("-j", "addr", "show", "ve-web"))[0]["addr_info"] if a["family"] == "inet")
            subprocess.run([*inside, "route", "replace", "default", "via", host], check=True)
        for talk in talks:
            assert select.select([talk.stdout], [], [], 5)[0] and talk.stdout.readline() == new + "\n"


def test_what_a_killed_supervisor_had_is_free_at_once(tree, Running):
    root = tree(kind="busybox")
    with serve(Running, root, "web", "-n", "-p", "8080:80", "-p", "udp:8080:80") as first:
        first.expect("ready")
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(timeout=10)
        deadline = time.monotonic() + 5
        while [line for line in sockets() if ":8080" in line] and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not [line for line in sockets() if ":8080" in line] and "nspawn-ports" in ruleset()
    with machine(Running, root, "web", "-n", "-p", "8080:80") as (_, leader), service(leader):
        assert asked("tcp", "127.0.0.1", 8080)[1:] == ["hello"] and "udp . 8080" not in ruleset()


def left_of_a_killed_one(Running, root, *options):
    """What it led to the machine is still there, its process is not."""
    with serve(Running, root, "web", "-n", "-p", "8080:80", *options) as first:
        first.expect("ready")
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(timeout=10)
    assert "nspawn-ports" in ruleset()


@pytest.mark.parametrize("options", [[], ["--network-veth-name=cable"]], ids=["", "named"])
@pytest.mark.parametrize("words", [["--cleanup", "-M", "web", "-n"], ["--cleanup", "-M", "web"], ["clean", "web"], ["clean"],
                                   ["-P", "-M", "web", "--", "/bin/true"], ["-P", "-M", "web", "--private-network", "--", "/bin/true"]], ids=" ".join)
def test_what_a_killed_supervisor_left_is_cleaned_up(tree, run, Running, words, options):
    """By whoever comes next, at once or later."""
    root = tree(kind="busybox")
    left_of_a_killed_one(Running, root, *options)
    where = [] if words[0] == "clean" else ["-D", root]
    result = run(words[0], *where, *words[1:])
    assert result.code == 0 and "nspawn-ports" not in ruleset(), result
    # A start without links leaves the rules of theirs to one that has some.
    assert run("--cleanup", "-D", root, "-M", "web", "-n", *options).code == 0


def test_a_port_of_a_killed_one_does_not_lead_to_the_next(tree, Running):
    root = tree(kind="busybox")
    left_of_a_killed_one(Running, root)
    with machine(Running, root, "web", "-n") as (_, leader), service(leader):
        assert "refused" in asked("tcp", HOST, 8080) and "nspawn-ports" not in ruleset()


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


# --- While a machine runs ---

@pytest.mark.parametrize("options", [["-n"], ["-n", "-p", "udp:5353:53"], ["-U", "--private-network"]], ids=" ".join)
def test_ports_come_and_go(tree, run, Running, lan, options):
    """Also to a machine that had none; what is taken is said, and of a range all is done or nothing."""
    with machine(Running, tree(kind="busybox"), "web", *options) as (_, leader), service(leader), socket.create_server(("0.0.0.0", 8085)):
        before = sockets()
        assert run("net", "web", "add", "port", "8080:80").code == 0
        for address in ("127.0.0.1", "::1", HOST):
            assert asked("tcp", address, 8080)[1:] == ["hello"], address
        assert asked("tcp", HOST, 8080, lan)[1:] == ["hello"]
        shown = run("show", "web", "-p", "Ports", "--value").text.split()
        assert "tcp:8080:80" in shown and ("udp:5353:53" in shown) == ("-p" in options)
        assert "tcp:8080:80" in run("status", "web").text
        for word, complaint in (("8080", "taken"), ("8081-8085", "The port tcp:8085 of the host is taken"), ("0", "from 1 to 65535"), ("x", "takes ports as")):
            refused = run("net", "web", "add", "port", word)
            assert refused.code == 1 and complaint in refused.complaint, refused
        assert not [line for line in sockets() if ":8081" in line]
        assert run("net", "web", "add", "port", "8081-8083:78-80").code == 0 and asked("tcp", HOST, 8083, lan)[1:] == ["hello"]
        assert "tcp:8081-8083:78" in run("show", "web", "-p", "Ports", "--value").text
        assert "The machine has no port tcp:8084" in run("net", "web", "remove", "port", "8081-8084:78-81").complaint
        assert asked("tcp", "::1", 8083)[1:] == ["hello"] and run("net", "web", "remove", "port", "8081-8083:78-80").code == 0
        assert "The machine has no port tcp:9" in run("net", "web", "remove", "port", "9").complaint
        assert run("net", "web", "remove", "port", "8080:80").code == 0
        assert "refused" in asked("tcp", "127.0.0.1", 8080) and "refused" in asked("tcp", HOST, 8080, lan)
        assert sorted(sockets()) == sorted(before)
        assert "8080" not in run("show", "web", "-p", "Ports", "--value").text


def test_a_port_of_the_host_comes_and_goes(tree, run, Running):
    with machine(Running, tree(kind="busybox"), "web", "--private-network") as (_, leader), service(os.getpid(), port=1143, address="127.0.0.1"):
        assert "refused" in asked("tcp", "127.0.0.1", 1143, leader)
        assert run("net", "web", "add", "host-port", "1143").code == 0
        assert asked("tcp", "127.0.0.1", 1143, leader)[1:] == ["hello"]
        assert run("net", "web", "remove", "host-port", "1143").code == 0
        assert "refused" in asked("tcp", "127.0.0.1", 1143, leader)


def test_no_ports_on_the_hosts_network(tree, run, Running):
    with machine(Running, tree(kind="busybox"), "web"):
        result = run("net", "web", "add", "port", "8080")
        assert result.code == 1 and "'web' has no network of its own" in result.complaint and "--private-network" in result.complaint


def test_ports_are_there_after_a_reboot(tree, run, Running):
    """As they were when it came."""
    root = tree(kind="busybox")
    init = root / "sbin/init"
    init.parent.mkdir(exist_ok=True)
    init.unlink(missing_ok=True)
    init.write_text("#!/bin/sh\necho up\n[ -e /second ] || { touch /second; while [ ! -e /go ]; do sleep 0.05; done; exec busybox reboot -f; }\necho again\nexec sleep 60\n")
    init.chmod(0o755)
    with Running("-q", "-P", "-D", root, "-M", "web", "-n", "-p", "8080:80", "-p", "8070:80", "-b") as running, service(os.getpid(), port=1143, address="127.0.0.1"):
        running.expect("up")
        for change in (("add", "port", "8090:80"), ("remove", "port", "8070:80"), ("add", "host-port", "1143")):
            assert run("net", "web", *change).code == 0
        (root / "go").touch()
        running.expect("again")
        leader = leader_of(running.process.pid)
        with service(leader):
            for port in (8080, 8090):
                assert asked("tcp", "127.0.0.1", port)[1:] == ["hello"]
        assert "refused" in asked("tcp", "127.0.0.1", 8070) and asked("tcp", "127.0.0.1", 1143, leader)[1:] == ["hello"]
        assert run("show", "web", "-p", "Ports", "--value").text.split() == ["tcp:8080:80", "tcp:8090:80"]
        assert run("net", "web", "remove", "port", "8090:80").code == 0
        assert "refused" in asked("tcp", "127.0.0.1", 8090)
