# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks on overlays, journals and what --cleanup finds: names that a tree or another user took before we came."""
import os
import pathlib
import shutil
import subprocess

import pytest

from test_attacks_probe import attack, swapped  # noqa: F401 # a fixture

pytestmark = pytest.mark.requires("root")

ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def precious(tmp_path):
    folder = tmp_path / "precious"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "file").write_text("mine")
    (folder / "deep/er/file").write_text("mine")
    os.utime(folder, (1000000000, 1000000000))
    yield folder
    assert (folder / "file").read_text() == "mine" and (folder / "deep/er/file").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["deep", "file"]


def plant(path, kind, precious):
    if kind == "link":
        path.symlink_to(precious)
    elif kind == "relative":
        path.symlink_to("../" * 30 + str(precious)[1:])
    elif kind == "magic":
        path.symlink_to(f"/proc/self/root{precious}")
    elif kind == "file":
        path.write_text("a file")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o20666, os.makedev(1, 5))
    elif kind == "full":
        (path / "work/work/index/deep").mkdir(parents=True)
        (path / "work/out").symlink_to(precious)
        (path / "out").symlink_to(precious)
    elif kind == "sibling":
        (path.parent / "other/work").mkdir(parents=True)
        (path.parent / "other/work/file").write_text("mine")
        path.symlink_to("other")
    elif kind == "somebody's":
        path.mkdir(mode=0o777)
        os.chown(path, 4711, 4711)
    elif kind == "a link in it":
        path.mkdir()
        (path / "work").symlink_to(precious)


KINDS = ["link", "relative", "magic", "file", "fifo", "device", "full", "somebody's", "a link in it"]


@pytest.mark.parametrize("kind", [*KINDS, "sibling"])
@pytest.mark.parametrize("where", ["tree", "host"])
def test_the_name_of_the_work_directory_is_taken(tree, do, precious, tmp_path, kind, where):
    root = tree({"low/x": "low", "top/": None})
    (tmp_path / "layers/top").mkdir(parents=True)
    beside = root if where == "tree" else tmp_path / "layers"
    plant(beside / ".nspawn-work-top", kind, precious)
    option = "--overlay=+/low:+/top:/made" if where == "tree" else f"--overlay={root}/low:{tmp_path}/layers/top:/made"
    result = do(root, "write", "/made/new", "text", options=["-q", option])
    assert result.code in (0, 1), result
    if result.code == 1:
        assert "overlay" in result.complaint and kind not in ("full", "somebody's"), result
    if kind == "sibling":
        assert result.code == 1 and [str(path.relative_to(beside)) for path in sorted((beside / "other").rglob("*"))] == [
            "other/work", "other/work/file"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", ["low", "mid", "top"])
def test_a_layer_of_the_tree_is_something_else(tree, do, precious, kind, layer):
    root = tree({"low/": None, "mid/": None, "top/": None})
    (root / layer).rmdir()
    plant(root / layer, kind, precious)
    for option in ("--overlay=+/low:+/mid:+/top:/made", "--overlay-ro=+/low:+/mid:+/top:/made", "--overlay=+/low:+/mid::/made"):
        result = do(root, "write", "/made/new", "text", options=["-q", option])
        assert result.code in (0, 1), result
        inside = do(root, "read", "/made/file", options=["-q", option])
        assert inside.text != "mine", "a link leads out"


def test_a_top_layer_that_changes_into_a_link(tree, do, precious, attack):
    """Somebody who may write beside the layer exchanges it, or the work directory, for a link while machines start on it."""
    root = tree({"low/x": "low", "top/": None, "other/work/file": "mine"})
    (root / "decoy").symlink_to(precious)
    (root / "beside").symlink_to("other")
    for pair in (("top", "decoy"), ("top", "beside"), (".nspawn-work-top", "beside")):
        with swapped(attack, [root / name for name in pair]):
            for _ in range(40):
                result = do(root, "write", "/made/new", "text", options=["-q", "--overlay=+/low:+/top:/made"])
                assert result.code in (0, 1), result
        assert sorted(path.name for path in (root / "other").iterdir()) == ["work"]
        assert (root / "other/work/file").read_text() == "mine"


def test_a_mounted_directory_beside_a_layer_is_not_emptied(tree, do, precious, tmp_path):
    """Whoever mounted something under our name has it there on purpose."""
    root = tree({"low/": None, "top/": None, ".nspawn-work-top/": None})
    subprocess.run(["mount", "--bind", precious, root / ".nspawn-work-top"], check=True)
    try:
        do(root, "exit", "0", options=["-q", "--overlay=+/low:+/top:/made"])
    finally:
        subprocess.run(["umount", "-l", root / ".nspawn-work-top"], check=True)


def test_devices_of_a_layer_stay_shut_in_memory(tree, do):
    """What the tree brings is what it may use; an overlay that we made in memory adds nothing to that."""
    root = tree({"usr/x": "x", **{f"{name}/": None for name in ("tmp", "var", "proc", "sys", "dev", "run", "root")}})
    mounts = do(root, "mounts", options=["-q", "--volatile=state"]).json["mounts"]
    assert "nodev" in [mount for mount in mounts if mount["target"] == "/var"][0]["options"]


# --- Journals ---


@pytest.fixture
def journals():
    place = pathlib.Path("/var/log/journal")
    made = not place.exists()
    if made:
        place.mkdir()
    yield place
    path = place / ID
    if path.is_symlink():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)
    if made:
        place.rmdir()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["var", "var/log", "var/log/journal", f"var/log/journal/{ID}"])
