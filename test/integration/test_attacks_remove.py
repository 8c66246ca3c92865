# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a payload can write to is removed again: all of it, and nothing else."""
import os
import pathlib
import shutil
import subprocess

import pytest

from test_attacks_probe import attack, swapped  # noqa: F401 # a fixture

pytestmark = pytest.mark.requires("root")

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)


def places():
    return sorted(entry.name for entry in pathlib.Path("/var/tmp").iterdir() if "nspawn" in entry.name)


@pytest.fixture
def shelled(tree, attack):
    root = tree({"proc/": None, "sys/": None, "dev/": None, "run/": None, "tmp/": None, "etc/passwd": "root:x:0:0::/:/bin/sh\n"})
    (root / "usr/bin").mkdir()
    for name in ("sh", "mkdir", "sleep", "touch", "ln", "mv"):
        shutil.copyfile(BUSYBOX, root / "usr/bin" / name)
        (root / "usr/bin" / name).chmod(0o755)
    shutil.copyfile(attack, root / "usr/bin/attack")
    (root / "usr/bin/attack").chmod(0o755)
    (root / "bin").symlink_to("usr/bin")
    return root




@pytest.mark.parametrize("option, place", [("--bind=:/x", "/x"), ("-x", "/srv"), ("--overlay={low}::/x", "/x")])
@pytest.mark.parametrize("flag", ["i", "a"])
def test_files_that_nobody_may_change_are_removed(shelled, run, tmp_path, option, place, flag):
    (tmp_path / "low").mkdir()
    (shelled / "srv").mkdir()
    script = (f"cd {place} && mkdir -p d/e $(i=0; while [ $i -lt 70 ]; do echo -n deep/; i=$((i+1)); done) && : >f && : >d/e/f"
              f" && attack freeze {flag} f d/e/f d/e d; cd deep; while cd deep 2>/dev/null; do :; done; : >f; attack freeze {flag} f .")
    result = run("-q", "-P", "-D", shelled, option.format(low=tmp_path / "low"), "/bin/sh", "-c", script)
    assert result.code == 0 and result.err == b"", result
    assert places() == []


def test_one_that_stays_is_no_reason_for_others(shelled, Running, tmp_path):
    """A mount point on the host's side cannot go, and what is mounted there must not be emptied."""
    (tmp_path / "precious").write_text("mine")
    with Running("-q", "-P", "-D", shelled, "--bind=:/x", "/bin/sh", "-c",
                 "cd /x; mkdir -p a m z; : >a/f; : >z/f; echo up; sleep 60") as machine:
        machine.expect("up")
        [place] = places()
        inside = pathlib.Path("/var/tmp") / place / "src"
        subprocess.run(["mount", "--bind", tmp_path, inside / "m"], check=True)
        try:
            machine.stop()
            assert (tmp_path / "precious").read_text() == "mine"
            assert sorted(entry.name for entry in inside.iterdir()) == ["m"]
        finally:
            subprocess.run(["umount", "-l", inside / "m"], check=True)
            shutil.rmtree("/var/tmp/" + place)


def test_the_sweep_does_not_enter_mounts(shelled, run, tmp_path):
    """Of a killed machine, too: its directory is one that somebody mounted in."""
    (tmp_path / "precious").write_text("mine")
    stale = pathlib.Path("/var/tmp/.nspawn-ephemeral-0123456789abcdef/changes/m")
    stale.mkdir(parents=True)
    subprocess.run(["mount", "--bind", tmp_path, stale], check=True)
    try:
        assert run("-q", "-P", "-D", shelled, "-x", "/payload", "exit", "0").code == 0
        assert (tmp_path / "precious").read_text() == "mine"
    finally:
        subprocess.run(["umount", "-l", stale], check=True)
        shutil.rmtree(stale.parent.parent)


@pytest.mark.parametrize("kind", ["link", "file", "hard link", "fifo", "link to a directory"])
def test_the_sweep_follows_no_name(shelled, run, tmp_path, kind):
    """Everybody may write to /var/tmp."""
    precious = tmp_path / "precious"
    (precious / "changes").mkdir(parents=True)
    (precious / "changes/file").write_text("mine")
    path = "/var/tmp/.nspawn-ephemeral-0123456789abcdef"
    if kind == "link":
        os.symlink(precious / "changes/file", path)
    elif kind == "link to a directory":
        os.symlink(precious, path)
    elif kind == "hard link":
        pathlib.Path("/var/tmp/other").write_text("mine")
        os.link("/var/tmp/other", path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        pathlib.Path(path).write_text("mine")
    try:
        assert run("-q", "-P", "-D", shelled, "-x", "/payload", "exit", "0").code == 0
        assert (precious / "changes/file").read_text() == "mine"
        assert os.path.lexists(path), "no directory, so not ours"
    finally:
        os.unlink(path)
        pathlib.Path("/var/tmp/other").unlink(missing_ok=True)


def test_the_sweep_ends_links_in_what_it_removes(shelled, run, tmp_path):
    """The contents are a dead payload's: links, hard links to its own, devices, sockets, names of our own."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    stale = pathlib.Path("/var/tmp/.nspawn-ephemeral-0123456789abcdef")
    changes = stale / "changes"
    changes.mkdir(parents=True)
    (changes / "out").symlink_to(precious)
    (changes / "up").symlink_to("../../..")
    (changes / "file").symlink_to(precious / "file")
    os.mkfifo(changes / "fifo")
    os.mknod(changes / "zero", 0o20666, os.makedev(1, 5))
    for number in range(3):
        (stale / f".nspawn-{number}/full").mkdir(parents=True)
    (stale / ".nspawn-3").write_text("a file")
    os.makedirs(changes / "/".join(["d"] * 200))
    assert run("-q", "-P", "-D", shelled, "-x", "/payload", "exit", "0").code == 0
    assert places() == [] and (precious / "file").read_text() == "mine"


@pytest.mark.parametrize("deep", [False, True])
def test_removal_under_a_writer(shelled, run, tmp_path, attack, deep):
    """A process of the host's side exchanges directories for links to elsewhere while they are removed."""
    precious = tmp_path / "precious"
    precious.mkdir()
    for number in range(20):
        (precious / f"f{number}").write_text("mine")
    for _ in range(25):
        stale = pathlib.Path("/var/tmp/.nspawn-ephemeral-0123456789abcdef")
        for number in range(200):
            (stale / f"changes/d{number}/e/f").mkdir(parents=True)
        decoys = [stale.parent / f"decoy{number}" for number in range(2)]
        for decoy in decoys:
            decoy.symlink_to(precious)
        places = [stale / f"changes/d{number}{'/e' if deep else ''}" for number in (3, 117)]
        try:
            with swapped(attack, *zip(places, decoys)):
                run("-q", "-P", "-D", shelled, "-x", "/payload", "exit", "0")
        finally:
            for path in [stale, *decoys]:
                path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
        assert len(list(precious.iterdir())) == 20
