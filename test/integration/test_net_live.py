# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn net: links of a machine that runs, shown, added and taken away, with real packets; the host is a network of the tests' own."""
import contextlib
import json
import os
import signal
import subprocess

import pytest

from lab.network import ip, links
from lab.run import leader_of

pytestmark = [pytest.mark.requires("root", "netns", "veth", "bridge"), pytest.mark.usefixtures("own_network")]

REST = ["--", "/bin/sh", "-c", "echo ready; exec sleep 60"]


@contextlib.contextmanager
def bridge(name="br0", address="10.80.0.1/24"):
    ip("link", "add", name, "type", "bridge")
    ip("addr", "add", address, "dev", name)
    ip("link", "set", name, "up")
    try:
        yield
    finally:
        ip("link", "del", name, check=False)
    assert set(links()) == {"lo"}


@contextlib.contextmanager
def machine(tree, Running, *options, name="web", words=REST):
    with Running("-q", "-P", "-D", tree(kind="busybox"), "-M", name, *options, *words) as running:
        running.expect("ready")
        yield running
        running.stop()


def pings(run, address, name="web"):
    return run("exec", name, "--", "/bin/ping", "-c1", "-W2", address).code == 0


def shown(run, name="web"):
    result = run("net", name, "--json")
    assert result.code == 0, result
    return {row["interface"]: row for row in json.loads(result.out)}


@pytest.mark.parametrize("options", [["--private-network"], ["-U", "-n", "--network-setup=none"]], ids=" ".join)
def test_a_bridge_is_added_and_taken_away(tree, run, Running, options):
    """To a machine without any link, and to one with links and ids of its own."""
    with bridge(), machine(tree, Running, *options) as running:
        before, mine = set(links()), shown(run)
        added = run("net", "web", "add", "bridge", "br0:lan,ip=10.80.0.2/24,mac=02:00:00:00:00:09")
        assert (added.code, added.text, added.complaint) == (0, "lan vb-web+1\n", ""), added
        assert pings(run, "10.80.0.1") and links()["vb-web+1"]["master"] == "br0"
        row = shown(run)["lan"]
        assert (row["host"], row["bridge"], row["mac"], row["addresses"], row["up"], row["kind"]) == (
            "vb-web+1", "br0", "02:00:00:00:00:09", ["10.80.0.2/24"], True, "veth")
        assert run("net", "web", "add", "bridge", "br0").text == "host2 vb-web+2\n"
        assert run("net", "web", "remove", "lan").code == 0
        assert set(links()) == before | {"vb-web+2"} and set(shown(run)) == set(mine) | {"host2"}
        assert not pings(run, "10.80.0.1")
        # The number is free again; what is left at the end is taken back.
        assert run("net", "web", "add", "bridge", "br0:lan").text == "lan vb-web+1\n"
        assert running.err == b"", running


def test_a_cable_to_the_host(tree, run, Running):
    with machine(tree, Running, "--private-network"):
        assert run("net", "web", "add", "veth:lan,ip=10.81.0.2/24,ip=fd81::2/64").text == "lan ve-web+1\n"
        ip("addr", "add", "10.81.0.1/24", "dev", "ve-web+1")
        ip("link", "set", "ve-web+1", "up")
        assert pings(run, "10.81.0.1")
        assert shown(run)["lan"]["addresses"] == ["10.81.0.2/24", "fd81::2/64"]
        assert run("net", "web", "add", "veth").text == "host2 ve-web+2\n"
    assert set(links()) == {"lo"}


def test_a_tap_is_added(tree, run, Running):
    with machine(tree, Running, "--private-network"):
        assert run("net", "web", "add", "tap", "vm0,ip=10.82.0.1/24").text == "vm0\n"
        assert shown(run)["vm0"]["kind"] == "tap" and shown(run)["vm0"]["addresses"] == ["10.82.0.1/24"]
        assert run("net", "web", "remove", "vm0").code == 0 and shown(run) == {}


