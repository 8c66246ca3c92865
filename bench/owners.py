# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether the size of a tree is felt at the start: owners of its own, throw-away changes, both.

The outer half makes the trees, as it has the host's file systems before it; the inner half measures.
"""

import contextlib
import fcntl
import os
import statistics
import subprocess
import sys
import time

import measure
import peers
import report

FOLDERS, FILES = 500, 1000
SLOW_SEC, SLOW_ROUNDS = 1, 3
MODES = {"plain": [], "-U": ["-U"], "-x": ["-x"], "-U -x": ["-U", "-x"]}
# Of release 252: what it copies it copies whole, at each start.
COPIES = "copies the tree at each start"


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    os.makedirs(base + "/nspawn-bench-trees", exist_ok=True)
    return base + "/nspawn-bench-trees"


# ---- the outer half

def remove(path):
    subprocess.run(["rm", "-rf", "--one-file-system", path], check=True)


def big_make(tree_make, work):
    """Half a million empty files, each with an owner of its own to change. Kept for the next run.

    Returns its path; the lock on it is this process's until its end. What a killed run left, half
    made or with half its owners changed, is made again.
    """
    folder = cache()
    lock = os.open(folder + "/.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    tree, making = folder + "/big-1", folder + "/.making"
    if os.path.exists(changing(tree)):
        remove(tree)
        os.unlink(changing(tree))
    if not os.path.exists(tree):
        print("bench: making a tree of 500,000 files", file=sys.stderr, flush=True)
        begin = time.monotonic()
        remove(making)
        tree_make(work, making)
        for i in range(FOLDERS):
            os.mkdir(f"{making}/var/{i}")
            folder_fd = os.open(f"{making}/var/{i}", os.O_RDONLY | os.O_DIRECTORY)
            for j in range(FILES):
                os.close(os.open(str(j), os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=folder_fd))
            os.close(folder_fd)
        os.rename(making, tree)
        print(f"bench: it took {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return tree


def changing(tree):
    """A file that says that owners in the tree are not what they were."""
    return tree + ".changing"


def debian_make(here, work):
    """A copy of the cached Debian tree, or why there is none."""
    done = subprocess.run([here + "/../tools/make-tree", "bookworm"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    if done.returncode:
        return None, peers.last_line(done.stderr)
    subprocess.run(["cp", "-a", done.stdout.splitlines()[-1], work + "/debian"], check=True)
    return work + "/debian", ""


def trees_make(here, work, tree_make):
    """{name: (path or None, why not)}, the smallest first."""
    return {"10 files": (work + "/tree", ""), "Debian": debian_make(here, work),
            "500,000 files": (big_make(tree_make, work), "")}


# ---- the inner half

def count(tree):
    return sum(len(files) for _, _, files in os.walk(tree))


def commands(site, tree):
    """{name: command}, ours and the reference's."""
    ours = [site.nspawn, "-q", "--console=pipe", "-D", tree]
    theirs = ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--console=pipe", "-D", tree]
    return {f"{name}, {mode}": start + words + ["/bin/true"]
            for name, start in (("nspawn", ours), ("systemd-nspawn", theirs))
            for mode, words in MODES.items()}


def sort_out(site, is_big, table):
    """Tries each once. Returns {name: command} of the quick and of the slow, and {name: result}."""
    quick, slow, results = {}, {}, {}
    for name, command in table.items():
        if is_big and name.startswith("systemd") and "-x" in name:
            results[name] = {"note": "not run: " + COPIES, "broken": False}
            continue
        begin = time.monotonic()
        why = peers.trial(site, command, [])
        is_slow = time.monotonic() - begin > SLOW_SEC and "systemd-nspawn" in name and "-x" in name
        results[name] = {"note": why or f"{SLOW_ROUNDS} rounds: {COPIES}" * is_slow,
                         "broken": bool(why) and not measure.is_absent(why)}
        if not why:
            (slow if is_slow else quick)[name] = command
    return quick, slow, results


