# SPDX-License-Identifier: LGPL-2.1-or-later
"""VLANs of a bridge's ports, with packets, on a kernel of Debian's own that tells them apart."""
import pytest

from lab import vm

pytestmark = pytest.mark.requires("emulator", "mirror")

# "trunk" has an address in each of three VLANs; who pings those shows in which it is.
SCRIPT = r"""
N="nspawn -q -P -D /tree"
ping_from() { $N "$@" -- /bin/sh -c 'for to in 10.10.0.1 10.20.0.1 10.30.0.1; do ping -c1 -W1 $to >/dev/null && echo pong $to; done; true'; }
ip link set lo up
say bridge ip link add br0 type bridge
say refused $N --network-bridge=br0,vlan=10 /bin/true
echo 1 >/sys/class/net/br0/bridge/vlan_filtering
ip link set br0 up

# A machine that has all three with tags, and one of them without as well.
cp -a /tree /trunk
nspawn -q -M trunk -D /trunk --console=read-only --network-bridge=br0:lan,vlan=10,vlan=20-30 /bin/sleep 1000 </dev/null &
i=0; until nspawn wait trunk --ready 2>/dev/null || [ $i -ge 300 ]; do i=$((i+1)); usleep 200000; done
nspawn exec trunk -- /bin/sh -c 'ip link set lan up
	for v in 10 20 30; do ip link add link lan name v$v type vlan id $v; ip addr add 10.$v.0.1/24 dev v$v; ip link set v$v up; done' || echo "== failed"
say access ping_from --network-bridge=br0,pvid=10,ip=10.10.0.2/24,ip=10.20.0.2/24,ip=10.30.0.2/24
say access-20 ping_from --network-bridge=br0,pvid=20,ip=10.10.0.2/24,ip=10.20.0.2/24,ip=10.30.0.2/24
say access-40 ping_from --network-bridge=br0,pvid=40,ip=10.10.0.2/24,ip=10.20.0.2/24,ip=10.30.0.2/24
# What is said of no VLAN is in the bridge's own.
say plain ping_from --network-bridge=br0,ip=10.10.0.2/24,ip=10.20.0.2/24,ip=10.30.0.2/24
say two ping_from --network-bridge=br0,pvid=10,ip=10.10.0.2/24 --network-bridge=br0,pvid=30,ip=10.30.0.2/24
say tagged $N --network-bridge=br0,vlan=20 -- /bin/sh -c 'ip link set host0 up; ip link add link host0 name v20 type vlan id 20
	ip addr add 10.20.0.3/24 dev v20; ip link set v20 up; ping -c1 -W3 10.20.0.1 >/dev/null && echo pong'
say live nspawn net trunk add bridge br0:late,pvid=20,ip=10.20.0.9/24
say live-ping $N --network-bridge=br0,pvid=20,ip=10.20.0.2/24 -- /bin/sh -c 'for to in 10.20.0.1 10.20.0.9; do ping -c1 -W3 $to >/dev/null && echo pong $to; done'
say live-refused nspawn net trunk add bridge br0,vlan=0
say terminate nspawn terminate trunk
say left ls /sys/class/net
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the machine said, by the headings of its script."""
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    vm.furnish(root)
    for name in ("sh", "ip", "ping", "sleep", "true"):
        (root / "tree/bin" / name).symlink_to("busybox")
    answers = vm.boot(root, vm.bring_modules(root, work, vm.BRIDGE) + SCRIPT, work)
    print(*(f"== {name}\n{text}" for name, text in answers.items()))
    return answers


def pongs(said, case):
    assert said[case].endswith("status 0\n"), said[case]
    return [line.split()[1] for line in said[case].splitlines() if line.startswith("pong")]


def test_a_bridge_that_does_not_filter_is_refused(said):
    assert "The bridge 'br0' does not tell VLANs apart" in said["refused"] and "vlan_filtering 1" in said["refused"]
    assert said["refused"].endswith("status 1\n") and "failed" not in said


@pytest.mark.parametrize("case, reached", [("access", ["10.10.0.1"]), ("access-20", ["10.20.0.1"]), ("access-40", []), ("plain", []),
                                           ("two", ["10.10.0.1", "10.30.0.1"])])
def test_a_port_reaches_its_own_vlans_alone(said, case, reached):
    """One without any word is in the VLAN that the bridge gives, and one with them is not."""
    assert pongs(said, case) == reached


def test_tags_are_the_machines(said):
    assert said["tagged"] == "pong\nstatus 0\n"


def test_links_that_are_added_have_vlans_too(said):
    assert said["live"] == "late vb-trunk+1\nstatus 0\n" and pongs(said, "live-ping") == ["10.20.0.1", "10.20.0.9"]
    assert "vlan=" in said["live-refused"] and said["live-refused"].endswith("status 1\n")


def test_nothing_is_left(said):
    assert said["left"].split() == ["br0", "lo", "status", "0"] and said["terminate"].endswith("status 0\n")
