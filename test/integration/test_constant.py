# SPDX-License-Identifier: LGPL-2.1-or-later
"""A throw-away machine starts with as many system calls, however large its tree is."""
import shutil

import pytest
from lab.calls import count, fill

pytestmark = [pytest.mark.requires("root"), pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")]


# Chosen ids: looking for a free range takes more calls where other machines have the first one.
MAPPED = ["--private-users=7340032:65536", "--private-users-ownership=map"]


@pytest.mark.parametrize("options", [["-x"], pytest.param([*MAPPED, "-x"], marks=pytest.mark.requires("idmap", "userns")),
                                     pytest.param(MAPPED, marks=pytest.mark.requires("idmap", "userns"))], ids=" ".join)
def test_as_many_calls_for_any_tree(tree, tmp_path, options):
    root = tree({"srv/": None})
    few = count(root, tmp_path / "few", options)
    fill(root)
    assert abs(count(root, tmp_path / "many", options) - few) < 20 and few > 300
