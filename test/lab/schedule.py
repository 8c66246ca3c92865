# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several tests at a time: with pytest-xdist's option -n each worker has a bed of its own, and they see nothing of each other.

What a worker takes is a file of tests, in which one start often serves many; or what is named below.
"""
import re

# One host that is booted for a whole suite, and emulators, each of which wants all processors.
WHOLE = ("host", "vm")
# Tests of one file that are about several builds, or several files in several ways, and of each of those start one thing only.
PARTS = (r"(.*test_builds\.py::).*\[([^:\]]*)", r"(.*test_ways\.py::).*\[(\w+-\w+\.py)")


def unit(name):
    """What the test of that name belongs to."""
    for pattern in PARTS:
        if match := re.match(pattern, name):
            return match.group(1) + match.group(2)
    file = name.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder.rpartition("/")[2] in WHOLE else file


def only_distributes(config):
    """Whether this process runs no test itself: its workers do."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def scheduler(config, log):
    # Only who says -n needs the package.
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit(nodeid)

    return Units(config, log)
