# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many containers of one tree at once: until all of them run, what waits for them, until all are gone."""

import contextlib
import os
import select
import shutil
import subprocess
import time

import peers
import report
import waiting

COUNT = 200
# Says that it runs, and ends when nobody holds the other end of its input any more.
WORDS = ["/bin/sh", "-c", "echo up; read end; exit 0"]


def ways(site):
    """{name: what makes the command of the machine of that number}."""
    found = {
        "floor": lambda i: peers.floor(site, site.tree, WORDS, False)[0][1],
        "nspawn": lambda i: [site.nspawn, "-q", "--console=pipe", "--read-only", f"--machine=many-{i}", "-D",
                             site.tree] + WORDS,
        "bwrap": lambda i: peers.bwrap(site, site.tree, WORDS, False)[0][1],
    }
    return {name: make for name, make in found.items() if name != "bwrap" or shutil.which("bwrap")}


def wait_for(processes):
    """Until each has said that it runs, or has closed its output. Returns how many run."""
    waiting_for = {process.stdout.fileno() for process in processes}
    poll, done = select.poll(), 0
    for fd in waiting_for:
        poll.register(fd, select.POLLIN | select.POLLHUP)
    deadline = time.monotonic() + peers.HANG_GUARD_SEC
    while waiting_for and time.monotonic() < deadline:
        for fd, _ in poll.poll(1000):
            done += bool(os.read(fd, 64))
            waiting_for.discard(fd)
            poll.unregister(fd)
    return done


def memory_of(processes):
    """Private dirty, PSS, and the number of processes outside of the machines."""
    pids = [pid for process in processes for pid in waiting.descendants(process.pid) if waiting.is_outside(pid)]
    found = []
    for pid in pids:
        with contextlib.suppress(OSError, KeyError):
            found.append(waiting.numbers(f"/proc/{pid}/smaps_rollup", "Private_Dirty", "Pss"))
    return sum(dirty for dirty, _ in found), sum(pss for _, pss in found), len(found)


def run(site, make):
    processes = []
    begin = time.monotonic()
    try:
        for i in range(COUNT):
            processes.append(subprocess.Popen(make(i), env=site.environ, stdin=subprocess.PIPE,
                                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        up = wait_for(processes)
        result = {"up": up, "up_sec": time.monotonic() - begin}
        result["dirty_kb"], result["pss_kb"], result["processes"] = memory_of(processes)
    finally:
        begin = time.monotonic()
        for process in processes:
            process.stdin.close()
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(peers.HANG_GUARD_SEC)
            process.stdout.close()
    result["end_sec"] = time.monotonic() - begin
    failed = COUNT - up + sum(process.returncode != 0 for process in processes)
    return result | {"note": f"{failed} of {COUNT} did not come up, or failed" * bool(failed),
                     "broken": bool(failed)}


def many(site):
    results = {name: run(site, make) for name, make in ways(site).items()}
    report.heading(f"{COUNT} at once", "`/bin/sh` in one busybox tree, which waits for the end of its input. Memory is "
                   "that of all processes outside of the machines.")
    report.table(["started", "all run after s", "all gone after s", "private dirty kB", "PSS kB", "processes"],
                 [[name, f"{r['up_sec']:.2f}", f"{r['end_sec']:.2f}", r["dirty_kb"], r["pss_kb"], r["processes"]]
                  for name, r in results.items()])
    ours, floor = results["nspawn"], results["floor"]
    report.remarks(results, [
        ("nspawn ÷ floor, until all run", f"{ours['up_sec'] / floor['up_sec']:.2f}", "≤ 1.6, as for one"),
        ("nspawn, private dirty kB for each", f"{ours['dirty_kb'] / COUNT:.0f}", "≤ 500")])
    return results
