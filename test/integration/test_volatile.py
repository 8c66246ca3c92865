# SPDX-License-Identifier: LGPL-2.1-or-later
"""--volatile, --ephemeral and --pivot-root: what becomes of changes to the tree, and what of it is the root."""
import os
import pathlib
import stat

import pytest

from lab import identity
from lab.manifest import manifest

pytestmark = pytest.mark.requires("root")


FULL = {"etc/own": "own", "var/lib/data": "data", "usr/bin/tool": "tool", "bin": "usr/bin", "srv/x": "x", "proc/": None,
        "sys/": None, "dev/": None, "run/": None, "tmp/": None, "root/": None}


@pytest.fixture
def full(tree):
    """A tree with merged /usr and all base directories, so that a start has nothing to add to it."""

    def make():
        entries = {name: content for name, content in FULL.items() if name != "bin"}
        root = tree(entries)
        (root / "bin").symlink_to("usr/bin")
        for name in ("sbin", "lib", "lib64"):
            (root / "usr" / name).mkdir()
            (root / name).symlink_to(f"usr/{name}")
        (root / "usr/payload").write_bytes((root / "payload").read_bytes())
        (root / "usr/payload").chmod(0o755)
        identity.give(root)
        os.chown(root, identity.outside(0), identity.outside(7))
        root.chmod(0o751)
        return root

    return make


def write(root, run, path, *options):
    return run("-D", root, "-P", *options, "/usr/payload", "write", path, "changed").json["errno"]


def read(root, run, path, *options):
    return run("-D", root, "-P", *options, "/usr/payload", "read", path).text


@pytest.mark.parametrize("option", ["--volatile=overlay", "--ephemeral", "-x", "--volatile=yes", "--volatile",
                                    "--volatile=state"])
def test_the_tree_stays_as_it_is(full, run, option):
    root = full()
    before = manifest(root)
    for path in ("/etc/own", "/new", "/var/lib/data", "/srv/x"):
        write(root, run, path, option)
    assert manifest(root) == before


@pytest.mark.parametrize("option", ["--volatile=overlay", "--ephemeral"])
def test_an_overlay_shows_the_tree_and_takes_changes(full, run, option):
    root = full()
    assert read(root, run, "/etc/own", option) == "own"
    assert write(root, run, "/etc/own", option) == 0
    assert read(root, run, "/etc/own", option) == "own"
    answer = run("-D", root, "-P", option, "/usr/payload", "stat", "/").json["/"]
    assert (answer["mode"] & 0o7777, answer["uid"], answer["gid"]) == (0o751, 0, 7), "the tree's own"


def test_yes_keeps_only_usr(full, run):
    root = full()
    assert "errno" in read(root, run, "/etc/own", "--volatile=yes")
    assert read(root, run, "/bin/tool", "--volatile=yes") == "tool"
    assert write(root, run, "/usr/new", "--volatile=yes") == 30
    assert write(root, run, "/etc/new", "--volatile=yes") == 0
    assert write(root, run, "/new", "--volatile=yes") == 0


def test_yes_needs_a_merged_usr(full, run):
    root = full()
    (root / "bin").unlink()
    (root / "bin").mkdir()
    result = run("-D", root, "-P", "--volatile=yes", "/usr/payload", "exit", "0")
    assert result.code == 1 and "its programs are not all in /usr" in result.err.decode()
    assert write(root, run, "/new", "--volatile=overlay") == 0


def test_state_keeps_all_but_var(full, run):
    root = full()
    assert read(root, run, "/etc/own", "--volatile=state") == "own"
    assert write(root, run, "/etc/own", "--volatile=state") == 30
    assert "errno" in read(root, run, "/var/lib/data", "--volatile=state")
    assert write(root, run, "/var/new", "--volatile=state") == 0


def test_read_only_besides(full, run):
    """Callers ask for both; the volatile overlay is what can be written then."""
    root = full()
    assert write(root, run, "/new", "--volatile=overlay", "--read-only") == 0
    assert write(root, run, "/new", "--ephemeral", "--read-only") == 30
    assert write(root, run, "/new", "--volatile=no") == 0 and (root / "new").exists()


