# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ports of machines: a LAN beside the host's network, services, and who asks them."""
import contextlib
import glob
import os
import subprocess
import sys

from lab.network import ip, neighbour, read, ruleset
from lab.run import leader_of

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


@contextlib.contextmanager
def lan():
    """Another machine of the host's network, without a route to any container. Its process id."""
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
