# SPDX-License-Identifier: LGPL-2.1-or-later
"""What callers see differently with systemd-nspawn 252, beyond what test/compat/differences.py has, and why."""
import fnmatch

from differences import Difference

LOOK_UP = """Safer and faster: who a user is stands in files of the tree, which are read. The reference runs a program of the tree for
    it, twice, and that program's process ids are used up."""
OWN_GETTY = """Better: the getty of an init takes the console as its terminal, which in a user namespace it could not take from process 1."""
NOTHING_SAID = "Better: with --quiet it is not told that properties mean nothing without a service manager. The caller knows, or cannot help it."


def matches(row, name, fact):
    return fnmatch.fnmatchcase(name, row.case) and fnmatch.fnmatchcase(fact, row.fact)


DIFFERENCES = [Difference(*row) for row in [
    *[("*", f"tty {name}", "5", "2", LOOK_UP) for name in ("pid", "session", "group", "foreground", "tty_session")],
    *[("mock: user by number", f"variable {name}", "1000", "builder", "Better: programs look this up, and find it only by its name.")
      for name in ("USER", "LOGNAME")],
    ("devtools: arch-nspawn on a terminal", "stdout",
     "Machine and scope registration turned off, --slice= and --property= settings will have no effect.\r\r\n"
     "TOLD\r\nsaid on standard error\r\n", "TOLD\r\nsaid on standard error\r\n", NOTHING_SAID),
    *[(name, "stderr", "says something", "silent", NOTHING_SAID)
      for name in ("debspawn: everything allowed", "scripts: all devices", "scripts: a graphical session")],
    *[("unit-file: start", f"tty {name}", theirs, ours, OWN_GETTY)
      for name, theirs, ours in (("foreground", "1", "-1"), ("tty_session", "1", "-1"), ("opens_tty", "0", "6"))],
]]
