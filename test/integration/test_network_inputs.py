# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every option of the network with everything that is no value for it, and hosts and guests that change under a start.

Nothing may be left: the host is a network of the tests' own, and each test compares all of it.
"""
import concurrent.futures
import contextlib
import glob
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

from lab.network import ip, leaves, links, ruleset

pytestmark = [pytest.mark.requires("root", "netns", "veth", "bridge", "macvlan"), pytest.mark.usefixtures("world")]


@pytest.fixture(scope="module")
def world(own_network):
    """A bridge, a free interface, and one with a name that is as long as can be."""
    del own_network
    ip("link", "add", "br0", "type", "bridge")
    ip("link", "set", "br0", "address", "02:00:00:00:00:fe", "up")  # else it is that of whatever is plugged in
    ip("link", "add", "wire", "type", "veth", "peer", "name", "fifteen-letters")


def sysctls():
    found = {}
    for path in sorted(glob.glob("/proc/sys/net/ipv[46]/conf/*/*forwarding") + glob.glob("/proc/sys/net/ipv4/ip_forward")):
        with contextlib.suppress(OSError):
            found[path] = pathlib.Path(path).read_text(encoding="ascii")
    return found


def state():
    """All that a machine could leave in the network of the host, or lock."""
    return {"links": sorted((name, link["address"], link.get("master"), link.get("altnames")) for name, link in links().items()),
            "addresses": [line.split("valid_lft")[0] for line in ip("-o", "addr").splitlines() if "inet6 fe80" not in line],
            "routes": ip("route"), "rules": ip("rule") + ip("-6", "rule"), "tables": ruleset(), "sysctls": sysctls(),
            "locks": sorted(glob.glob("/run/nspawn/.*/*") + glob.glob("/run/systemd/nspawn-network-zone") + glob.glob("/run/systemd/nspawn/locks/*"))}


@pytest.fixture(autouse=True)
def nothing_left(world):
    del world
    with leaves(state):
        yield


# --- Values ---

LONG = "x" * 300
# What nobody can mean, for every option that takes a name.
BAD = ["", " ", ".", "..", "../x", "a/../b", "a/b", "/", "x\ny", "\n", "a b/c", "\x1b[31m", "\t", "☃", "x" * 128, LONG, "all", "default", "12", "a%d", ":",
       "a:b:c", "a:", ":b", "a:b/c", "a:" + "x" * 16, "a:..", "a:x\ny", "a:" + LONG]
# Words behind a name.
BAD_WORDS = [",", ",,", ",x", ",ip=", ",ip=1.2.3.4", ",ip=1.2.3/8", ",ip=1.2.3.4/0", ",ip=1.2.3.4/33", ",ip=1.2.3.4/-1", ",ip=0.0.0.0/8",
             ",ip=224.0.0.1/8", ",ip=::/64", ",ip=::1/129", ",ip=ff02::1/64", ",ip=1.2.3.4/8/9", ",ip=" + LONG, ",ip=1.2.3.4/24\n", ",mac=", ",mac=x",
             ",mac=01:00:00:00:00:01", ",mac=00:00:00:00:00:00", ",mac=02:00:00:00:00:01,mac=02:00:00:00:00:02", ",ip=1.2.3.4/24" * 65, ", ip=1.2.3.4/8"]
BAD_VLANS = [",vlan=", ",vlan=0", ",vlan=4095", ",vlan=-1", ",vlan=1-", ",vlan=-2", ",vlan=5-4", ",vlan=1-4095", ",vlan=x", ",vlan=1-2-3", ",vlan=" + LONG,
             ",pvid=0", ",pvid=4095", ",pvid=1-2", ",pvid=1,pvid=2", ",vlan=1" * 65, ",user=0", ",vlan= 1"]
BAD_USERS = [",user=", ",user=root", ",user=-1", ",user=4294967295", ",user=1,user=2", ",vlan=1"]
# Refused when it comes to it: an interface may come late at boot.
UNKNOWN = ["nosuch0"]

# option: (what goes with it, refused values, values that are taken). Twice the same is in either.
TABLE = {
    "private-network": ([], ["", "maybe", "yes\n", "..", LONG], ["yes", "no"]),
    "network-interface": ([], BAD + UNKNOWN + ["lo", "wire wire", "x" * 16], ["wire", "wire:lan", " wire ", "fifteen-letters"]),
    "network-macvlan": ([], BAD + UNKNOWN + ["wire wire", "wire:a wire:a"], ["wire", "wire:a wire:b", "fifteen-letters"]),
    "network-ipvlan": ([], BAD + UNKNOWN + ["wire wire"], []),
    "network-veth": ([], ["", "maybe", "..", "yes\n", LONG], ["yes", "no"]),
    "network-veth-name": (["-n"], BAD + ["x" * 16, "wire", "br0"], ["web0", "x" * 15]),
    "network-veth-extra": ([], BAD + ["x" * 16, "wire", "br0:a", "a:lo"], ["ex", "ex:inner"]),
    "network-bridge": ([], BAD + UNKNOWN + ["wire", "lo", "br0:lo", "br0,vlan=2"] + ["br0" + words for words in BAD_WORDS + BAD_VLANS],
                       ["br0", "br0:lan", "br0:lan,ip=10.1.0.2/24,ip=fd01::2/64,mac=02:00:00:00:00:01"]),
    "network-tap": ([], BAD + ["x" * 16, "lo", "vm0:x"] + ["vm0" + words for words in BAD_WORDS + BAD_USERS],
                    ["vm0", "vm0,ip=10.1.1.1/24,user=1000"]),
    "network-zone": ([], ["", " ", "/", "a/../b", "x\ny", "☃", "a:b", "a b", "a%d", "x" * 13, LONG], ["..", "all", "12", "x" * 12]),
    "network-setup": (["-n"], ["", "maybe", "..", "auto\n", "Auto", LONG], ["auto", "host", "guest", "none"]),
    "network-namespace-path": ([], ["/no/such", "relative", "..", "/", "/etc/passwd", "/dev/null", "/proc/self/ns/pid", "/x\ny", "/" + LONG,
                                    "/" + "x" * 5000], ["", "/proc/self/ns/net"]),
}
# Refused if said twice: there would be two of one name. Of the others the last one counts, or each is one more.
ONCE = {"network-interface", "network-macvlan", "network-ipvlan", "network-veth-extra", "network-tap"}


def is_clear(result, refused):
    """One sentence, perhaps with advice, that can be shown anywhere; or silence."""
    lines = result.complaint.strip().splitlines()
    if refused:
        return result.code == 1 and 1 <= len(lines) <= 2 and all(c.isprintable() for c in "".join(lines))
    return result.code == 0 and not lines


@pytest.mark.parametrize("option", TABLE)
def test_values(tree, run, option):
    """In parallel, as some wait; those that make links one after the other, as there is one 'wire'."""
    others, refused, taken = TABLE[option]
    root = tree()

    def start(*values, where=None):
        return run("-q", "-P", "-D", where or tree(), *others, *(f"--{option}={value}" for value in values), "/payload", "exit", "0")

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        wrong = [result for result in pool.map(start, refused) if not is_clear(result, True)]
    wrong += [result for result in (start(value, where=root) for value in taken) if not is_clear(result, False)]
    twice = start(taken[0], taken[0], where=root) if taken else None
    assert twice is None or is_clear(twice, option in ONCE), twice
    assert not wrong, wrong


@pytest.mark.parametrize("value", ["--network-macvlan=x:all", "--network-veth-extra=42", "--network-tap=default"])
def test_names_that_are_taken_are_told(run, tree, value):
    result = run("-q", "-D", tree(), value, "/payload", "exit", "0")
    assert result.code == 1 and "is no number, 'all' or 'default'" in result.complaint


def test_missing_values(run, tree):
    root = tree()
    for option in TABLE:
        if option not in ("private-network", "network-veth"):
            result = run("-D", root, f"--{option}")
            assert result.code == 1 and option in result.complaint, result


def test_files_are_as_strict(tree, run, beside):
    """A machine whose links are said wrongly in its file is not started in the network of the host."""
    root = tree()
    path = beside / f"{root.name}.nspawn"
    keys = {"Interface": "a/b", "MACVLAN": "..", "IPVLAN": LONG, "VirtualEthernetExtra": "a:b:c", "Bridge": "br0,vlan=0", "Tap": "vm0,user=x",
            "Zone": "x" * 13, "NamespacePath": "relative"}
    try:
        for key, value in keys.items():
            path.write_text(f"[Network]\n{key}={value}\n", encoding="utf-8")
            result = run("-q", "-P", "-D", root, "--settings=trusted", "/payload", "links")
            assert result.code == 1 and "would use the host's network" in result.complaint, result
    finally:
        path.unlink()


def test_what_is_no_network_is_not_joined(tree, run, tmp_path):
    """Nor waited for: whatever else can have a name."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("fifo", "loop", "dangling", "file", "socket", "missing", "file/below"):
            result = run("-q", "-D", tree(), f"--network-namespace-path={tmp_path / name}", "/payload", "exit", "0")
            assert is_clear(result, True) and str(tmp_path / name) in result.complaint, result


