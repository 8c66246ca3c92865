# SPDX-License-Identifier: LGPL-2.1-or-later
"""A further process in a container that runs: exec, nsenter, lxc-attach and what OCI runtimes do."""

import statistics
import subprocess
import time

import measure
import peers
import report
import waiting

NULL = subprocess.DEVNULL
MACHINE = "bench-exec"


def hosts(site, tree_make):
    """{kind: command} of what runs meanwhile, each in a tree of its own; what cannot start has a text."""
    found = {}
    for kind in ("nspawn", "lxc-start -F", "crun run", "runc run"):
        tree = f"{site.work}/exec-" + kind.split()[0]
        tree_make(tree)
        command, note = peers.choose(site, peers.CONTAINERS[kind], ["/bin/sleep", "3000"], tree=tree)
        if command and kind == "nspawn":
            command = command[:1] + ["-M", MACHINE] + command[1:]
        found[kind] = command or note
    return found


def commands(site, running, words):
    """What joins each of them."""
    made = {}
    if "nspawn" in running:
        leader = waiting.payload_of(running["nspawn"].pid)
        made["nspawn exec"] = [site.nspawn, "exec", MACHINE, *words]
        made["nsenter -a"] = ["nsenter", "-t", str(leader), "-a", *words]
    if "lxc-start -F" in running:
        made["lxc-attach"] = ["lxc-attach", "-n", "exec-lxc-start", "-P", site.directory("lxc"),
                              "-f", site.directory("lxc") + "/exec-lxc-start.conf", "--", *words]
    for name in ("crun", "runc"):
        if name + " run" in running:
            options = [w for w in running[name + " run"].args if w.startswith("--cgroup-manager")]
            made[name + " exec"] = [name, "--root", site.directory("state-" + name), *options, "exec",
                                    f"{name}-exec-{name}", *words]
    return made


def start(site, found):
    running, results = {}, {}
    for kind, command in found.items():
        if isinstance(command, str):
            results[kind] = {"note": command, "broken": kind == "nspawn"}
            continue
        process = subprocess.Popen(command, env=site.environ, stdin=NULL, stdout=NULL, stderr=NULL)
        if waiting.came_up(process):
            running[kind] = process
        else:
            results[kind] = {"note": "does not stay up", "broken": kind == "nspawn"}
    return running, results


def print_table(results, rounds):
    ms = {n: statistics.median(r["wall_usec"]) / 1000 for n, r in results.items() if r.get("wall_usec")}

    def ratio(a, b):
        return f"{ms[a] / ms[b]:.2f}" if a in ms and b in ms else "–"

    report.heading("A further process", f"`/bin/true` into a container that runs, {rounds} rounds by turns.")
    report.table(["join", "median ms", "mean CPU ms", "× nsenter"],
                 [[name, f"{ms[name]:.2f}", f"{statistics.mean(r['cpu_usec']) / 1000:.2f}", ratio(name, "nsenter -a")]
                  if name in ms else [name] + ["–"] * 3 for name, r in results.items()])
    report.remarks(results, [("nspawn exec ÷ nsenter", ratio("nspawn exec", "nsenter -a"), "≤ 1.5"),
                             ("nspawn exec ÷ lxc-attach", ratio("nspawn exec", "lxc-attach"), "≤ 0.5")])


def joining(site, tree_make, rounds):
    running, results = start(site, hosts(site, tree_make))
    try:
        time.sleep(0.5)
        can = {}
        for name, command in commands(site, running, ["/bin/true"]).items():
            note = peers.trial(site, command, [])
            results[name] = {"note": note or "", "broken": bool(note) and name.startswith("nspawn")}
            if not note:
                can[name] = command
        measure.spawn(site, can, rounds, results)
    finally:
        for process in running.values():
            waiting.payload_end(process)
    print_table(results, rounds)
    return results
