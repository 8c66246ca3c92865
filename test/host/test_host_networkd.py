# SPDX-License-Identifier: LGPL-2.1-or-later
"""A systemd-networkd on the host that knows our links by the files that come with it: DHCP, a way out, and who does what."""
import contextlib
import json

import pytest

GUEST = {"etc/systemd/system/multi-user.target.wants/systemd-networkd.service=": "/usr/lib/systemd/system/systemd-networkd.service"}
INSIDE = "nsenter -n -t $(machinectl show one -P Leader)"
FORWARDING = "/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding"


@pytest.fixture
def networkd(host):
    """It is masked in that host, which has no use for it elsewhere. It waits for udev, which is not there, unless /sys is read-only, as in a machine without all rights."""
    masks = " ".join(f"/etc/systemd/system/systemd-networkd.{kind}" for kind in ("service", "socket"))
    host.check(f"rm {masks} && mount -o remount,bind,ro /sys && systemctl daemon-reload && systemctl start systemd-networkd")
    yield host
    host.check(f"systemctl stop systemd-networkd.socket systemd-networkd.service; for i in {masks}; do ln -s /dev/null $i; done; systemctl daemon-reload;"
               f"mount -o remount,bind,rw /sys; for i in {FORWARDING}; do echo 0 >$i; done")


@contextlib.contextmanager
def beyond(host):
    """Somebody that only the host knows a way to, and who knows none to machines: no answer gets further than the host."""
    host.check("ip netns add far && ip link add up0 type veth peer name down0 netns far && ip address add 203.0.113.1/24 dev up0 && ip link set up0 up &&"
               "ip -n far address add 203.0.113.2/24 dev down0 && ip -n far link set down0 up")
    try:
        yield "203.0.113.2"
    finally:
        host.check("ip link delete up0; ip netns delete far; umount /run/netns; rmdir /run/netns")


def address_of(host, enter, link):
    """The one of IPv4 that is not of the link alone, and whether somebody gave it for a time."""
    links = json.loads(host.check(f"{enter} ip -j -4 addr show {link}").text)
    (address,) = [a for link in links for a in link.get("addr_info", ()) if a["scope"] == "global"]
    return address["local"], address.get("dynamic", False)


def answers(host, enter, target):
    """Nobody listens there: who says so is reached."""
    return "refused" in host.run(f"{enter} timeout 10 bash -c '</dev/tcp/{target}/9'").complaint


@pytest.mark.parametrize("options, link", [(["-n"], "ve-one"), (["--network-zone=shop"], "vz-shop")], ids=["cable", "zone"])
def test_a_machine_with_networkd_gets_its_address_by_dhcp(networkd, options, link):
    """All of it the two networkd's work: that no address is ours is seen by there being one each, of the host's file and of its server."""
    host = networkd
    host.machine("one", kind="trixie", entries=GUEST)
    with host.boots("one", "-D", "/var/lib/machines/one", *options), beyond(host) as far:
        host.wait_until(f"{INSIDE} ip -4 route show default | grep -q 'proto dhcp'", timeout=60)  # after the address
        (own, is_lent), (inside, is_leased) = address_of(host, "", link), address_of(host, INSIDE, "host0")
        assert not is_lent and is_leased
        assert json.loads(host.check(f"{INSIDE} ip -j -4 route show default").text)[0]["gateway"] == own
        assert answers(host, INSIDE, own) and answers(host, "", inside) and answers(host, INSIDE, far)
        host.wait_until(f"networkctl list {link} --no-legend | grep -q configured", timeout=20)
        if link == "vz-shop":
            assert "vb-one" in host.check("ip -o link show master vz-shop").text


def test_a_machine_that_asks_nobody_is_told(networkd):
    """And what that sentence says helps: a link that is not the host's to set up has all of ours."""
    host = networkd
    host.machine("one")
    told = host.check("nspawn -M one -n -- /bin/ip -o -4 addr show host0 2>&1").text
    assert "systemd-networkd sets 've-one' up" in told and "--network-veth-name=" in told and "inet" not in told
    result = host.check("nspawn -M one -n --network-veth-name=web0 -P -- /bin/ping -c1 -W5 host")
    assert "1 packets received" in result.text and "systemd-networkd" not in result.complaint
