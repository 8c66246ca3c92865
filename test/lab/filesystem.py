# SPDX-License-Identifier: LGPL-2.1-or-later
"""File systems of other kinds in a file, mounted through a loop device that goes with the mount."""
import contextlib
import shutil
import subprocess

MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "btrfs": ["mkfs.btrfs", "-q", "-f"], "xfs": ["mkfs.xfs", "-q", "-f"]}


def is_possible(kind):
    """Whether the kernel has it and its tool is there."""
    if kind == "tmpfs":
        return True
    with open("/proc/filesystems", encoding="utf-8") as lines:
        known = kind in {line.split()[-1] for line in lines}
    return known and shutil.which(MAKE[kind][0]) is not None


@contextlib.contextmanager
def mounted(kind, folder, mebibytes=320):
    """A new file system of that kind, mounted at folder/KIND; a path."""
    place, image = folder / kind, folder / f"{kind}.img"
    place.mkdir()
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "nspawn-test", place], check=True)
    else:
        with open(image, "wb") as file:
            file.truncate(mebibytes << 20)
        subprocess.run([*MAKE[kind], image], check=True, stdout=subprocess.DEVNULL)
        # The kernel gives the loop device back with the last mount.
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        if subprocess.run(["umount", place], check=False).returncode != 0:
            subprocess.run(["umount", "-l", place], check=True)
        image.unlink(missing_ok=True)
