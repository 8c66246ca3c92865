# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ports while something changes: the machine's address, the ports themselves, a supervisor that was killed, a reboot.

The host is a network namespace of the tests, the LAN beside it another one.
"""
import contextlib
import ipaddress
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from lab.network import ip, ruleset
from lab.ports import HOST, HOST6, asked, machine, serve, service, sockets
from lab.run import leader_of

pytestmark = [pytest.mark.requires("root", "netns", "veth"), pytest.mark.usefixtures("no_ports_left")]


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