def time_all(site, is_big, table, rounds):
    quick, slow, results = sort_out(site, is_big, table)
    for chosen, n in ((quick, rounds), (slow, SLOW_ROUNDS)):
        if chosen:
            measure.spawn(site, chosen, n, results)
    return results


@contextlib.contextmanager
def owners_changed(site, tree):
    """While it lasts the files of the tree have other owners, on disk. Gives the seconds it took."""
    command = [site.nspawn, "-q", "--console=pipe", "-D", tree, "--private-users-ownership=chown"]
    os.close(os.open(changing(tree), os.O_CREAT | os.O_WRONLY, 0o600))
    begin = time.monotonic()
    subprocess.run(command + ["--private-users=1879048192", "/bin/true"], check=True, env=site.environ,
                   stdin=subprocess.DEVNULL)
    try:
        yield time.monotonic() - begin
    finally:
        subprocess.run(command + ["--private-users=0", "/bin/true"], check=True, env=site.environ,
                       stdin=subprocess.DEVNULL)
    os.unlink(changing(tree))


def time_changed(site, tree, rounds):
    """The starts that follow the one that changed all owners, beside plain ones of that tree."""
    start = [site.nspawn, "-q", "--console=pipe", "-D", tree]
    change = ["--private-users=1879048192", "--private-users-ownership=chown"]
    with owners_changed(site, tree) as seconds:
        results = time_all(site, False, {"plain": start + ["/bin/true"],
                                         "changed": start + change + ["/bin/true"]}, rounds)
    results["changed"]["note"] = f"the first start, which changes all owners: {seconds:.1f} s"
    return results


def median_ms(result):
    return statistics.median(result["wall_usec"]) / 1000 if result.get("wall_usec") else None


def times(result, base):
    ms, plain = median_ms(result), median_ms(base)
    return f"{ms / plain:.2f}" if ms and plain else "–"


def row(name, found):
    program = name.split(",")[0]
    return [name] + [times(found[tree][name], found[tree][program + ", plain"]) for tree in found]


def show(found, changed, sizes, rounds):
    report.heading("Start, whatever the size of the tree",
                   f"`/bin/true`, {rounds} rounds by turns; each × the plain start of that program in that tree.")
    names = next(iter(found.values()))
    report.table(["start"] + list(found),
                 [row(name, found) for name in names]
                 + [["nspawn, owners changed on disk"] + [times(changed[tree]["changed"], changed[tree]["plain"])
                                                          for tree in found]])
    notes = {f"{name}, {tree}": result for tree in found for name, result in found[tree].items()}
    notes |= {f"nspawn, owners changed on disk, {tree}": changed[tree]["changed"] for tree in found}
    plain = {tree: found[tree]["nspawn, plain"] for tree in found}
    goals = [(f"nspawn, plain, {tree} ÷ plain, {next(iter(found))}",
              times(plain[tree], next(iter(plain.values()))), "1, within noise") for tree in list(found)[1:]]
    worst = max((float(times(found[tree]["nspawn, " + mode], plain[tree])), f"{mode}, {tree}")
                for tree in found for mode in list(MODES)[1:] if median_ms(found[tree]["nspawn, " + mode]))
    goals.append((f"the dearest of nspawn's own ({worst[1]}) ÷ plain", f"{worst[0]:.2f}", "≤ 1.5"))
    report.remarks(notes, goals)
    print("Files: " + ", ".join(f"{tree}: {n:,}" for tree, n in sizes.items()) + ".\n", flush=True)


def owners(site, trees, rounds):
    found, changed, sizes, missing = {}, {}, {}, {}
    for name, (tree, why) in trees.items():
        if tree is None:
            missing[name] = {"note": why, "broken": False}
            continue
        sizes[name] = count(tree)
        found[name] = time_all(site, sizes[name] > 100000, commands(site, tree), rounds)
        changed[name] = time_changed(site, tree, rounds)
    show(found, changed, sizes, rounds)
    report.remarks(missing, [])
    return {f"{name}, {tree}": result for tree in found
            for name, result in (found[tree] | {"nspawn, changed": changed[tree]["changed"]}).items()} | missing
