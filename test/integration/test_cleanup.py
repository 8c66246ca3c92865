# SPDX-License-Identifier: LGPL-2.1-or-later
"""--cleanup: what a killed supervisor leaves behind goes, and nothing of a machine that runs."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from lab import probe, tree as lab_tree
from lab.run import leader_of, program

pytestmark = pytest.mark.requires("root")

INCOMING, EXPORT = "/run/systemd/nspawn/propagate", "/run/systemd/nspawn/unix-export"
MACHINES = "/run/nspawn"


def left_of(name, root=None):
    """What there is of a machine on the host."""
    paths = [f"{INCOMING}/{name}", f"{EXPORT}/{name}", f"{MACHINES}/{name}"]
    if probe.own_cgroup():
        paths.append(f"{probe.own_cgroup()}/nspawn-{name}")
    if root:
        status = os.stat(root)
        paths += [f"{root.parent}/.#{root.name}.lck", f"/run/systemd/nspawn/locks/inode-{status.st_dev}:{status.st_ino}"]
    return [path for path in paths if os.path.lexists(path)]


@pytest.fixture
def crash(tree, Running, payload):
    """Boots a machine and kills its supervisor without mercy; gives its name and tree."""

    def make():
        name = f"crashed-{os.getpid()}"
        root = tree({"usr/lib/": None, "sbin/init!": payload})
        with Running("-q", "-b", "-D", root, "-M", name, "wait-signal", "7") as machine:
            machine.expect("waiting")
            leader_of(machine.pid)
            machine.signal(signal.SIGKILL)
            machine.wait()
        assert len(left_of(name, root)) >= 5, left_of(name, root)
        return name, root

    return make


def test_everything_goes(crash, run):
    name, root = crash()
    result = run("--cleanup", "-D", root, "-M", name)
    assert result.code == 0 and result.out == b"" and f"{INCOMING}/{name}" in result.err.decode()
    assert left_of(name, root) == []
    assert root.is_dir()


def test_quiet_says_nothing(crash, run):
    name, root = crash()
    result = run("-q", "--cleanup", "-D", root, "-M", name)
    assert (result.code, result.out, result.err) == (0, b"", b"")
    assert left_of(name, root) == []


def test_the_name_is_enough(crash, run):
    """As the unit file calls it, after the machine: "systemd-nspawn --cleanup --machine=%i"; the tree may be gone."""
    name, root = crash()
    result = run("--cleanup", f"--machine={name}")
    assert result.code == 0 and left_of(name) == [], result
    assert run("-q", "--cleanup", "-D", root, "-M", name).code == 0 and left_of(name, root) == []


def test_the_name_is_found_from_the_tree(crash, tree, run):
    name, root = crash()
    run("-q", "--cleanup", "-D", root, "-M", name)
    for words, cwd in ((["-D", root], None), ([], root)):
        os.makedirs(f"{INCOMING}/{root.name}", mode=0o600)
        assert run("-q", "--cleanup", *words, cwd=cwd).code == 0
        assert left_of(root.name, root) == []


def test_without_leftovers_there_is_nothing_to_do(tree, run):
    for words in (["-M", "never-was"], ["-D", "/no/such/never-was"], ["-D", tree()]):
        loud, quiet = run("--cleanup", *words), run("-q", "--cleanup", *words)
        assert loud.code == 0 and b"left nothing behind" in loud.err and loud.out == b""
        assert (quiet.code, quiet.out, quiet.err) == (0, b"", b"")


def test_what_the_host_put_there_goes_without_what_is_mounted(run, tmp_path):
    """"machinectl bind" makes directories and mounts on its way in: those go, but never what they show."""
    name, source = "half-bound", tmp_path / "source"
    source.mkdir()
    (source / "precious").write_text("x")
    inner = f"{INCOMING}/{name}/mount-1/deeper"
    os.makedirs(inner)
    with open(f"{INCOMING}/{name}/file", "w", encoding="utf-8"):
        pass
    os.symlink(source, f"{INCOMING}/{name}/link")
    for _ in range(2):
        subprocess.run(["mount", "--bind", source, inner], check=True)
    assert run("-q", "--cleanup", "-M", name).code == 0
    assert left_of(name) == [] and (source / "precious").read_text() == "x"
    assert lab_tree.mounts_below(f"{INCOMING}/{name}") == []


def test_the_socket_of_a_forwarded_journal_goes(run):
    folder = "/run/systemd/nspawn/journal/forwarded"
    os.makedirs(folder)
    with socket.socket(socket.AF_UNIX) as receiver:
        receiver.bind(folder + "/socket")
    assert run("-q", "--cleanup", "-M", "forwarded").code == 0 and not os.path.exists(folder)


def test_what_lives_on_in_the_cgroup_is_killed(run):
    if not probe.own_cgroup():
        pytest.skip("no cgroup of our own")
    group = f"{probe.own_cgroup()}/nspawn-lingering"
    os.makedirs(group + "/payload/inner")
    survivor = subprocess.Popen(["sleep", "100"])
    with open(group + "/payload/inner/cgroup.procs", "w", encoding="utf-8") as file:
        file.write(str(survivor.pid))
    try:
        assert run("-q", "--cleanup", "-M", "lingering").code == 0
        assert survivor.wait(timeout=5) == -signal.SIGKILL and left_of("lingering") == []
    finally:
        survivor.kill()


def test_a_running_machine_is_left_alone(tree, Running, run, payload):
    name = f"alive-{os.getpid()}"
    root = tree({"usr/lib/": None, "sbin/init!": payload})
    with Running("-q", "-b", "-D", root, "-M", name, "wait-signal", "7") as machine:
        machine.expect("waiting")
        before = left_of(name, root)
        for words in (["-M", name], ["-D", root, "-M", name]):
            result = run("-q", "--cleanup", *words)
            assert result.code == 1 and f"Machine '{name}' is running" in result.complaint
            assert left_of(name, root) == before
        # Under another name the tree is still in use: its locks stay.
        assert run("-q", "--cleanup", "-D", root, "-M", "another").code == 0
        assert left_of(name, root) == before
        machine.stop()


def test_a_machine_of_another_program_is_left_alone(run):
    """systemd-nspawn uses the same directories; what runs there is registered."""
    folder = "/run/systemd/machines"
    was_there = os.path.isdir(folder)
    os.makedirs(folder, exist_ok=True)
    os.makedirs(f"{INCOMING}/foreign")
    try:
        with open(folder + "/foreign", "w", encoding="utf-8") as file:
            file.write(f"NAME=foreign\nLEADER={os.getpid()}\n")
        result = run("-q", "--cleanup", "-M", "foreign")
        assert result.code == 1 and "is running" in result.complaint and os.path.isdir(f"{INCOMING}/foreign")
        with open(folder + "/foreign", "w", encoding="utf-8") as file:
            file.write("NAME=foreign\nLEADER=4194303\n")
        assert run("-q", "--cleanup", "-M", "foreign").code == 0 and left_of("foreign") == []
    finally:
        os.unlink(folder + "/foreign")
        if not was_there:
            os.rmdir(folder)


def test_nothing_is_started(tree, run):
    root = tree()
    assert run("--cleanup", "-D", root, "/payload", "exit", "7").code == 0


@pytest.mark.parametrize("words, sentence", [
    (["--ephemeral"], "'--ephemeral'"), (["--dry-run"], "'--dry-run'"), (["--machine=a_b"], "'a_b'"), (["--machine=.."], "'..'"), (["-D", "/"], None),
])
def test_what_is_refused(run, words, sentence):
    result = run("--cleanup", *words)
    if sentence is None:
        assert result.code == 0  # "/" is called as the host is, and has nothing to remove
    else:
        assert result.code == 1 and sentence in result.complaint


def test_a_user_tidies_up_after_machines_of_his_own(run):
    """A lock of a machine that is over goes, and the directory that was made for it."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *program()]
    result = run("--cleanup", "-M", "never-was", command=drop)
    assert result.code == 0 and "left nothing behind" in result.complaint
    assert not pathlib.Path("/tmp/nspawn-65534").exists()


def test_a_runtime_directory_of_somebody_else_is_refused(run):
    """Its name is known to all, so anybody may have made it first."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *program()]
    planted = pathlib.Path("/tmp/nspawn-65534")
    planted.mkdir(mode=0o777)
    try:
        result = run("--cleanup", "-M", "never-was", command=drop)
    finally:
        planted.rmdir()
    assert result.code == 1 and f"'{planted}' is not ours alone" in result.complaint
