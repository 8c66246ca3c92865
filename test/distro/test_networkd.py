# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network manager inside keeps what nspawn set up, and waits for nobody."""
import json

import pytest

from lab.network import ip

pytestmark = [pytest.mark.requires("root", "mirror", "netns", "veth"), pytest.mark.usefixtures("own_network")]

UNIT = """[Unit]
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
StandardOutput=append:/probe.out
StandardError=journal
ExecStart=/bin/sh -c 'ip -j route; ip -j -6 route; ip -j addr show host0; systemctl is-failed systemd-networkd-wait-online; networkctl --lines=0 status host0 | grep State:'
ExecStopPost=/bin/systemctl poweroff
[Install]
WantedBy=multi-user.target
"""
ENABLED = {"multi-user.target.wants/probe.service": "../probe.service",
           "multi-user.target.wants/systemd-networkd.service": "/usr/lib/systemd/system/systemd-networkd.service",
           "network-online.target.wants/systemd-networkd-wait-online.service": "/usr/lib/systemd/system/systemd-networkd-wait-online.service"}


@pytest.mark.parametrize("kind", ["bookworm", "trixie"])
@pytest.mark.parametrize("options", [[], ["-U"]], ids=str)
def test_networkd_inside_keeps_it(tree, run, kind, options):
    units = {f"etc/systemd/system/{name}=": target for name, target in ENABLED.items()}
    root = tree({"etc/systemd/system/probe.service": UNIT, **units}, kind=kind)
    result = run("-D", root, "-M", "web", "-n", "-b", *options, timeout=120)
    assert result.code == 0, result
    said = (root / "probe.out").read_text().splitlines()
    assert len(said) == 5, said
    routes, routes6, address, online, state = said
    assert online == "active" and "routable (configured)" in state
    found = {a["local"] for a in json.loads(address)[0]["addr_info"] if a["scope"] == "global"}
    plan = {row["name"]: row for row in run("--dry-run=json", "-D", root, "-M", "web", "-n").json["network"]}
    assert found == {plan[family]["address"].split("/")[0] for family in ("IPv4", "IPv6")}
    assert [r["gateway"] for r in json.loads(routes) if r["dst"] == "default"] == [plan["IPv4"]["host_address"].split("/")[0]]
    assert len([r for r in json.loads(routes6) if r["dst"] == "default"]) <= 1
    assert set(json.loads(ip("-j", "link"))[0]) and "ve-web" not in ip("link")