@pytest.mark.parametrize("mode", ["host", "guest", "try-guest"])
def test_the_trees_journal_is_something_else(tree, do, journals, precious, kind, place, mode):
    root = tree({"etc/machine-id": ID + "\n"})
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    plant(path, kind, precious)
    result = do(root, "exit", "0", options=["-q", f"--link-journal={mode}"])
    assert result.code in (0, 1), result
    link = journals / ID
    if link.is_symlink():
        assert os.path.realpath(link).startswith(str(root) + "/"), "the link on the host leads into the tree"


@pytest.mark.parametrize("text", ["../../../etc", "/etc/" + "a" * 27, "." * 32, "0123456789abcdef0123456789abcde/", ID + "/../x", "\x1b" * 32])
def test_a_machine_id_is_no_path(tree, do, journals, text):
    root = tree({"etc/machine-id": text})
    before = sorted(journals.iterdir())
    result = do(root, "exit", "0", options=["-q", "--link-journal=host"])
    assert result.code in (0, 1) and "\x1b" not in result.complaint and sorted(journals.iterdir()) == before


def test_the_hosts_own_journal_is_out_of_reach(tree, do, journals):
    """A tree may claim to be the host."""
    try:
        own = pathlib.Path("/etc/machine-id").read_text(encoding="utf-8").strip()
    except OSError:
        own = ""
    if len(own) != 32:
        pytest.skip("the host has no id")
    (journals / own).mkdir(exist_ok=True)
    (journals / own / "system.journal").write_text("secret")
    try:
        for mode in ("auto", "try-host", "try-guest"):
            root = tree({"etc/machine-id": own + "\n"})
            result = do(root, "read", f"/var/log/journal/{own}/system.journal", options=["-q", f"--link-journal={mode}"])
            assert result.json["errno"] == 2 and not (journals / own).is_symlink()
    finally:
        shutil.rmtree(journals / own)


# --- What --cleanup finds ---


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".", "-x", "a\nb", "a\x1b[31m", "x" * 300, "a*"])
def test_cleanup_takes_no_name_that_is_a_path(run, name):
    result = run("--cleanup", f"--machine={name}")
    assert result.code == 1 and "\x1b" not in result.complaint, result


def test_cleanup_of_a_hostile_leftover(run, precious):
    """The guest filled what it exports; the host mounted things into what it was sent."""
    for top in ("propagate", "unix-export"):
        folder = pathlib.Path(f"/run/systemd/nspawn/{top}/attacked")
        (folder / "mounted").mkdir(parents=True)
        (folder / "a/b/c").mkdir(parents=True)
        (folder / "out").symlink_to(precious)
        (folder / "up").symlink_to("../../../..")
        os.mkfifo(folder / "fifo")
        subprocess.run(["mount", "--bind", precious, folder / "mounted"], check=True)
    result = run("--cleanup", "--machine=attacked")
    assert result.code == 0, result
    for top in ("propagate", "unix-export"):
        assert not os.path.lexists(f"/run/systemd/nspawn/{top}/attacked")


@pytest.mark.parametrize("top", ["propagate", "unix-export"])
def test_cleanup_of_a_link(run, precious, top):
    path = pathlib.Path(f"/run/systemd/nspawn/{top}/attacked")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(precious)
    try:
        run("--cleanup", "--machine=attacked")
    finally:
        path.unlink(missing_ok=True)
