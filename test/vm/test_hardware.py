# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces that few kernels of build machines have: ipvlan, macvlan and dummy, and radios that move with all their interfaces."""
import pytest

from lab import vm

pytestmark = pytest.mark.requires("emulator", "mirror", "iw")

# A radio is a "phy". "far" is in a machine of its own, at the other end of "wire".
SCRIPT = r"""
N="nspawn -q -P -D /tree"
U="-D /users --private-users=524288:65536 --private-users-ownership=chown"; cp -a /tree /users
wait_for() { local i=0; while [ $i -lt 150 ]; do "$@" >/dev/null 2>&1 && return; i=$((i+1)); usleep 200000; done; echo "== never"; echo "$*"; }
start() { local name=$1; shift; cp -a /tree /$name; nspawn -q -M $name -D /$name --console=read-only "$@" </dev/null & wait_for nspawn wait $name --ready; }
mac() { cat /sys/class/net/$1/address; }
ip link set lo up

ip link add wire type veth; ip link set veth0 name far; ip link set wire up
start far --network-interface=far:lan /bin/sh -c 'ip addr add 10.5.0.1/24 dev lan; ip link set lan up; exec sleep 1000'
ping_far() { $N "$@" -- /bin/sh -c 'link=$(ls -1 /sys/class/net | grep wire); ip addr add 10.5.0.2/24 dev $link; ip link set $link up
	i=0; until ping -c1 -W1 10.5.0.1 >/dev/null || [ $i -ge 20 ]; do i=$((i+1)); done; [ $i -lt 20 ] && echo pong $link; cat /sys/class/net/$link/address'; }
say ipvlan ping_far --network-ipvlan=wire
say macvlan ping_far --network-macvlan=wire
say ipvlan-users ping_far --network-ipvlan=wire $U
# Two that share an interface reach each other.
start one --network-ipvlan=wire /bin/sh -c 'ip addr add 10.5.0.3/24 dev iv-wire; ip link set iv-wire up; exec sleep 1000'
say ipvlan-each-other $N --network-ipvlan=wire:mine -- /bin/sh -c 'ip addr add 10.5.0.4/24 dev mine; ip link set mine up; ping -c1 -W9 10.5.0.3 >/dev/null && echo pong'
say both-kinds $N --network-macvlan=wire /bin/true
say one-end nspawn terminate one
say far-end nspawn terminate far
say wire-mac mac wire

ip link add dum type dummy; ip link set dum address 02:00:00:00:00:77
say dummy $N --network-interface=dum:dry -- /bin/sh -c 'ip addr add 10.6.0.1/24 dev dry; ip link set dry up; ping -c1 -W1 10.6.0.2 >/dev/null; cat /sys/class/net/dry/address'
say dummy-back mac dum
say dummy-sent cat /sys/class/net/dum/statistics/tx_packets
ip link del dum

ip link add br0 type bridge
say bridge $N --network-interface=br0 /bin/true
say modules cat /proc/modules
RADIO
say bridge-again $N --network-interface=br0 /bin/true
radios() { iw dev | grep -e phy# -e Interface | tr -d '\t\n'; echo; }
before=$(radios)
say before radios
say moves $N --network-interface=wlan0:air -- /bin/sh -c 'iw dev | grep Interface; ls -1 /sys/class/ieee80211 /sys/class/net'
same() { local i=0; until [ "$before" = "$(radios)" ] || [ $i -ge 25 ]; do i=$((i+1)); usleep 200000; done; [ "$before" = "$(radios)" ] && echo same || radios; }
say moves-back same
say plain $N --network-interface=wlan0 -- ls -1 /sys/class/net
say plain-back same
say users $N $U --network-interface=wlan0:air -- ls -1 /sys/class/net
say users-back same
say tampered $N --network-interface=wlan0:air -- /bin/sh -c 'ip link set air up; ip link set air down; ip link set air name mine; ip link set mine up'
say tampered-back same
say fails $N --network-interface=wlan0:air --network-interface=br0 -- /bin/true
say fails-back same
say swapped $N --network-interface=wlan0:wlan1 --network-interface=wlan1:wlan0 -- /bin/sh -c 'iw dev | grep -e phy -e Interface | tr -d "\t\n"; echo'
say swapped-back same

# Through the air, from the host's radio to the machine's.
iw dev wlan1 set type ibss; ip link set wlan1 up; ip addr add 10.7.0.1/24 dev wlan1
iw dev wlan1 ibss join cell 2412 fixed-freq 02:00:00:00:00:99
say packets $N --network-interface=wlan0:air -- /bin/sh -c 'iw dev air set type ibss; ip link set air up; ip addr add 10.7.0.2/24 dev air
	iw dev air ibss join cell 2412 fixed-freq 02:00:00:00:00:99
	i=0; until ping -c1 -W1 10.7.0.1 >/dev/null || [ $i -ge 40 ]; do i=$((i+1)); done; [ $i -lt 40 ] && echo pong'
ip link set wlan1 down; ip addr flush dev wlan1; iw dev wlan1 set type managed; iw dev wlan0 set type managed
say packets-back same

# Several interfaces of one radio.
iw dev wlan0 interface add second type managed
before=$(radios)
say both $N --network-interface=wlan0:air --network-interface=second:band -- ls -1 /sys/class/net
say both-back same
say along $N --network-interface=wlan0:air -- ls -1 /sys/class/net
say along-back same
say made $N --network-interface=wlan0:air -- /bin/sh -c 'iw dev air interface add eth0 type managed; iw phy phy0 interface add wlan9 type monitor; ls -1 /sys/class/net'
say made-back same
iw dev second del; before=$(radios)

say removed $N --network-interface=wlan0:air -- iw dev air del
say removed-radios ls -1 /sys/class/ieee80211
iw phy phy0 interface add wlan0 type managed; before=$(radios)

start live --network-interface=wlan0:air /bin/sleep 1000
say live-net nspawn net live
say live-gone ls -1 /sys/class/net
say live-remove nspawn net live remove air
say live-back same
say live-end nspawn terminate live
say live-end-back same

start killed --network-interface=wlan0:air /bin/sleep 1000
kill -KILL $!
wait_for test -e /sys/class/net/air
say killed iw dev
say killed-again $N --network-interface=wlan0:sky -- ls -1 /sys/class/net
say left ls -1 /sys/class/net
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the machine said, by the headings of its script."""
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    vm.furnish(root)
    for name in ("sh", "ip", "ping", "sleep", "true", "ls", "cat", "grep", "tr"):
        (root / "tree/bin" / name).symlink_to("busybox")
    for place in (root, root / "tree"):
        vm.bring_program(place, "iw")
    early = vm.bring_modules(root, work, vm.BRIDGE + vm.LINKS)
    radios = vm.bring_modules(root, work, vm.WIRELESS)
    answers = vm.boot(root, early + SCRIPT.replace("RADIO", radios), work)
    print(*(f"== {name}\n{text}" for name, text in answers.items()))
    return answers


