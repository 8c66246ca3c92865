# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host of this suite: booted once for it, by nspawn itself; each test has to leave it as it was."""
import pytest

from lab import leaks, probe
from lab import tree as lab_tree
from lab.host import Host


@pytest.fixture(scope="package")
def bed(beside, tmp_path_factory):
    probe.require("root", "cgroup2", "netns", "mirror")
    before = leaks.Snapshot(beside)
    started = Host(tmp_path_factory.mktemp("host") / "host")
    try:
        yield started
    finally:
        code = started.power_off()
        lab_tree.remove(started.folder)
    assert code == 0, f"the host ended with {code}"
    assert before.leaks() == []


@pytest.fixture
def host(bed):
    """host.run("systemctl status").text; see lab/host.py for the rest."""
    before, trees = bed.inventory(), set(bed.machines.iterdir())
    yield bed
    for path in set(bed.machines.iterdir()) - trees:
        lab_tree.remove(path)
    found = bed.left(before)
    if found:
        report = bed.journal()
        bed.tidy()
        pytest.fail("\n".join([*found, report]))
