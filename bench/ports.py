# SPDX-License-Identifier: LGPL-2.1-or-later
"""Throughput of a published port, beside a plain connection to the machine's own address.

In a network namespace made for it, which has an address of its own for a LAN.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import time

import peers
import report
import waiting

NULL = subprocess.DEVNULL
MACHINE = "bench-ports"
PORT = 5201
LAN = "192.0.2.10"
ROUNDS, SECONDS = 5, 1


def program_into(tree):
    """iperf3 and what it is linked with. Returns why that cannot be, or None."""
    path = shutil.which("iperf3")
    if not path:
        return "not installed: iperf3"
    libraries = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    for source in [path] + re.findall(r"(/\S+) \(0x", libraries):
        target = tree + source
        if not os.path.realpath(os.path.dirname(target)).startswith(tree):
            target = tree + "/usr" + source
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)
    return None


class Network:
    """A namespace that lives as long as this context."""

    def __enter__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=NULL)
        self.prefix = ["nsenter", "-t", str(self.holder.pid), "--net"]
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            time.sleep(0.01)
        for words in ("link set lo up", "link add lan type veth peer name wire", f"addr add {LAN}/24 dev lan", "link set lan up",
                      "link set wire up"):
            subprocess.run(self.prefix + ["ip", *words.split()], check=True)
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()


def address_of(process):
    """Of the machine's end of its cable, once it has one; None if it has ended."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        payload = next((p for p in waiting.descendants(process.pid) if not waiting.is_outside(p)), None)
        done = subprocess.run(["nsenter", "-t", str(payload or process.pid), "--net", "ip", "-json", "-4", "address", "show", "dev", "host0"],
                              capture_output=True, text=True)
        found = [a["local"] for link in json.loads(done.stdout or "[]") for a in link.get("addr_info", []) if a["scope"] == "global"]
        if found:
            return found[0]
        time.sleep(0.02)
    return None


def rate(network, address):
    """Megabytes a second that arrive, or a text."""
    done = subprocess.run(network.prefix + ["iperf3", "--json", "-c", address, "-p", str(PORT), "-t", str(SECONDS), "--connect-timeout", "2000"],
                          stdin=NULL, capture_output=True, text=True, timeout=peers.HANG_GUARD_SEC)
    told = json.loads(done.stdout)
    return told["end"]["sum_received"]["bits_per_second"] / 8e6 if done.returncode == 0 else told.get("error", "iperf3 failed")


def wait_for(network, address):
    deadline = time.monotonic() + 20
    while isinstance(found := rate(network, address), str):
        if time.monotonic() > deadline:
            return found
        time.sleep(0.1)
    return None


def measured(network, own, results):
    ways = {"the machine's own address": own, "127.0.0.1": "127.0.0.1", "the LAN's address": LAN}
    for name, address in ways.items():
        note = wait_for(network, address)
        results["nspawn, " + name] = {"note": note or "", "broken": bool(note), "mb_per_sec": []}
    for _ in range(ROUNDS):
        for name, address in ways.items():
            found = rate(network, address) if not results["nspawn, " + name]["note"] else ""
            if isinstance(found, float):
                results["nspawn, " + name]["mb_per_sec"].append(found)


def ports(site):
    results = {}
    tree = site.work + "/ports"
    shutil.copytree(site.tree, tree, symlinks=True)
    why = program_into(tree)
    if why:
        results["nspawn, a published port"] = {"note": why, "broken": False}
    else:
        with Network() as network:
            command = [site.nspawn, "-q", "--console=pipe", "-D", tree, "-M", MACHINE, "--network-veth", "--network-setup=auto",
                       "--port=" + str(PORT), shutil.which("iperf3"), "-s"]
            process = subprocess.Popen(network.prefix + command, env=site.environ, stdin=NULL, stdout=NULL, stderr=subprocess.PIPE, text=True)
            try:
                own = address_of(process)
                if own:
                    measured(network, own, results)
                else:
                    process.kill()
                    results["nspawn, a published port"] = {"note": "no address: " + peers.last_line(process.stderr.read()), "broken": True}
            finally:
                process.kill()
                process.wait()
    print_table(results)
    return results


def print_table(results):
    rates = {name: statistics.median(r["mb_per_sec"]) for name, r in results.items() if r.get("mb_per_sec")}
    plain = rates.get("nspawn, the machine's own address")

    def ratio(name):
        return f"{rates[name] / plain:.2f}" if name in rates and plain else "–"

    report.heading("Throughput of a published port", f"iperf3 into a machine, {SECONDS} s each; medians of {ROUNDS} rounds by turns.")
    report.table(["connected to", "MB/s", "× the machine's own address"],
                 [[name.removeprefix("nspawn, "), f"{rates[name]:.0f}" if name in rates else "–", ratio(name)] for name in results])
    report.remarks(results, [("127.0.0.1 ÷ the machine's own address", ratio("nspawn, 127.0.0.1"), "≥ 0.8")])
