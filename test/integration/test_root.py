# SPDX-License-Identifier: LGPL-2.1-or-later
"""What becomes the root: the tree, something the user mounts over it, and never anything of the host."""
import pytest

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    path.write_text("of the host\n")
    return path


ROOTS = {
    "the tree": [],
    "a bind mount": ["--bind={other}:/"],
    "two bind mounts": ["--bind={root}:/", "--bind={other}:/"],
    "a read-only tree": ["--read-only"],
}


@pytest.mark.parametrize("name", ROOTS)
def test_nothing_of_the_host_is_behind_the_root(tree, do, canary, name):
    """The root of a mount namespace can have other mounts stacked on it: '/..' leads to the topmost."""
    root, other = tree({"tmp/": None}), tree({"tmp/": None})
    options = [option.format(root=root, other=other) for option in ROOTS[name]]
    inside = do(root, "read", f"/..{canary}", options=options)
    assert inside.json["errno"] == 2, inside


@pytest.mark.parametrize("name", ROOTS)
def test_there_is_one_root(tree, ask, name):
    """What is stacked below or above another root could be uncovered by umount(2)."""
    root, other = tree({"tmp/": None}), tree({"tmp/": None})
    options = [option.format(root=root, other=other) for option in ROOTS[name]]
    mounts = ask(root, "mounts", options=options)["mounts"]
    assert [mount["target"] for mount in mounts].count("/") == 1
