# SPDX-License-Identifier: LGPL-2.1-or-later
"""--overlay and --overlay-ro: directories on top of each other."""
import pathlib
import subprocess

import pytest

from lab import identity

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def layers(tmp_path):
    """Three directories that each have a file of their own and one in common."""
    for name in ("low", "mid", "top"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
        (tmp_path / name / "common").write_text(name)
    identity.give(tmp_path)
    return tmp_path


def names(path):
    return sorted(entry.name for entry in pathlib.Path(path).iterdir())


def test_the_top_layer_takes_the_changes(tree, do, layers):
    root = tree()
    option = f"--overlay={layers}/low:{layers}/top:/made/here"
    assert do(root, "read", "/made/here/common", options=[option]).text == "top"
    assert do(root, "read", "/made/here/low", options=[option]).text == "low"
    assert do(root, "write", "/made/here/low", "changed", options=[option]).json["errno"] == 0
    assert (layers / "low/low").read_text() == "low"
    assert (layers / "top/low").read_text() == "changed"
    assert names(layers) == ["low", "mid", "top"], "the work directory is gone"


def test_the_leftmost_is_the_lowest(tree, do, layers):
    option = f"--overlay-ro={layers}/low:{layers}/mid:{layers}/top:/x"
    assert do(tree(), "read", "/x/common", options=[option]).text == "top"
    option = f"--overlay-ro={layers}/top:{layers}/mid:{layers}/low:/x"
    assert do(tree(), "read", "/x/common", options=[option]).text == "low"
    assert sorted(do(tree(), "list", "/x", options=[option]).json) == ["/x/common", "/x/low", "/x/mid", "/x/top"]


def test_two_directories_appear_where_the_top_is(tree, do, layers):
    option = f"--overlay={layers}/low:{layers}/top"
    assert do(tree(), "read", f"{layers}/top/low", options=[option]).text == "low"


def test_read_only(tree, do, layers):
    option = f"--overlay-ro={layers}/low:{layers}/top:/x"
    assert do(tree(), "write", "/x/new", "text", options=[option]).json["errno"] == 30
    assert names(layers / "top") == ["common", "top"]


def test_an_empty_top_is_thrown_away(tree, do, layers):
    (layers / "low").chmod(0o750)
    option = f"--overlay={layers}/low::/x"
    before = names("/var/tmp")
    assert do(tree(), "write", "/x/new", "text", options=[option]).json["errno"] == 0
    assert do(tree(), "read", "/x/new", options=[option]).json["errno"] == 2
    assert do(tree(), "stat", "/x", options=[option]).json["/x"]["mode"] & 0o7777 == 0o750, "the lower directory's"
    assert names("/var/tmp") == before


def test_directories_of_the_tree(tree, do):
    root = tree({"etc/own": "own", "etc/../srv/layer/own": "above"})
    option = "--overlay=+/etc:+/srv/layer:/etc"
    assert do(root, "read", "/etc/own", options=[option]).text == "above"
    assert do(root, "write", "/etc/new", "text", options=[option]).json["errno"] == 0
    assert (root / "srv/layer/new").read_text() == "text"
    assert not (root / "etc/new").exists()
    assert names(root / "srv") == ["layer"]


def test_links_of_the_tree_stay_in_the_tree(tree, do, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tree({"etc/own": "own"})
    (root / "layer").symlink_to(outside)
    for option in ("--overlay=+/layer::/x", "--overlay=+/etc:+/layer/sub:/x", "--overlay=+/etc:+/layer:/x"):
        result = do(root, "read", "/x/own", options=[option])
        assert result.code == 1 and "layer" in result.complaint, result
    assert names(outside) == []


def test_names_that_the_kernel_would_split(tree, do, tmp_path):
    for name in ("a:b,c\\d", "upper:x,y"):
        (tmp_path / name).mkdir()
    (tmp_path / "a:b,c\\d/file").write_text("found")
    identity.give(tmp_path)
    quoted = str(tmp_path / "a:b,c\\d").replace("\\", "\\\\").replace(":", "\\:")
    top = str(tmp_path / "upper:x,y").replace(":", "\\:")
    option = f"--overlay={quoted}:{top}:/x"
    assert do(tree(), "read", "/x/file", options=[option]).text == "found"
    assert do(tree(), "write", "/x/new", "text", options=[option]).json["errno"] == 0
    assert names(tmp_path / "upper:x,y") == ["new"]


def test_a_missing_top_is_made(tree, do, layers):
    assert do(tree(), "write", "/x/new", "text", options=[f"--overlay={layers}/low:{layers}/fresh:/x"]).json["errno"] == 0
    assert (layers / "fresh/new").read_text() == "text"


def test_forty_layers(tree, do, tmp_path):
    for number in range(40):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}/file").write_text(f"{number}")
    spec = ":".join(str(tmp_path / f"{number}") for number in range(40))
    assert do(tree(), "read", "/x/file", options=[f"--overlay-ro={spec}:/x"]).text == "39"
    spec = ":".join([str(tmp_path / "0")] * 70)
    result = do(tree(), "read", "/x/file", options=[f"--overlay-ro={spec}:/x"])
    assert result.code == 1 and "too high" in result.complaint


def test_a_hundred_overlays(tree, do, layers):
    options = [f"--overlay={layers}/low:{layers}/top{number}:/x{number}" for number in range(100)]
    assert do(tree(), "write", "/x99/new", "text", options=options).json["errno"] == 0
    assert (layers / "top99/new").read_text() == "text"
    assert not [name for name in names(layers) if name.startswith(".")]


def test_one_top_layer_serves_one_machine(tree, do, Running, layers):
    option = f"--overlay={layers}/low:{layers}/top:/x"
    with Running("-D", tree(), "-P", option, "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        result = do(tree(), "read", "/x/low", options=[option])
        assert result.code == 1 and "in use by another machine" in result.complaint
    assert do(tree(), "read", "/x/low", options=[option]).text == "low"


def test_a_killed_machine_leaves_nothing_in_the_way(tree, do, Running, layers):
    option = f"--overlay={layers}/low:{layers}/top:/x"
    root = tree()
    with Running("-D", root, "-P", option, "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        machine.signal(9)
        machine.wait()
    assert do(root, "write", "/x/new", "text", options=[option]).json["errno"] == 0
    assert names(layers) == ["low", "mid", "top"], "also the work directory of the killed one"


def test_an_overlay_as_root(tree, do, layers):
    """As runners of build jobs do it: the tree is a layer, and an empty directory is the root."""
    chroot, delta = tree({"etc/own": "own"}), layers / "delta"
    delta.mkdir()
    identity.give(delta)
    empty = tree()
    options = [f"--overlay={chroot}:{delta}:/"]
    if identity.AS == "userns":
        # By whose ids it would have to be mapped is decided before it is there.
        assert "hides the owners" in do(empty, "exit", "0", options=options).complaint
        return
    assert do(empty, "read", "/etc/own", options=options).text == "own"
    assert do(empty, "write", "/etc/own", "changed", options=options).json["errno"] == 0
    assert (chroot / "etc/own").read_text() == "own"
    assert (delta / "etc/own").read_text() == "changed"


@pytest.mark.parametrize("value", ["/a", "/a:", ":/a:/b", "/a::/b:/c", "/a:/b:relative", "/a:/b:/c/../d", "/a\\"])
def test_bad_values(tree, do, value):
    result = do(tree(), "read", "/x", options=[f"--overlay={value}"])
    assert result.code == 1 and "'--overlay'" in result.complaint, result


def test_a_missing_lower(tree, do, layers):
    result = do(tree(), "read", "/x", options=[f"--overlay={layers}/none:{layers}/top:/x"])
    assert result.code == 1 and f"'{layers}/none'" in result.complaint


def test_a_mount_point_as_top(tree, do, layers):
    """What the kernel needs beside the top layer would be on another mount."""
    where = layers / "merged"
    where.mkdir()
    options = f"lowerdir={layers}/low:{layers}/mid"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", where], check=True)
    try:
        result = do(tree(), "read", "/x/low", options=[f"--overlay={layers}/top:{where}:/x"])
        assert result.code == 1 and "is a mount point" in result.complaint, result
    finally:
        subprocess.run(["umount", where], check=True)
    assert names(where) == []
