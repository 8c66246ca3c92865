# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the reference takes for granted because a service manager started the host, and what ours does without."""
import contextlib
import os
import stat
import subprocess

import pytest

from lab import probe

RUNTIME, NODES = "/run/systemd/nspawn", "/run/systemd/inaccessible"
KINDS = {"reg": stat.S_IFREG, "fifo": stat.S_IFIFO, "sock": stat.S_IFSOCK, "chr": stat.S_IFCHR, "blk": stat.S_IFBLK}


def is_tmpfs(path):
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout
    return kind.strip() == "tmpfs"


@contextlib.contextmanager
def tmpfs(path):
    """A file system in memory, in the mount namespace of the bed (lab/bed.py). A directory made for it is removed again."""
    was_there = os.path.isdir(path)
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "nspawn-test", path], check=True)
    yield
    subprocess.run(["umount", "--lazy", path], check=True)
    if not was_there:
        os.rmdir(path)


@pytest.fixture(autouse=True, scope="session")
def host_of_the_reference():
    """A runtime directory in memory, else the reference does not tidy it up, and the nodes that --inaccessible= mounts."""
    with contextlib.ExitStack() as stack:
        if probe.offers("root") and probe.offers("reference"):
            if not os.path.isdir(RUNTIME) or not is_tmpfs(RUNTIME):
                stack.enter_context(tmpfs(RUNTIME))
            if not os.path.exists(f"{NODES}/reg"):
                stack.enter_context(tmpfs(NODES))
                os.mkdir(f"{NODES}/dir", 0)
                for name, kind in KINDS.items():
                    os.mknod(f"{NODES}/{name}", kind)
        yield
