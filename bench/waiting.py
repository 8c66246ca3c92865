# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a supervisor costs while its payload sleeps: memory, and how often it wakes up."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import peers
import report

WINDOW_SEC = 10
NULL = subprocess.DEVNULL


# ---- processes

def read(path):
    with open(path) as f:
        return f.read()


def descendants(pid):
    """The process itself and all below it. What is gone by the time we look is left out."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in read(f"/proc/{pid}/task/{task}/children").split():
                found += descendants(int(child))
    return found


def is_outside(pid):
    """In our own pid namespace: part of the supervisor, not of the payload."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")
    return False


def payload_of(pid):
    """The sleeping process below a supervisor, or None."""
    for p in descendants(pid):
        with contextlib.suppress(OSError):
            if not is_outside(p) and "/bin/sleep" in read(f"/proc/{p}/cmdline").split("\0"):
                return p
    return None


def numbers(path, *keys):
    """The numbers of "Key:  N" lines, in the order of the keys."""
    lines = dict(line.split(":", 1) for line in read(path).splitlines() if ":" in line)
    return [int(lines[key].split()[0]) for key in keys]


def switches(pids):
    return sum(sum(numbers(f"/proc/{pid}/status", "voluntary_ctxt_switches",
                           "nonvoluntary_ctxt_switches")) for pid in pids)


def is_traced(pid):
    return numbers(f"/proc/{pid}/status", "TracerPid") != [0]


# ---- the section

def came_up(process):
    deadline = time.monotonic() + peers.HANG_GUARD_SEC
    while process.poll() is None and time.monotonic() < deadline:
        if payload_of(process.pid):
            return True
        time.sleep(0.02)
    return False


def payload_end(process):
    """Lets the supervisor see its payload die, so that it takes back what it made."""
    payload = payload_of(process.pid)
    if payload:
        with contextlib.suppress(ProcessLookupError):
            os.kill(payload, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(peers.HANG_GUARD_SEC)


def system_calls(site, pids_by_name, results):
    """Counts what strace sees of all supervisors in one window."""
    tracers = {}
    try:
        for name, pids in pids_by_name.items():
            path = f"{site.work}/strace-{len(tracers)}"
            words = ["strace", "-f", "-qq", "-o", path]
            words += [w for pid in pids for w in ("-p", str(pid))]
            tracers[name] = (path, subprocess.Popen(words, stdin=NULL, stdout=NULL, stderr=NULL))
        for name, pids in pids_by_name.items():
            while tracers[name][1].poll() is None and not all(map(is_traced, pids)):
                time.sleep(0.01)
        time.sleep(WINDOW_SEC)
        for name, (path, tracer) in tracers.items():
            if tracer.poll() is not None:
                results[name]["note"] = "strace could not stay attached"
    finally:
        for _, tracer in tracers.values():
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
    for name, (path, _) in tracers.items():
        if not results[name]["note"].startswith("strace"):
            # The call a process sits in is shown when strace lets go of it; that is no wake-up.
            results[name]["system_calls"] = sum("<detached ...>" not in line
                                                for line in read(path).splitlines())


def watch(site, running, results):
    pids = {name: list(filter(is_outside, descendants(process.pid)))
            for name, process in running.items()}
    for name in pids:
        memory = [numbers(f"/proc/{pid}/smaps_rollup", "Private_Dirty", "Pss", "Rss")
                  for pid in pids[name]]
        dirty, pss, rss = map(sum, zip(*memory))
        results[name].update(private_dirty_kb=dirty, pss_kb=pss, rss_kb=rss,
                             processes=len(pids[name]))
    before = {name: switches(pids[name]) for name in pids}
    time.sleep(WINDOW_SEC)
    for name in pids:
        results[name]["switches"] = switches(pids[name]) - before[name]
    if shutil.which("strace"):
        system_calls(site, pids, results)


def memory(site, tree_make):
    """Starts everything, each in a tree of its own, and watches them all at the same time."""
    results, running = {}, {}
    try:
        for name, ways in peers.CONTAINERS.items():
            tree = f"{site.work}/tree-" + re.sub("[^a-z]+", "-", name)
            tree_make(tree)
            command, note = peers.choose(site, ways, ["/bin/sleep", "300"], tree=tree)
            results[name] = {"note": note, "broken": note.startswith(("exits", "does"))}
            if command:
                running[name] = subprocess.Popen(command, env=site.environ, stdin=NULL, stdout=NULL,
                                                 stderr=NULL)
        up = {name: process for name, process in running.items() if came_up(process)}
        for name in running.keys() - up.keys():
            results[name].update(note="its payload did not come up", broken=True)
        time.sleep(1)
        watch(site, up, results)
    finally:
        for process in running.values():
            payload_end(process)
    memory_print(results)
    return results


def memory_print(results):
    keys = ("private_dirty_kb", "pss_kb", "rss_kb", "processes", "switches", "system_calls")
    report.heading("A waiting supervisor", "The payload sleeps; sums over the processes "
                   f"outside of it. Wake-ups in {WINDOW_SEC} s: context switches while nobody "
                   "looks, then system calls under `strace -f -p`.")
    report.table(["waiting", "private dirty kB", "PSS kB", "RSS kB", "processes", "switches",
                  "system calls"],
                 [[name] + [result.get(key, "–") for key in keys]
                  for name, result in results.items()])
    ours = results["nspawn"]
    report.remarks(results, [
        ("nspawn, private dirty kB", ours.get("private_dirty_kb", "–"), "≤ 400"),
        ("nspawn, system calls while waiting", ours.get("system_calls", "–"), "0"),
    ])
