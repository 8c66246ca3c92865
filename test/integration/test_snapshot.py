# SPDX-License-Identifier: LGPL-2.1-or-later
"""--ephemeral on btrfs: a snapshot, with what is nested in the tree, and nothing of it left."""
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest
from lab.calls import count, fill

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
        places = [name for name in os.listdir(volume) if name.startswith(".nspawn-ephemeral-")]
        # Nobody who looks for trees beside this one takes it for a tree.
        assert [name for name in os.listdir(volume) if name[0] != "."] == ["web"]
        assert len(places) == 1 and os.stat(volume / places[0]).st_mode & 0o7777 == 0o700
        assert set(subvolumes(volume)) - set(before) == {f"{places[0]}/changes", f"{places[0]}/changes/srv"}
        machine.signal(15)
    assert run("-D", subvolume, "-P", "-x", "/payload", "read", "/srv/data").text == "data"
    assert run("-D", subvolume, "-P", "-x", "/payload", "write", "/srv/data", "changed").json["errno"] == 0
    assert (subvolume / "srv/data").read_text() == "data"
    assert subvolumes(volume) == before and sorted(os.listdir(volume)) == ["web"]


def test_the_plan_says_where_the_snapshot_is_made(subvolume, volume, tree, run):
    rows = run("-D", subvolume, "-x", "--dry-run=json", "/payload").json["machine"]
    found = [row["value"] for row in rows if row["name"] == "snapshot"]
    assert len(found) == 1 and found[0].startswith(f"{volume}/.nspawn-ephemeral-") and found[0].endswith("/changes")
    # A tree of which there can be none has an overlay.
    rows = run("-D", tree(), "-x", "--dry-run=json", "/payload").json["machine"]
    assert not [row for row in rows if row["name"] == "snapshot"]


def test_a_killed_one_is_swept_with_what_the_guest_made(subvolume, volume, run, Running):
    before = subvolumes(volume)
    with Running("-D", subvolume, "-P", "-x", "-M", "mine", "/payload", "sleep", "60") as killed:
        killed.expect("sleeping")
        place = next(volume.glob(".nspawn-ephemeral-*/changes"))
        btrfs("subvolume", "create", place / "etc/inner")
        btrfs("subvolume", "snapshot", "-r", place / "etc/inner", place / "etc/inner/frozen")
        killed.signal(9)
        killed.wait()
    assert subvolumes(volume) != before
    assert run("-D", subvolume, "-P", "-x", "-M", "mine", "/payload", "exit", "0").code == 0
    assert subvolumes(volume) == before and sorted(os.listdir(volume)) == ["web"]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_as_many_calls_for_any_tree(subvolume, tmp_path):
    few = count(subvolume, tmp_path / "few", ["-x"])
    fill(subvolume)
    assert abs(count(subvolume, tmp_path / "many", ["-x"]) - few) < 20 and few > 300


def test_what_a_snapshot_changed(subvolume, volume, run, Running, tmp_path):
    (subvolume / "etc/gone").write_text("gone")
    with Running("-D", subvolume, "-P", "-x", "-M", "snap", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        # Nothing but the mount points that every start makes, and the host's files.
        lines = run("diff", "snap").text.splitlines()
        assert [line for line in lines if not line.startswith("A /") or line.startswith(("A /srv", "A /etc/o", "A /usr"))] == []
        place = next(volume.glob(".nspawn-ephemeral-*/changes"))
        (place / "etc/gone").unlink()
        (place / "srv/data").write_text("DATA")
        (place / "new").write_text("new")
        os.chown(place / "new", 33, 34)
        lines = run("diff", "snap").text.splitlines()
        assert {"D /etc/gone", "A /new", "C /srv/data"} <= set(lines)
        assert run("export", "snap", tmp_path / "x.tar").code == 0
        names = {member.name: member for member in tarfile.open(tmp_path / "x.tar")}
        assert "etc/gone" not in names and names["new"].uid == 33 and names["srv/data"].size == 4
        assert run("commit", "snap").code == 0 and "/srv" not in run("diff", "snap").text
        machine.signal(15)
    assert not (subvolume / "etc/gone").exists() and (subvolume / "srv/data").read_text() == "DATA"
    assert (subvolume / "new").stat()[4:6] == (33, 34)


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
