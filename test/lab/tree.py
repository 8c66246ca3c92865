# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operating system trees for tests: small ones from a dict, real ones from the cache of tools/make-tree."""
import functools
import os
import pathlib
import shutil
import struct
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def fill(root, entries):
    """Makes the entries below root. The last character of a name says what it is:

    "etc/os-release": "ID=x\n"       a file (text or bytes, or a Path whose content is copied)
    "bin/probe!": pathlib.Path(...)  an executable file
    "dev=": "/elsewhere"             a symbolic link
    "usr/": None                     a directory (an octal number instead of None is its mode)
    """
    root = pathlib.Path(root)
    for name, content in entries.items():
        path = root / name.rstrip("!=/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
            if content is not None:
                path.chmod(content)
        elif name.endswith("="):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            path.symlink_to(content)
        else:
            if isinstance(content, pathlib.Path):
                shutil.copyfile(content, path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content, encoding="utf-8")
            if name.endswith("!"):
                path.chmod(0o755)
    return root


@functools.lru_cache(maxsize=None)
def cached(kind):
    """The path of the cached tree of that kind, made where it is missing. It must not be changed."""
    made = subprocess.run([TOP / "tools/make-tree", kind], stdout=subprocess.PIPE, text=True, check=True)
    return pathlib.Path(made.stdout.splitlines()[-1])


def mounts_below(path):
    """The mount points at or below path, deepest first."""
    path = os.path.realpath(path)
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            target = line.split()[4].encode("latin-1", "replace").decode("unicode_escape")
            if target == path or target.startswith(path + "/"):
                found.append(target)
    return sorted(found, key=len, reverse=True)


def remove(path, expected=()):
    """Removes a tree, but first every mount in it, so that nothing mounted there can be hurt. Mounts that
    nobody expected are a leak: the tree goes nevertheless, and then it is complained about."""
    deadline = time.monotonic() + 3
    while set(mounts_below(path)) - set(map(str, expected)) and time.monotonic() < deadline:
        time.sleep(0.05)
    found = mounts_below(path)
    for target in found:
        subprocess.run(["umount", "--lazy", target], check=False)
    if mounts_below(path):
        raise RuntimeError(f"there are still mounts below {path}")
    subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True)
    left = set(found) - set(map(str, expected))
    assert not left, f"mounts left behind: {sorted(left)}"


class Overlay:
    """A writable view of a cached tree: an overlay mount, so making and dropping it takes no time."""

    def __init__(self, lower, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / self.folder.name
        self.space = self.folder / "space"
        for path in (self.root, self.space):
            path.mkdir(parents=True)
        # The upper layer is a tmpfs: an overlay of an overlay would not do, and /tmp may be one.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", self.space], check=True)
        for name in ("upper", "work"):
            (self.space / name).mkdir()
        options = f"lowerdir={lower},upperdir={self.space}/upper,workdir={self.space}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", self.root], check=True)

    def remove(self):
        remove(self.folder, expected=(self.root, self.space))


# cap_net_bind_service and another, permitted and effective (capabilities(7), VFS_CAP_REVISION_2).
FILE_CAPABILITIES = struct.pack("<IIIII", 0x02000001, 0x3000, 0, 0, 0)


def put_what_chown_takes_away(folder):
    """Files whose mode or attributes the kernel changes when their owner does: suid and capable."""
    (folder / "suid").write_text("suid")
    os.chown(folder / "suid", 3, 4)
    (folder / "suid").chmod(0o6755)
    (folder / "capable").write_text("capable")
    os.setxattr(folder / "capable", "security.capability", FILE_CAPABILITIES)