def test_what_it_started_with_can_be_taken_away(tree, run, Running):
    ip("link", "add", "wire", "type", "veth", "peer", "name", "far")
    try:
        with machine(tree, Running, "--network-zone=shop", "--network-interface=wire:inner", "--network-veth-extra=ex:ex1") as running:
            assert set(shown(run)) == {"host0", "inner", "ex1"} and set(links()) == {"lo", "far", "vb-web", "vz-shop", "ex"}
            for name in ("inner", "host0", "ex1"):
                assert run("net", "web", "remove", name).code == 0
            assert shown(run) == {} and set(links()) == {"lo", "far", "wire"} and running.err == b""
    finally:
        ip("link", "del", "wire")


def test_a_renamed_one_goes_by_either_name(tree, run, Running):
    with bridge(), machine(tree, Running, "--private-network", "-U"):
        for name in ("lan", "mine"):
            assert run("net", "web", "add", "bridge", "br0:lan").code == 0
            assert run("exec", "web", "--", "/bin/ip", "link", "set", "lan", "name", "mine").code == 0
            assert run("net", "web", "remove", name).code == 0
        assert shown(run) == {} and set(links()) == {"lo", "br0"}


def test_what_the_guest_removed_or_hid_is_no_trouble(tree, run, Running):
    with bridge(), machine(tree, Running, "--private-network") as running:
        for words in (["/bin/ip", "link", "del", "host1"], ["/bin/sh", "-c", "ip link set host1 name x; ip link add host1 type dummy || true"]):
            assert run("net", "web", "add", "bridge", "br0").code == 0
            assert run("exec", "web", "--", *words).code == 0
            assert run("net", "web", "remove", "host1").code in (0, 1)
        assert running.err == b""


REFUSED = [
    (["nosuch"], "No machine"), (["nosuch", "add", "veth"], "No machine"), (["nosuch", "remove", "host0"], "No machine"),
    (["web", "add"], "needs what"), (["web", "add", "bridge"], "needs BRIDGE"), (["web", "add", "tap"], "needs NAME"),
    (["web", "add", "bridge", "br9"], "no interface 'br9'"), (["web", "add", "bridge", "lo"], "it is no bridge"),
    (["web", "add", "bridge", "br0:lo"], "interface 'lo' already"), (["web", "add", "tap", "lo"], "interface 'lo' already"),
    (["web", "add", "bridge", "br0,vlan=10"], "does not tell VLANs apart"), (["web", "add", "bridge", "br0,vlan=0"], "vlan="),
    (["web", "add", "bridge", "br0", "br1"], "'br1'"), (["web", "add", "veth", "x"], "a name of an interface as :NAME"),
    (["web", "add", "veth:" + "x" * 300], "at most 15"), (["web", "add", "veth:a/b"], "at most 15"), (["web", "add", "veth:a\nb"], "at most 15"),
    (["web", "add", "veth:../x"], "at most 15"), (["web", "add", "veth:"], "as :NAME"), (["web", "add", "veth,ip=1.2.3.4"], "ip="),
    (["web", "add", "veth,ip=::1/128"], "its addresses"), (["web", "add", "vethx"], "does not know the kind"),
    (["web", "add", "veth,vlan=3"], "behind a comma"), (["web", "remove"], "needs the name"), (["web", "remove", "nosuch"], "no interface 'nosuch'"),
    (["web", "remove", "lo"], "no interface 'lo'"), (["web", "remove", "a", "b"], "'b'"), (["web", "list", "x"], "'x'"), (["web", "what"], "'what'"),
    ([], "name of a machine"), (["web", "--what"], "--what")]


def test_what_cannot_be_done(tree, run, Running):
    """One clear sentence, perhaps with advice, and nothing is changed."""
    wrong = []
    with bridge(), machine(tree, Running, "--private-network") as running:
        for words, said in REFUSED:
            result = run("net", *words)
            lines = result.complaint.splitlines()
            if result.code != 1 or said not in result.complaint or not 1 <= len(lines) <= 2 or not all(c.isprintable() for c in "".join(lines)):
                wrong.append(result)
        assert not wrong and shown(run) == {} and set(links()) == {"lo", "br0"} and running.err == b""


def test_machines_without_a_network_of_their_own(tree, run, Running):
    for options in ([], ["--network-namespace-path=/proc/self/ns/net"]):
        with machine(tree, Running, *options):
            for words in (["add", "veth"], ["remove", "x"], ["list"]):
                result = run("net", "web", *words)
                assert result.code == 1 and "'web' has no network of its own" in result.complaint, result


