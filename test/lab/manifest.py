# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything of a tree that an operation on it could have changed or lost."""
import hashlib
import os
import stat


def _content(name, status, folder_fd):
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(name, dir_fd=folder_fd)
    if not stat.S_ISREG(status.st_mode):
        return ""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder_fd)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _attributes(name, folder_fd):
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder_fd)
    try:
        path = f"/proc/self/fd/{descriptor}"
        # Labels are the policy's business, and XFS shows access lists a second time in its own form.
        return {key: os.getxattr(path, key) for key in os.listxattr(path)
                if (not key.startswith("security.") or key == "security.capability") and not key.startswith("trusted.SGI_ACL")}
    finally:
        os.close(descriptor)


def manifest(root):
    """A dict: path below root -> what is there. Files with several names are told by the first of them."""
    found, first = {}, {}
    for folder, directories, files, folder_fd in os.fwalk(root, follow_symlinks=False):
        below = os.path.relpath(folder, root)
        for name in sorted([".", *directories, *files] if below == "." else [*directories, *files]):
            path = os.path.normpath(os.path.join(below, name))
            status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
            twin = None
            if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
                twin = first.setdefault((status.st_dev, status.st_ino), path)
            found[path] = (oct(status.st_mode), (status.st_uid, status.st_gid), twin,
                           status.st_rdev, status.st_mtime_ns, None if stat.S_ISDIR(status.st_mode) else status.st_size,
                           _content(name, status, folder_fd), _attributes(name, folder_fd))
    return found


def differences(before, after):
    """Readable: what is not the same."""
    return {path: (before.get(path), after.get(path)) for path in {*before, *after} if before.get(path) != after.get(path)}
