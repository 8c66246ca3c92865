# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bed of our own: what else happens on the host during the tests is not theirs, and they are not seen there.

As root the test process gets a mount namespace, in which /tmp, /var/tmp and the runtime directories of machines
are empty, /run/systemd is a copy and every mount is shared, as on a host with systemd: what a machine mounts and does not keep to itself
shows. It also gets a control group, below which all machines of the tests are.
"""
import os
import subprocess

from lab import identity, probe

CLONE_NEWNS = 0x00020000
# Made if the host has none: a program that makes them itself would find another file system there.
RUNTIME = ("/run/nspawn", "/run/systemd/nspawn", "/run/systemd/nspawn-uid", "/var/log/nspawn")
PRIVATE = ("/tmp", "/var/tmp", "/run/nspawn", "/run/systemd/nspawn", "/run/systemd/nspawn-uid", "/run/systemd/machines",
           "/var/log/journal", "/var/log/nspawn")


def _mounted_below(folders):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        places = [line.split()[4] for line in lines]
    return [place for place in reversed(places) if place.startswith(tuple(folder + "/" for folder in folders))]


def _make_private(folder):
    """A directory of our own with what is in the host's: what others make there is not seen, nor ours by them."""
    names = [(entry.name, entry.is_symlink(), entry.is_dir(follow_symlinks=False)) for entry in os.scandir(folder)]
    before = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "nspawn-test", folder], check=True)
    for name, is_link, is_directory in names:
        path, source = f"{folder}/{name}", f"/proc/self/fd/{before}/{name}"
        if is_link:
            os.symlink(os.readlink(source), path)
            continue
        if is_directory:
            os.mkdir(path)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        subprocess.run(["mount", "--no-canonicalize", "--rbind", source, path], pass_fds=[before], check=True)
    os.close(before)


class Bed:
    def __init__(self):
        self.home = self.group = None
        self.made = []
        if os.geteuid() != 0 or probe.LIBC.unshare(CLONE_NEWNS) != 0:
            return
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        # What others have mounted there is covered, and yet would be missed when they take it away.
        for path in _mounted_below(PRIVATE):
            subprocess.run(["umount", "--lazy", path], stderr=subprocess.DEVNULL, check=False)
        for path in RUNTIME:
            if not os.path.isdir(path):
                os.makedirs(path)
                self.made.append(path)
        _make_private("/run/systemd")
        for path in PRIVATE:
            if os.path.isdir(path):
                mode = oct(os.stat(path).st_mode & 0o7777)[2:]
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode={mode}", "nspawn-test", path], check=True)
        subprocess.run(["mount", "--make-rshared", "/"], check=True)
        if identity.IS_USER:
            identity.make()
            identity.share_program()
        self._enter_group()

    def _enter_group(self):
        home = probe.own_cgroup()
        if home is None:
            return
        group = f"{home}/nspawn-test-{os.getpid()}"
        try:
            os.mkdir(group)
            self._move(group)
        except OSError:
            return
        self.home, self.group = home, group
        # As a service manager hands a group to a user: the directory and what moves processes, not the limits.
        for name in ("", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control") if identity.IS_USER else ():
            os.chown(group + name, identity.UID, identity.UID)

    @staticmethod
    def _move(group):
        with open(group + "/cgroup.procs", "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))

    def leave(self):
        """Back to where we came from; the group goes, with what failed tests left in it."""
        for path in self.made:
            subprocess.run(["umount", "--lazy", path], check=True)
            try:
                os.rmdir(path)
            except OSError:
                pass  # the host has taken it into use meanwhile
        self.made = []
        if self.group is None:
            return
        self._move(self.home)
        for folder, _, _ in os.walk(self.group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