@pytest.mark.parametrize("option", ["--volatile=overlay", "--ephemeral", "--volatile=state"])
def test_two_machines_of_one_tree(full, run, Running, option):
    root = full()
    with Running("-D", root, "-P", option, "/usr/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        assert read(root, run, "/etc/own", option) == "own"
        result = run("-D", root, "-P", "/usr/payload", "exit", "0")
        assert result.code == 1, "nobody may change what is below an overlay"


def test_a_throw_away_machine_has_a_name_of_its_own(full, run):
    root = full()
    hostname = run("-D", root, "-P", "-x", "/usr/payload", "system").json["system"]["hostname"]
    assert hostname.startswith(root.name + "-") and len(hostname) == len(root.name) + 17
    hostname = run("-D", root, "-P", "-x", "-M", "mine", "/usr/payload", "system").json["system"]["hostname"]
    assert hostname == "mine"


def places(directory):
    return sorted(entry.name for entry in pathlib.Path(directory).iterdir() if "nspawn" in entry.name)


def test_changes_are_elsewhere_until_the_end(full, run, Running):
    with Running("-D", full(), "-P", "-x", "/usr/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        [place] = places("/var/tmp")
        assert stat.S_IMODE(os.stat(f"/var/tmp/{place}").st_mode) == 0o700
    assert places("/var/tmp") == []


def test_changes_can_be_somewhere_else(full, run, Running, tmp_path):
    root = full()
    with Running("-D", root, "-P", "-x", f"--ephemeral-dir={tmp_path}", "/usr/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        assert len(places(tmp_path)) == 1 and places("/var/tmp") == []
    assert places(tmp_path) == []
    result = run("-D", root, "-P", "-x", f"--ephemeral-dir={tmp_path}/none", "/usr/payload", "exit", "0")
    assert result.code == 1 and f"{tmp_path}/none" in result.complaint


@pytest.mark.parametrize("mode,owner,is_fine", [(0o777, 0, False), (0o1777, 0, True), (0o770, 0, False), (0o755, 1000, False)])
def test_changes_are_not_where_others_could_swap_them(full, run, tmp_path, mode, owner, is_fine):
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, owner, owner)
    place.chmod(mode)
    result = run("-D", full(), "-P", "-x", f"--ephemeral-dir={place}", "/usr/payload", "exit", "0")
    assert result.code == (0 if is_fine else 1) and (is_fine or "Others could" in result.err.decode())
    assert places(place) == []


def test_a_killed_one_is_swept_by_the_next(full, run, Running):
    root = full()
    options = ["-M", "mine"]
    with Running("-D", root, "-P", "-x", *options, "/usr/payload", "sleep", "60") as killed:
        killed.expect("sleeping")
        killed.signal(9)
        killed.wait()
    assert len(places("/var/tmp")) == 1
    foreign = pathlib.Path("/var/tmp") / ".nspawn-ephemeral-of-somebody"
    foreign.mkdir()
    os.chown(foreign, 1000, 1000)
    assert write(root, run, "/new", "-x", *options) == 0
    assert places("/var/tmp") == [foreign.name], "what another user made stays"
    foreign.rmdir()


def test_the_sweep_leaves_running_machines_alone(full, run, Running):
    root = full()
    with Running("-D", root, "-P", "-x", "/usr/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        before = places("/var/tmp")
        assert write(root, run, "/new", "-x") == 0
        assert places("/var/tmp") == before


def test_directories_nested_without_end_are_removed(full, run):
    root = full()
    script = "cd /srv; i=0; while [ $i -lt 400 ]; do mkdir d && cd d; i=$((i+1)); done; : >end"
    busybox = next(path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path))
    (root / "usr/bin/sh").write_bytes(pathlib.Path(busybox).read_bytes())
    (root / "usr/bin/sh").chmod(0o755)
    assert run("-D", root, "-P", "-x", "/bin/sh", "-c", script).code == 0
    assert places("/var/tmp") == []


# --- --pivot-root ---


def test_another_root_inside(full, run):
    root = full()
    inner = root / "deployments/one"
    (inner / "usr").mkdir(parents=True)
    (inner / "usr/payload").write_bytes((root / "payload").read_bytes())
    (inner / "usr/payload").chmod(0o755)
    (inner / "mark").write_text("inner")
    identity.give(root / "deployments")
    option = "--pivot-root=/deployments/one"
    assert read(root, run, "/mark", option) == "inner"
    assert "errno" in read(root, run, "/etc/own", option), "the outer root is gone"
    option = "--pivot-root=/deployments/one:/sysroot"
    assert read(root, run, "/mark", option) == "inner"
    assert read(root, run, "/sysroot/etc/own", option) == "own"
    assert write(root, run, "/new", option, "--volatile=overlay") == 0
    assert not (inner / "new").exists()


def test_another_root_is_looked_for_in_the_tree(full, run, tmp_path):
    root = full()
    (tmp_path / "usr").mkdir()
    (root / "link").symlink_to(tmp_path)
    result = run("-D", root, "-P", "--pivot-root=/link", "/usr/payload", "exit", "0")
    assert result.code == 1 and "'/link'" in result.complaint


@pytest.mark.parametrize("value", ["relative", "/", "/a/../b", "/a:/", "/a:b", "/a:/b:/c"])
def test_bad_roots(full, run, value):
    result = run("-D", full(), "-P", f"--pivot-root={value}", "/usr/payload", "exit", "0")
    assert result.code == 1 and "'--pivot-root'" in result.complaint


def test_what_a_kill_left_before_it_had_a_name_goes_as_well(full, run):
    early = pathlib.Path("/var/tmp/..nspawn-ephemeral-0123456789abcdef")
    early.mkdir(0o700)
    identity.give(early)
    assert run("-D", full(), "-P", "-x", "/usr/payload", "exit", "0").code == 0
    assert not early.exists() and places("/var/tmp") == []
