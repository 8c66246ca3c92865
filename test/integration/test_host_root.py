# SPDX-License-Identifier: LGPL-2.1-or-later
"""The running host as a throw-away machine."""
import os
import pathlib

import pytest

pytestmark = pytest.mark.requires("root")

SCRIPT = "uname -n; cat /etc/machine-id; echo changed >/etc/hostname; rm /etc/os-release; echo $?; ls /run /proc/self/comm"


def host():
    status = [os.lstat(path) for path in ("/etc", "/etc/hostname", "/etc/os-release", "/")]
    return [(s.st_mode, s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for s in status]


def test_the_running_host_throws_its_changes_away(run):
    before = host()
    result = run("-x", "-D", "/", "-P", "/bin/sh", "-c", SCRIPT)
    assert result.code == 0, result
    name, machine_id, removed, *rest = result.text.split("\n")
    assert name.startswith(os.uname().nodename[:47] + "-") and len(name.rpartition("-")[2]) == 16
    assert len(machine_id) == 32 and int(machine_id, 16)
    real = pathlib.Path("/etc/machine-id")
    assert not real.exists() or real.read_text().strip() != machine_id
    assert removed == "0" and "nspawn" not in rest, "the host's runtime directories are not there"
    assert host() == before


def test_each_has_an_id_of_its_own(run):
    ids = {run("-x", "-D", "/", "-P", "cat", "/etc/machine-id").text for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize("mode", ["state", "overlay", "yes"])
def test_volatile_is_enough(run, mode):
    before = host()
    script = "read id </etc/machine-id; echo $id; : >/var/new; echo $?"
    result = run("-D", "/", f"--volatile={mode}", "-P", "/bin/sh", "-c", script)
    machine_id, changed = result.text.split("\n")[:2]
    assert changed == "0" and host() == before
    if mode != "yes":
        assert len(machine_id) == 32
        real = pathlib.Path("/etc/machine-id")
        assert not real.exists() or real.read_text().strip() != machine_id


def test_nothing_less_will_do(run):
    for options in ([], ["--read-only"], ["--volatile=no"]):
        result = run("-D", "/", "-P", *options, "true")
        assert result.code == 1
        assert "Cannot run a machine on the host's own root directory" in result.complaint


def test_another_root_keeps_its_id(run, tree):
    root = tree({"etc/machine-id": "0123456789abcdef0123456789abcdef\n"})
    found = run("-x", "-D", "/", f"--bind={root}:/", "-P", "/payload", "read", "/etc/machine-id").text
    assert found.strip() == "0123456789abcdef0123456789abcdef"
    assert (root / "etc/machine-id").read_text() == found
