# SPDX-License-Identifier: LGPL-2.1-or-later
"""A start that the host's systemd hears of: a scope of its manager and a machine of systemd-machined. And a
further process in a Debian that runs there, beside the ways that ask machined and the guest.

In the host of the tests, which is booted for it: a Debian with its own systemd and systemd-nspawn.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

import report

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = "guest"
UNREGISTERED = ["--register=no", "--keep-unit"]
REFERENCE = "/opt/reference/systemd-nspawn"

# How strace shows the begin of a D-Bus message: byte order, type, flags, version; then somewhere the field with its member's name.
CALL = re.compile(r'iov_base="[lB]\\1(\\[0-7]+|.)\\1.*?\\3\\1s\\0(?:\\[0-7]+|\\?.)\\0\\0\\0(\w+)')
RECEIVED = re.compile(r'(?:recvmsg|recvfrom|read)\(.*"(?:[lB]\\[234]\\|OK )')
NO_REPLY = (1, 3, 5, 7)  # flags
# What introduces us to a bus. We say Hello in the same breath, others when this has been answered.
GREETING = "AUTH EXTERNAL"


def command(program, name, options):
    return [program, "-q", "--pipe", "-D", "/var/lib/machines/" + name, "-M", name, *options, "/bin/true"]


def commands():
    return {
        "nspawn": command("/usr/bin/nspawn", "ours", []),
        "nspawn, unregistered": command("/usr/bin/nspawn", "ours", UNREGISTERED),
        "systemd-nspawn": command(REFERENCE, "theirs", []),
        "systemd-nspawn, unregistered": command(REFERENCE, "theirs", UNREGISTERED),
    }


def joins():
    return {
        "nspawn exec": ["/usr/bin/nspawn", "exec", GUEST, "/bin/true"],
        "nspawn shell": ["/usr/bin/nspawn", "shell", GUEST, "/bin/true"],
        "machinectl shell": ["/usr/bin/machinectl", "-q", "shell", GUEST, "/bin/true"],
        "systemd-run -M": ["/usr/bin/systemd-run", "-q", "-M", GUEST, "--wait", "--pipe", "/bin/true"],
    }


def samples_of(host, chosen, rounds):
    words = [w for words in chosen.values() for w in ["::"] + words][1:]
    done = host.check(" ".join(["/exchange/spawn", str(rounds), *words, "2>/dev/null"]), timeout=600)
    samples = {name: {"wall_usec": [], "cpu_usec": []} for name in chosen}
    failed = dict.fromkeys(chosen, 0)
    for line in done.text.splitlines():
        index, wall, user, system, status = map(int, line.split())
        name = list(chosen)[index]
        failed[name] += status != 0
        if status == 0:
            samples[name]["wall_usec"].append(wall)
            samples[name]["cpu_usec"].append(user + system)
    return samples, failed


def calls_of(host, words, folder):
    """The calls on a bus that want an answer, and what had been said each time one was waited for: several can be sent at once."""
    from lab.host import SPACES
    trace = folder / "trace"
    subprocess.run(["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', host.terminals,
                    "strace", "-f", "-qq", "-s", "400", "-e", "trace=sendmsg,sendto,recvmsg,recvfrom,read", "-e", "signal=none", "-o", trace,
                    "nsenter", "-t", str(host.leader), *SPACES, *words],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    calls, waits, said = [], [], {}
    for line in trace.read_text(errors="replace").splitlines():
        process = line.split()[0]
        sent = CALL.search(line)
        if sent and int(sent[1][1:], 8) not in NO_REPLY:
            calls.append(sent[2])
            said.setdefault(process, []).append(sent[2])
        elif GREETING in line:
            said[process] = ["greeting"]
        elif process in said and RECEIVED.search(line):
            waits.append("+".join(said.pop(process)))
    return calls, waits


@contextlib.contextmanager
def booted(nspawn):
    """The tests' own bed. They find the executable where the environment says."""
    sys.path.insert(0, HERE + "/../test")
    os.environ["NSPAWN"] = nspawn
    from lab.host import Host
    folder = pathlib.Path(tempfile.mkdtemp(prefix="nspawn-bench-host-", dir="/var/tmp"))
    host = None
    try:
        host = Host(folder)
        yield host
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if host:
            host.power_off()
        shutil.rmtree(folder, ignore_errors=True)


def print_table(results, rounds):
    ms = {n: statistics.median(r["wall_usec"]) / 1000 for n, r in results.items() if r.get("wall_usec")}

    def ratio(a, b):
        return f"{ms[a] / ms[b]:.2f}" if a in ms and b in ms else "–"

    report.heading("Start that the host's systemd hears of",
                   f"`/bin/true` in a busybox tree on a booted Debian, {rounds} rounds by turns; a scope of systemd's and a machine of "
                   "systemd-machined's are made and taken back.")
    report.table(["start", "median ms", "mean CPU ms", "× unregistered", "calls on a bus", "waits for them"],
                 [[name, f"{ms[name]:.2f}", f"{statistics.mean(r['cpu_usec']) / 1000:.2f}",
                   ratio(name, name.split(",")[0] + ", unregistered"), len(r["calls"]), len(r["waits"])]
                  if name in ms else [name] + ["–"] * 5 for name, r in results.items()])
    for name, result in results.items():
        result["note"] = result["note"] or "; ".join(result.get("waits", []))
    of_the_start = [words for words in results["nspawn"].get("waits", []) if words != "greeting" and "Unreg" not in words]
    report.remarks(results, [("systemd-nspawn ÷ nspawn, registered", ratio("systemd-nspawn", "nspawn"), "none, for scale"),
                             ("nspawn, waits for a bus between greeting and end", len(of_the_start), "2, for the scope and the machine")])


def print_joins(results, rounds):
    ms = {n: statistics.median(r["wall_usec"]) / 1000 for n, r in results.items() if r.get("wall_usec")}
    least = ms.get("nspawn exec")
    report.heading("A further process, beside systemd's ways", f"`/bin/true` into a Debian that was booted on that host, {rounds} rounds by turns.")
    report.table(["join", "median ms", "mean CPU ms", "× nspawn exec"],
                 [[name, f"{ms[name]:.2f}", f"{statistics.mean(r['cpu_usec']) / 1000:.2f}", f"{ms[name] / least:.2f}" if least else "–"]
                  if name in ms else [name] + ["–"] * 3 for name, r in results.items()])
    report.remarks(results, [])


def take_samples(bed, chosen, rounds, results):
    samples, failed = samples_of(bed, chosen, rounds)
    for name in chosen:
        results[name].update(samples[name])
        if failed[name]:
            results[name].update(note=f"{failed[name]} of {rounds} runs failed", broken=True)


def nothing_yet(chosen):
    return {name: {"note": "", "broken": False} for name in chosen}


def host(site, rounds):
    starts, joined = nothing_yet(commands()), nothing_yet(joins())
    with booted(site.nspawn) as bed:
        for name in ("ours", "theirs"):
            bed.machine(name)
        shutil.copy(site.work + "/spawn", bed.exchange / "spawn")
        take_samples(bed, commands(), rounds, starts)
        for name, words in commands().items():
            starts[name]["calls"], starts[name]["waits"] = calls_of(bed, words, bed.folder)
        bed.machine(GUEST, kind="trixie")
        with bed.boots(GUEST, ready="nspawn exec {0} -- systemctl is-system-running | grep -qE 'running|degraded'"):
            take_samples(bed, joins(), rounds, joined)
    print_table(starts, rounds)
    print_joins(joined, rounds)
    return starts | joined
