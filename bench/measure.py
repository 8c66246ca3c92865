# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts and throughput: commands by turns, whole processes, a C program holding the clock.

Every section returns {name: {"note": …, "broken": …, samples…}} and prints itself.
"""

import base64
import hashlib
import os
import shutil
import statistics
import subprocess

import peers
import report

BIG_BYTES = 256 << 20
TRANSFER_ROUNDS = 5

# Of a host that leads others to the world itself, as with containers or a firewall.
WALL = ("table ip wall { chain passing { type filter hook forward priority 0; ct state established accept; }; "
        "chain leaving { type nat hook postrouting priority 100; oifname nowhere masquerade; }; }")


def choose_all(site, table, words, net=False, prefix=None):
    """Returns the commands that can run, and a result for each name whether it can or not."""
    commands, results = {}, {}
    for name, ways in table.items():
        command, note = peers.choose(site, ways, words, net, prefix=prefix)
        results[name] = {"note": note, "broken": command is None and not is_absent(note)}
        if command:
            commands[name] = command
    return commands, results


def is_absent(note):
    return note.startswith(("not installed", "no executable"))


# ---- starts

def spawn(site, commands, rounds, results, prefix=()):
    """Runs the commands by turns, and adds what they took to the results of the same names."""
    words = [w for command in commands.values() for w in ["::"] + command][1:]
    with open(site.work + "/stderr", "w") as errors:
        done = subprocess.run([*prefix, site.work + "/spawn", str(rounds)] + words, env=site.environ,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                              text=True, check=True)
    names = list(commands)
    for name in names:
        results[name].update(wall_usec=[], cpu_usec=[])
    failed = dict.fromkeys(names, 0)
    for line in done.stdout.splitlines():
        index, wall, user, system, status = map(int, line.split())
        if status:
            failed[names[index]] += 1
        else:
            results[names[index]]["wall_usec"].append(wall)
            results[names[index]]["cpu_usec"].append(user + system)
    for name, n in failed.items():
        if n:
            results[name].update(note=f"{n} of {rounds} runs failed", broken=True)


def starts(site, table, rounds, net):
    commands, results = choose_all(site, table, ["/bin/true"], net)
    spawn(site, commands, rounds, results)
    return results


def starts_print(site, title, table, rounds, net):
    results = starts(site, table, rounds, net)
    ms = {n: statistics.median(r["wall_usec"]) / 1000 for n, r in results.items()
          if r.get("wall_usec")}

    def ratio(a, b):
        return f"{ms[a] / ms[b]:.2f}" if a in ms and b in ms else "–"

    def row(name, result):
        if name not in ms:
            return [name] + ["–"] * 5
        wall = sorted(result["wall_usec"])
        low, high = wall[len(wall) // 4] / 1000, wall[len(wall) * 3 // 4] / 1000
        return [name, f"{ms[name]:.2f}", f"{low:.2f}–{high:.2f}",
                f"{statistics.mean(result['cpu_usec']) / 1000:.2f}", ratio(name, "floor"),
                ratio(name, "bwrap")]

    report.heading(title, f"`/bin/true` in a busybox tree, {rounds} rounds by turns.")
    report.table(["start", "median ms", "quartiles", "mean CPU ms", "× floor", "× bwrap"],
                 [row(name, result) for name, result in results.items()])
    goals = [("nspawn ÷ floor", ratio("nspawn", "floor"), "≤ 1.5" if net else "≤ 1.6")]
    if not net:
        other = "bwrap, own network"
        goals.append(("nspawn ÷ " + other, ratio("nspawn", other), "≤ 0.8"))
    goals.append(("systemd-nspawn ÷ nspawn", ratio("systemd-nspawn", "nspawn"), "≥ 20"))
    report.remarks(results, goals)
    return results


def start(site, rounds):
    title = "Start, on the host's network"
    return starts_print(site, title, peers.STARTS_HOST_NETWORK, rounds, False)


def net(site, rounds):
    title = "Start, with a network namespace of its own"
    results = starts_print(site, title, peers.STARTS, rounds, True)
    results |= cables(site, rounds, "Start, with a cable to the host", ["unshare", "--net"])
    if shutil.which("nft"):
        wall = ["unshare", "--net", "sh", "-ec", 'nft "$0"; exec "$@"', WALL]
        walled = cables(site, rounds, "Start, with a cable to a host that has rules for packets", wall)
        results |= {f"{name}, beside rules": result for name, result in walled.items()}
    return results


def cables(site, rounds, title, apart):
    """With a cable to the host, addresses and a way out; the floor has the cable alone."""
    commands, results = choose_all(site, peers.CABLES, ["/bin/true"], prefix=apart)
    spawn(site, commands, rounds, results, prefix=apart)
    ms = {n: statistics.median(r["wall_usec"]) / 1000 for n, r in results.items() if r.get("wall_usec")}
    least = ms.get("floor, with a cable")

    def row(name, result):
        if name not in ms or not least:
            return [name] + ["–"] * 3
        return [name, f"{ms[name]:.2f}", f"{statistics.mean(result['cpu_usec']) / 1000:.2f}", f"{ms[name] / least:.2f}"]

    rows = [row(name, result) for name, result in results.items()]
    report.heading(title, f"`/bin/true` in a busybox tree, {rounds} rounds by turns.")
    report.table(["start", "median ms", "mean CPU ms", "× floor"], rows)
    ours, tidy = ms.get("nspawn, -n"), ms.get("floor, cable taken back")
    if ours and least and tidy:
        report.remarks(results, [("nspawn, -n ÷ floor", f"{ours / least:.2f}", "≤ 1.6"),
                                 ("nspawn, -n ÷ floor, cable taken back", f"{ours / tidy:.2f}", "none, for scale")])
    return results


# ---- throughput

def big_make(site):
    """Random text in lines, in the tree. Returns its bytes."""
    path = site.tree + "/big"
    if not os.path.exists(path):
        with open(path, "wb") as f:
            while f.tell() < BIG_BYTES:
                f.write(base64.encodebytes(os.urandom(57 << 14))[:BIG_BYTES - f.tell()])
    with open(path, "rb") as f:
        return f.read()


def arrived(site, reader, command, expected):
    """Runs a command once more, and says whether exactly the expected bytes come out of it."""
    digest, n = hashlib.sha256(), 0
    with subprocess.Popen(reader + ["--copy"] + command, env=site.environ, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while block := process.stdout.read(1 << 20):
            digest.update(block)
            n += len(block)
    if n == len(expected) and digest.digest() == hashlib.sha256(expected).digest():
        return "yes"
    return "no" if n == len(expected) else f"no, {n - len(expected):+} bytes"


def transfers(site, table, reader, expected, readers=None):
    """Times a large file through each of a table's ways. A way may have a reader of its own. Without expected bytes
    nothing is compared."""
    readers = readers or {}
    commands, results = choose_all(site, table, ["/bin/cat", "/big"], prefix=reader + ["--copy"])
    for name in commands:
        results[name]["usec"] = []
    for _ in range(TRANSFER_ROUNDS):
        for name, command in commands.items():
            done = subprocess.run(readers.get(name, reader) + command, env=site.environ, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, errors="replace")
            if done.returncode == 0:
                results[name]["usec"].append(int(done.stdout.split()[1]))
            else:
                results[name].update(note="fails with the large file", broken=True)
    for name, command in commands.items():
        results[name]["intact"] = arrived(site, reader, command, expected) if expected else "–"
        results[name]["broken"] |= results[name]["intact"] not in ("yes", "–")
    return results


def transfers_print(title, text, results, base, goals):
    rate = {n: BIG_BYTES / statistics.median(r["usec"]) for n, r in results.items()
            if r.get("usec")}

    def ratio(a, b):
        return f"{rate[a] / rate[b]:.2f}" if a in rate and b in rate else "–"

    report.heading(title, f"`cat` of {BIG_BYTES >> 20} MiB of text lines, start and end included; "
                   f"medians of {TRANSFER_ROUNDS} rounds by turns{text}.")
    report.table(["through", "MB/s", "× " + base, "bit for bit"],
                 [[n, f"{rate[n]:.0f}", ratio(n, base), r["intact"]] if n in rate
                  else [n] + ["–"] * 3 for n, r in results.items()])
    report.remarks(results, [(f"nspawn ÷ {b}", ratio("nspawn", b), goal) for b, goal in goals])
    return results


def pty(site, rounds):
    # The guest's terminal has its default modes, under which a line ends in two bytes.
    expected = big_make(site).replace(b"\n", b"\r\n")
    results = transfers(site, peers.CONSOLES, [site.work + "/pty-read"], expected)
    results = transfers_print("Throughput of the console", "; the reader holds the outer terminal",
                              results, "raw pty", [("raw pty", "≥ 0.9"),
                                                   ("bare copy", "none, for scale")])
    # One terminal on either side: what the console itself costs, without a second one behind it.
    reader = site.work + "/pty-read"
    swallowed = transfers(site, peers.SWALLOWED, [reader, "--pipe", "--null"], None, {"raw pty": [reader]})
    transfers_print("Throughput of the console alone", "; the output is swallowed", swallowed, "raw pty",
                    [("raw pty", "≥ 0.9")])
    return {**results, **{name + ", swallowed": result for name, result in swallowed.items()}}


def pipe(site, rounds):
    results = transfers(site, peers.PIPES, [site.work + "/pty-read", "--pipe"], big_make(site))
    return transfers_print("Throughput of `--pipe`", "", results, "plain pipe", [])
