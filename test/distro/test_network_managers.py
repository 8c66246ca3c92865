# SPDX-License-Identifier: LGPL-2.1-or-later
"""ifupdown with its clients of DHCP, and NetworkManager, in a machine whose network nspawn sets up: they keep it, and no boot waits."""
import json

import pytest

from lab.network import WORLD

pytestmark = [pytest.mark.requires("root", "mirror", "netns", "veth"), pytest.mark.usefixtures("outside")]

PROBE = f"""[Unit]
After=network-online.target
Wants=network-online.target
[Service]
Type=oneshot
StandardOutput=append:/probe.out
ExecStart=/bin/sh -c 'ip -j addr show host0; ip -j route show default; getent ahostsv4 host | head -n1; ping -c1 -W3 host >/dev/null && ping -c1 -W3 {WORLD} >/dev/null && echo pong; \
  cut -d" " -f1 /proc/uptime; systemctl show -P UserspaceTimestampMonotonic; systemctl --failed --no-legend | wc -l; grep ^nameserver /etc/resolv.conf; pgrep -c dhclient; nmcli -t -f DEVICE,STATE dev'
ExecStopPost=/bin/systemctl poweroff
[Install]
WantedBy=multi-user.target
"""
UNITS, WANTS = "/usr/lib/systemd/system", "etc/systemd/system/{}.target.wants/{}.service="
SOON = 40  # seconds from the first unit to the target, on a loaded machine; who waits for an answer by DHCP does so for a minute


def enabled(*units):
    return {WANTS.format(target, unit): f"{UNITS}/{unit}.service" for target, unit in units}


IFUPDOWN = enabled(("multi-user", "networking"), ("network-online", "networking"), ("network-online", "ifupdown-wait-online"), ("sysinit", "resolvconf"))
ASKS = "auto lo\niface lo inet loopback\nauto host0\niface host0 inet dhcp\n"
MANAGER = enabled(("multi-user", "NetworkManager"), ("network-online", "NetworkManager-wait-online"))
PROFILE = "[connection]\nid=wired\ntype=ethernet\ninterface-name=host0\nautoconnect-priority=9\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n"
CASES = {
    "ifupdown": IFUPDOWN,
    "ifupdown with DHCP": {**IFUPDOWN, "etc/network/interfaces.d/host0": ASKS},
    "NetworkManager with DHCP": {**MANAGER, "etc/NetworkManager/system-connections/wired.nmconnection": PROFILE},
}


def probe_of(tree, run, entries, *options):
    """What the probe saw, and the plan by which it should have."""
    root = tree({"etc/systemd/system/probe.service": PROBE, "etc/systemd/system/multi-user.target.wants/probe.service=": "../probe.service", **entries}, kind="network")
    profile = root / "etc/NetworkManager/system-connections/wired.nmconnection"
    if profile.exists():
        profile.chmod(0o600)
    result = run("-D", root, "-M", "web", "-n", "-b", *options, timeout=180)
    assert result.code == 0, result
    plan = {row["name"]: row for row in run("--dry-run=json", "-D", root, "-M", "web", "-n").json["network"]}
    return (root / "probe.out").read_text().splitlines(), plan


@pytest.mark.parametrize("entries", CASES.values(), ids=CASES)
def test_it_keeps_what_it_finds(tree, run, entries):
    said, plan = probe_of(tree, run, entries)
    address, route, host, pong, now, begin, failed = said[:7]
    found = {a["local"] for a in json.loads(address)[0]["addr_info"] if a["scope"] == "global"}
    gateway = plan["IPv4"]["host_address"].split("/")[0]
    assert found == {plan[family]["address"].split("/")[0] for family in ("IPv4", "IPv6")}
    assert [(r["gateway"], r["dev"]) for r in json.loads(route)] == [(gateway, "host0")]
    assert host.split()[0] == gateway and pong == "pong" and failed == "0", said
    assert float(now) - int(begin) / 1e6 < SOON, said
    assert any(line.startswith("nameserver ") for line in said) and "0" in said[-3:], said
    if entries.keys() & MANAGER.keys():
        assert "host0:connected (externally)" in said


def test_what_an_administrator_says_is_done(tree, run):
    """Addresses that stand in the tree's own files, beside ours."""
    said, _ = probe_of(tree, run, {**IFUPDOWN, "etc/network/interfaces": "auto host0\niface host0 inet static\n address 192.0.2.7/24\n"})
    assert "192.0.2.7" in {a["local"] for a in json.loads(said[0])[0]["addr_info"]}


def test_a_bare_command_has_names_where_a_program_would_write_them(tree, run):
    """/etc/resolv.conf of that tree is a link to a file that nobody has made yet."""
    root = tree(kind="network")
    for options in ([], ["-U"], ["--read-only"], ["--ephemeral"]):
        result = run("-P", "-D", root, "-n", *options, "--", "/bin/sh", "-c", "readlink /etc/resolv.conf; grep -c ^nameserver /etc/resolv.conf")
        assert result.code == 0 and result.text.splitlines()[0] == "../run/resolvconf/resolv.conf" and result.text.splitlines()[1] != "0", result


@pytest.mark.parametrize("client", ["dhclient -v -1 -cf /etc/soon.conf host0", "dhcpcd --noipv4ll --timeout 3 host0"])
def test_a_client_of_dhcp_that_gets_no_answer_changes_nothing(tree, run, client):
    root = tree({"etc/soon.conf": "timeout 3;\nretry 3;\n"}, kind="network")
    look = "ip -o addr show host0; ip route; ip -6 route show default; "
    result = run("-P", "-D", root, "-n", "--", "/bin/sh", "-c", f"{look} echo between; {client} >/said 2>&1; sleep 8; {look}", timeout=60)
    before, _, after = result.text.partition("between\n")
    assert before == after and "default" in after, result
    assert "DHCPDISCOVER" in (said := (root / "said").read_text()) or "soliciting a DHCP lease" in said