# --- Under a start ---

def test_names_that_begin_alike(tree, run, Running):
    """Both machines have links of every kind that gets its name from theirs, at the same time, and reach the host."""
    names = ["averyveryverylongname1", "averyveryverylongname2"]
    words = ["--", "/bin/sh", "-c", "ping -c1 -W3 host >/dev/null && echo ready && exec sleep 60"]
    with contextlib.ExitStack() as stack:
        for name in names:
            machine = stack.enter_context(Running("-q", "-P", "-D", tree(kind="busybox"), "-M", name, "-n", *words))
            machine.expect("ready")
            for added in (["veth"], ["bridge", "br0"]):
                assert run("net", name, "add", *added).code == 0
        found = sorted(name for link in links().values() for name in link.get("altnames", []))
        assert found == sorted(f"{kind}-{name}{end}" for name in names for kind, end in (("ve", ""), ("ve", "+1"), ("vb", "+2")))


def test_a_bridge_that_vanishes(tree, run):
    """While machines are plugged into it: each starts, or says what was not there; the next one starts."""
    stop, root = threading.Event(), tree(kind="busybox")

    def come_and_go():
        while not stop.is_set():
            subprocess.run(["ip", "-batch", "-"], input="link add br9 type bridge\nlink del br9\n", text=True, stderr=subprocess.PIPE, check=False)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        results = [run("-q", "-P", "-D", root, "--network-bridge=br9", "--network-bridge=br0", "/bin/true") for _ in range(8)]
    finally:
        stop.set()
        thread.join()
        ip("link", "del", "br9", check=False)
    wrong = [result for result in results if not is_clear(result, result.code != 0)]
    assert not wrong, wrong
    assert all("'br9'" in result.complaint for result in results if result.code != 0)
    assert run("-q", "-P", "-D", root, "--network-bridge=br0", "/bin/true").code == 0


