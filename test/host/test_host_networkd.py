# SPDX-License-Identifier: LGPL-2.1-or-later
"""A systemd-networkd on the host that knows our links by the files that come with it is left to do so."""
import pytest


@pytest.fixture
def networkd(host):
    """It is masked in that host, which has no use for it elsewhere; without udev it must not wait for that, as where /sys cannot be written to."""
    drop_in = "/run/systemd/system/systemd-networkd.service.d"
    masks = " ".join(f"/etc/systemd/system/systemd-networkd.{kind}" for kind in ("service", "socket"))
    host.check(f"rm {masks} && mkdir -p {drop_in} && printf '[Service]\\nReadOnlyPaths=/sys\\n' >{drop_in}/sys.conf && systemctl daemon-reload && systemctl start systemd-networkd")
    yield host
    host.check(f"systemctl stop systemd-networkd.socket systemd-networkd.service; for i in {masks}; do ln -s /dev/null $i; done; rm -r {drop_in}; systemctl daemon-reload;"
               "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding")


def test_a_machine_that_asks_nobody_is_told(networkd):
    """And what that sentence says helps: a link that is not the host's to set up has all of ours."""
    host = networkd
    host.machine("one")
    told = host.check("nspawn -M one -n -- /bin/ip -o -4 addr show host0 2>&1").text
    assert "systemd-networkd sets 've-one' up" in told and "--network-veth-name=" in told and "inet" not in told
    result = host.check("nspawn -M one -n --network-veth-name=web0 -P -- /bin/ping -c1 -W5 host")
    assert "1 packets received" in result.text and "systemd-networkd" not in result.complaint