def lines(said, case, status=0):
    found = said[case].splitlines()
    assert found[-1] == f"status {status}", said[case]
    return found[:-1]


@pytest.mark.parametrize("case", ["ipvlan", "ipvlan-users"])
def test_an_ipvlan_reaches_who_is_at_the_wire(said, case):
    assert lines(said, case) == ["pong iv-wire", *lines(said, "wire-mac")]


def test_a_macvlan_does_so_with_an_address_of_its_own(said):
    pong, mac = lines(said, "macvlan")
    assert pong == "pong mv-wire" and mac not in said["wire-mac"]


def test_two_ipvlans_of_one_interface_reach_each_other(said):
    assert lines(said, "ipvlan-each-other") == ["pong"]


def test_one_interface_has_no_children_of_both_kinds(said):
    assert "Cannot make the macvlan 'mv-wire' of the interface 'wire': " in said["both-kinds"] and "and not both" in said["both-kinds"]


def test_a_dummy_moves_in_and_comes_back(said):
    assert lines(said, "dummy") == lines(said, "dummy-back") == ["02:00:00:00:00:77"]
    assert int(lines(said, "dummy-sent")[0]) > 0


def test_a_bridge_is_no_radio(said):
    for case in ("bridge", "bridge-again"):
        assert "Cannot move the interface 'br0' into the machine" in said[case] and "Bridges" in said[case]
    assert "cfg80211" not in said["modules"], "loaded by a question"


def test_there_are_radios(said):
    assert "Interface wlan0" in said["before"] and "Interface wlan1" in said["before"], said["before"]


INSIDE = {
    "moves": ["Interface air", "/sys/class/ieee80211:", "phy0", "/sys/class/net:", "air", "lo"],
    "plain": ["lo", "wlan0"],
    "users": ["air", "lo"],
    "tampered": [],
    "swapped": ["phy#1Interface wlan0phy#0Interface wlan1"],
    "both": ["air", "band", "lo"],
    "along": ["air", "lo", "second"],
    "made": ["air", "eth0", "lo", "second", "wlan9"],
    "packets": ["pong"],
}


@pytest.mark.parametrize("case", INSIDE)
def test_a_radio_moves_in_and_comes_back(said, case):
    """With all that the host had of it, under the names that it had, and with nothing else."""
    assert [line.strip() for line in lines(said, case) if line] == INSIDE[case]
    assert lines(said, f"{case}-back") == ["same"]


def test_a_start_that_fails_gives_it_back(said):
    assert "The host has no interface" in said["fails"] or "Cannot move the interface 'br0'" in said["fails"]
    assert lines(said, "fails-back") == ["same"]


def test_a_radio_whose_interface_is_gone_comes_back(said):
    assert "The interface 'wlan0' is gone" in said["removed"] and lines(said, "removed-radios") == ["phy0", "phy1"]


def test_it_is_given_back_while_the_machine_runs(said):
    assert "air" in said["live-net"] and "wlan0" not in said["live-gone"]
    assert lines(said, "live-remove") == [] and lines(said, "live-back") == lines(said, "live-end-back") == ["same"]


def test_it_comes_back_from_a_killed_one(said):
    """By the kernel, as an interface that has no room for its old name but as an alternative one."""
    assert "Interface air" in said["killed"] and lines(said, "killed-again") == ["lo", "sky"]


def test_nothing_is_left(said):
    assert lines(said, "left") == ["air", "br0", "dummy0", "far", "hwsim0", "lo", "wire", "wlan1"]
    assert "never" not in said
