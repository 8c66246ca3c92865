# SPDX-License-Identifier: LGPL-2.1-or-later
"""System calls of one start, counted, and a tree that is larger."""
import os
import subprocess

from lab.run import program


def count(root, file, options):
    """All of one start, of all processes; those that the kernel interrupts and repeats are few."""
    start = [*program(), "-q", "-D", root, "-P", *options, "/payload", "exit", "0"]
    trace = ["strace", "-qq", "-f", "-c", "-U", "calls,name", "-o", file]
    # The first start of all makes directories on the host, some 20 calls that are no tree's. Leaks cannot be looked for below strace.
    for words in (start, [*trace, *start]):
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    return next(int(line.split()[0]) for line in file.read_text().splitlines() if line.endswith("total"))


def fill(root):
    (root / "srv/many").mkdir(parents=True)
    for number in range(20000):
        os.mknod(root / f"srv/many/{number}")