@pytest.mark.parametrize("options", [["-n"], ["--network-zone=shop"], ["--network-bridge=br0,ip=10.83.0.2/24"]], ids=" ".join)
def test_a_flood_while_links_are_taken_down(tree, run, Running, options):
    """The guest sends as fast as it can: taking a link from it, and ending it, take no longer than without."""
    script = ("dev=$(ip -o -4 addr | sed -n 's/.*inet \\([0-9.]*\\)\\.[0-9]*\\/.* host0.*/\\1/p'); echo ready; "
              "for i in 1 2 3; do (while :; do ping -A -q -c 100000 -s 1400 -b $dev.1 >/dev/null 2>&1; done) & done; exec sleep 60")
    with Running("-q", "-P", "-D", tree(kind="busybox"), "-M", "flood", *options, "--", "/bin/sh", "-c", script) as machine:
        machine.expect("ready")
        assert run("net", "flood", "add", "bridge", "br0:more,ip=10.84.0.2/24").code == 0
        began = time.monotonic()
        for name in ("more", "host0"):
            assert run("net", "flood", "remove", name).code == 0
        assert time.monotonic() - began < 5
        machine.stop()
        assert machine.err == b"", machine


def test_killed_in_the_middle_of_adding(tree, run, Running):
    """The machine's supervisor dies while clients change its links: the next start is not in anybody's way."""
    root = tree(kind="busybox")
    for delay in (0, 0.002, 0.005, 0.01):
        with Running("-q", "-P", "-D", root, "-M", "victim", "-n", "--", "/bin/sh", "-c", "echo ready; exec sleep 60") as machine:
            machine.expect("ready")
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                done = [pool.submit(run, "net", "victim", "add", "bridge", "br0") for _ in range(2)]
                time.sleep(delay)
                machine.signal(signal.SIGKILL)
                machine.wait()
            assert all(is_clear(one.result(), one.result().code != 0) or one.result().code == 0 for one in done)
        result = run("-q", "-P", "-D", root, "-M", "victim", "-n", "/bin/true")
        assert result.code == 0 and not result.err, result
    run("clean", "victim")
