# SPDX-License-Identifier: LGPL-2.1-or-later
"""--ephemeral on btrfs: a snapshot, with what is nested in the tree, and nothing of it left."""
import os
import pathlib
import shutil
import subprocess

import pytest

pytestmark = [pytest.mark.requires("root"),
              pytest.mark.skipif(not shutil.which("mkfs.btrfs"), reason="there is no mkfs.btrfs")]


def btrfs(*words):
    return subprocess.run(["btrfs", *map(str, words)], check=True, stdout=subprocess.PIPE, text=True).stdout


def subvolumes(top):
    return sorted(line.split(" path ")[1] for line in btrfs("subvolume", "list", top).splitlines())


@pytest.fixture
def volume(tmp_path):
    """A file system of btrfs in a file, its loop device freed with the mount."""
    image, top = tmp_path / "image", tmp_path / "top"
    top.mkdir()
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, stdout=subprocess.DEVNULL)
    if subprocess.run(["mount", "-o", "loop", image, top], check=False).returncode != 0:
        pytest.skip("this kernel mounts no btrfs")
    yield top
    subprocess.run(["umount", top], check=True)


@pytest.fixture
def subvolume(volume, tree):
    root = volume / "web"
    btrfs("subvolume", "create", root)
    subprocess.run(["cp", "-a", f"{tree({'etc/own': 'own'})}/.", root], check=True)
    btrfs("subvolume", "create", root / "srv")
    (root / "srv/data").write_text("data")
    return root


def test_a_snapshot_shows_the_tree_and_takes_changes(subvolume, volume, run, Running):
    before = subvolumes(volume)
    with Running("-D", subvolume, "-P", "-x", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        places = [name for name in os.listdir(volume) if name.startswith("nspawn-ephemeral-")]
        assert len(places) == 1 and os.stat(volume / places[0]).st_mode & 0o7777 == 0o700
        assert set(subvolumes(volume)) - set(before) == {f"{places[0]}/changes", f"{places[0]}/changes/srv"}
        machine.signal(15)
    assert run("-D", subvolume, "-P", "-x", "/payload", "read", "/srv/data").text == "data"
    assert run("-D", subvolume, "-P", "-x", "/payload", "write", "/srv/data", "changed").json["errno"] == 0
    assert (subvolume / "srv/data").read_text() == "data"
    assert subvolumes(volume) == before and sorted(os.listdir(volume)) == ["web"]


def test_a_killed_one_is_swept_with_what_the_guest_made(subvolume, volume, run, Running):
    before = subvolumes(volume)
    with Running("-D", subvolume, "-P", "-x", "-M", "mine", "/payload", "sleep", "60") as killed:
        killed.expect("sleeping")
        place = next(volume.glob("nspawn-ephemeral-*/changes"))
        btrfs("subvolume", "create", place / "etc/inner")
        btrfs("subvolume", "snapshot", "-r", place / "etc/inner", place / "etc/inner/frozen")
        killed.signal(9)
        killed.wait()
    assert subvolumes(volume) != before
    assert run("-D", subvolume, "-P", "-x", "-M", "mine", "/payload", "exit", "0").code == 0
    assert subvolumes(volume) == before and sorted(os.listdir(volume)) == ["web"]


def test_another_place_means_an_overlay(subvolume, volume, tmp_path, run, Running):
    place = tmp_path / "elsewhere"
    place.mkdir()
    before = subvolumes(volume)
    with Running("-D", subvolume, "-P", "-x", f"--ephemeral-dir={place}", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        assert len(os.listdir(place)) == 1 and subvolumes(volume) == before
        machine.signal(15)
    assert os.listdir(place) == []


def test_what_is_no_subvolume_gets_an_overlay(subvolume, volume, run, tree):
    plain = volume / "plain"
    subprocess.run(["cp", "-a", tree(), plain], check=True)
    before = subvolumes(volume)
    assert run("-D", plain, "-P", "-x", "/payload", "write", "/new", "x").json["errno"] == 0
    assert not (plain / "new").exists() and subvolumes(volume) == before


def test_a_snapshot_that_is_refused_becomes_an_overlay(subvolume, volume, run):
    inner = subvolume / "srv"
    for _ in range(40):
        inner = inner / "s"
        btrfs("subvolume", "create", inner)
    before = subvolumes(volume)
    result = run("-D", subvolume, "-x", "/payload", "write", "/new", "x")
    assert "No snapshot of the tree can be made" in result.complaint and result.code == 0, result
    assert not pathlib.Path(subvolume / "new").exists() and subvolumes(volume) == before
