# SPDX-License-Identifier: LGPL-2.1-or-later
"""A start that the host's systemd hears of: a scope of its manager and a machine of systemd-machined.

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
UNREGISTERED = ["--register=no", "--keep-unit"]
REFERENCE = "/opt/reference/systemd-nspawn"

# How strace shows the begin of a D-Bus message: byte order, type, flags, version; then somewhere the field with its member's name.
CALL = re.compile(r'iov_base="[lB]\\1(\\[0-7]+|.)\\1.*?\\3\\1s\\0(?:\\[0-7]+|\\?.)\\0\\0\\0(\w+)')
RECEIVED = re.compile(r'(?:recvmsg|recvfrom|read)\(.*"[lB]\\[234]\\')
NO_REPLY = (1, 3, 5, 7)  # flags


def command(program, name, options):
    return [program, "-q", "--pipe", "-D", "/var/lib/machines/" + name, "-M", name, *options, "/bin/true"]


def commands():
    return {
        "nspawn": command("/usr/bin/nspawn", "ours", []),
        "nspawn, unregistered": command("/usr/bin/nspawn", "ours", UNREGISTERED),
        "systemd-nspawn": command(REFERENCE, "theirs", []),
        "systemd-nspawn, unregistered": command(REFERENCE, "theirs", UNREGISTERED),
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
    """The calls on a bus that want an answer, and how often one was waited for: several can be sent at once."""
    from lab.host import SPACES
    trace = folder / "trace"
    subprocess.run(["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', host.terminals,
                    "strace", "-f", "-qq", "-s", "400", "-e", "trace=sendmsg,sendto,recvmsg,recvfrom,read", "-e", "signal=none", "-o", trace,
                    "nsenter", "-t", str(host.leader), *SPACES, *words],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    calls, trips, waiting = [], 0, set()
    for line in trace.read_text(errors="replace").splitlines():
        process = line.split()[0]
        sent = CALL.search(line)
        if sent and int(sent[1][1:], 8) not in NO_REPLY:
            calls.append(sent[2])
            waiting.add(process)
        elif process in waiting and RECEIVED.search(line):
            waiting.remove(process)
            trips += 1
    return calls, trips


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
                   ratio(name, name.split(",")[0] + ", unregistered"), len(r["calls"]), r["trips"]]
                  if name in ms else [name] + ["–"] * 5 for name, r in results.items()])
    for name, result in results.items():
        result["note"] = result["note"] or ", ".join(result.get("calls", []))
    report.remarks(results, [("systemd-nspawn ÷ nspawn, registered", ratio("systemd-nspawn", "nspawn"), "none, for scale"),
                             ("nspawn, waits for a bus", results["nspawn"].get("trips", "–"), "2, for the scope and the machine")])


def host(site, rounds):
    results = {name: {"note": "", "broken": False} for name in commands()}
    with booted(site.nspawn) as bed:
        for name in ("ours", "theirs"):
            bed.machine(name)
        shutil.copy(site.work + "/spawn", bed.exchange / "spawn")
        samples, failed = samples_of(bed, commands(), rounds)
        for name, words in commands().items():
            calls, trips = calls_of(bed, words, bed.folder)
            results[name].update(samples[name], calls=calls, trips=trips)
            if failed[name]:
                results[name].update(note=f"{failed[name]} of {rounds} runs failed", broken=True)
    print_table(results, rounds)
    return results