def test_no_more_than_there_is_room_for(tree, run, Running):
    with machine(tree, Running, "--private-network"):
        for _ in range(32):
            assert run("net", "web", "add", "veth").code == 0
        result = run("net", "web", "add", "veth")
        assert result.code == 1 and "which is the most" in result.complaint
        assert len(links()) == 33
    assert set(links()) == {"lo"}


def test_a_reboot_forgets_what_was_added(tree, run, Running):
    script = "echo x >>/count; echo ready; [ $(wc -l </count) -ge 2 ] && exec sleep 60; while [ ! -e /go ]; do sleep 0.05; done; /payload reboot restart"
    with bridge(), machine(tree, Running, "--private-network", words=["--", "/bin/sh", "-c", script]) as running:
        assert run("net", "web", "add", "bridge", "br0").code == 0
        assert run("exec", "web", "--", "/bin/touch", "/go").code == 0
        running.expect("ready\r\nready" if b"\r" in running.out else "ready\nready")
        assert shown(run) == {} and set(links()) == {"lo", "br0"}


@pytest.mark.parametrize("words", [["clean", "web"], ["-q", "-P", "-M", "web", "-n", "--network-setup=none"]], ids=["clean", "start"])
def test_killed_with_links_that_were_added(tree, run, Running, words):
    """Somebody holds the network of the killed machine, so that its cables stay, until they are cleaned up or taken again."""
    root = tree(kind="busybox")
    with bridge():
        with Running("-q", "-P", "-D", root, "-M", "web", "-n", "--network-setup=none", *REST) as running:
            running.expect("ready")
            assert run("net", "web", "add", "bridge", "br0").code == 0 and run("net", "web", "add", "veth").code == 0
            namespace = os.open(f"/proc/{leader_of(running.pid)}/ns/net", os.O_RDONLY)
            try:
                running.signal(signal.SIGKILL)
                running.wait()
                assert {"ve-web", "vb-web+1", "ve-web+2"} < set(links())
                if words[0] != "clean":
                    with Running(*words, "-D", root, *REST) as again:
                        again.expect("ready")
                        assert run("net", "web", "add", "bridge", "br0").text == "host1 vb-web+1\n"
                        again.stop()
                assert "Removed links" in run("clean", "web").complaint
                assert set(links()) == {"lo", "br0"}
            finally:
                os.close(namespace)


def test_clients_of_another_user_are_turned_away(tree, run, Running):
    """And whoever may speak with the machine, but speaks no sense, is told so."""
    with machine(tree, Running, "--private-network"):
        call = ["busctl", "--address=unix:path=/run/nspawn/web/control", "call", "org.nspawn.Machine", "/org/nspawn/Machine", "org.nspawn.Machine"]
        if subprocess.run(["sh", "-c", "command -v busctl setpriv"], stdout=subprocess.DEVNULL, check=False).returncode == 0:
            other = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", *call, "AddLink", "ss", "veth", ""], capture_output=True,
                                   text=True, check=False)
            assert other.returncode != 0 and set(links()) == {"lo"}
            for kind, text, said in (("port", "80", "kind 'port'"), ("veth", "a" * 9000, "takes a name"), ("bridge", "", "takes a bridge")):
                done = subprocess.run([*call, "AddLink", "ss", kind, text], capture_output=True, text=True, check=False)
                assert done.returncode != 0 and said in done.stderr, done
        assert shown(run) == {} and set(links()) == {"lo"}


def test_the_table_for_people(tree, run, Running):
    with bridge(), machine(tree, Running, "--private-network"):
        assert run("net", "web").code == 0
        run("net", "web", "add", "bridge", "br0:lan,ip=10.80.0.2/24")
        lines = run("net", "web", "list").text.splitlines()
        assert lines[0].split() == ["INTERFACE", "KIND", "UP", "HOST", "BRIDGE", "ADDRESSES"]
        assert lines[1].split() == ["lan", "veth", "yes", "vb-web+1", "br0", "10.80.0.2/24"]
        assert not [line for line in lines if "orts:" in line]
        for kind, port in (("port", "8080:80"), ("port", "udp:5353:53"), ("host-port", "1143")):
            assert run("net", "web", "add", kind, port).code == 0
        assert run("net", "web").text.splitlines()[-2:] == ["Ports: tcp:8080:80 udp:5353:53", "Host ports: tcp:1143"]
