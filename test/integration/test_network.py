# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's network by default, one of its own with only a loopback on request."""
import os
import socket

import pytest

pytestmark = pytest.mark.requires("root", "netns")


def test_the_hosts_network_is_shared(tree, ask):
    answer = ask(tree(), "namespaces", "links")
    assert answer["namespaces"]["net"] == os.readlink("/proc/self/ns/net")
    assert set(answer["links"]) - {"bonding_masters"} == {name for _, name in socket.if_nameindex()}


def test_a_network_of_its_own(tree, ask):
    answer = ask(tree(), "namespaces", "links", options=["--private-network"])
    assert answer["namespaces"]["net"] != os.readlink("/proc/self/ns/net")
    assert "lo" in answer["links"]
    # Some tunnels' fallback links appear in every network; nothing else of the host's may.
    everywhere = {"lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0"}
    assert not set(answer["links"]) & ({name for _, name in socket.if_nameindex()} - everywhere)
    assert int(answer["links"]["lo"], 16) & 1, "the loopback is not up"


def test_the_loopback_works(tree, run):
    root = tree(kind="busybox")
    script = "(echo hello | nc -l -p 4000 127.0.0.1 >/dev/null &) ; sleep 0.3; ping -c1 -W2 127.0.0.1 >/dev/null && echo pong; ip addr show lo"
    result = run("-P", "-D", root, "--private-network", "/bin/sh", "-c", script)
    assert "pong" in result.text and "127.0.0.1/8" in result.text, result


def test_the_machine_may_configure_its_own_network(tree, run):
    root = tree(kind="busybox")
    words = ["/bin/sh", "-c", "ip addr add 10.9.8.7/24 dev lo && echo 1 >/proc/sys/net/ipv4/ip_forward && ip addr show lo"]
    result = run("-P", "-D", root, "--private-network", *words)
    assert result.code == 0 and "10.9.8.7" in result.text
    assert run("-P", "-D", root, *words).code != 0


def test_what_a_machine_binds_on_its_loopback_is_not_the_hosts(tree, do):
    assert do(tree(), "syscall", "41,16,3,0", options=["--private-network"]).json == [0]
