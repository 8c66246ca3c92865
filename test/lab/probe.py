# SPDX-License-Identifier: LGPL-2.1-or-later
"""What this machine offers, one word each, found out once.

A test names the words it needs: @pytest.mark.requires("root", "cgroup2"). Where one is missing the test
is skipped with the reason, unless NSPAWN_TEST_MUST_RUN contains the word: then it fails, so that a
machine meant to run everything cannot quietly run less.
"""
import ctypes
import functools
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from lab import apt

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def _in_child(action):
    """Runs action in a forked child, returns whether it came back true."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if action() else 1)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def cgroup2_mount():
    """Where the cgroup2 hierarchy is mounted, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            before, after = line.split(" - ", 1)
            if after.split()[0] == "cgroup2":
                return before.split()[4]
    return None


def own_cgroup():
    """The directory of the cgroup2 group we are in, or None."""
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("0::") and cgroup2_mount():
                return cgroup2_mount() + line[3:].rstrip("\n").rstrip("/")
    return None


def _has_root():
    return os.geteuid() == 0


def _has_cgroup2():
    group = own_cgroup()
    return group is not None and os.access(group + "/cgroup.procs", os.W_OK)


def _has_userns():
    return _in_child(lambda: LIBC.unshare(CLONE_NEWUSER) == 0)


def _has_netns():
    return _in_child(lambda: LIBC.unshare(CLONE_NEWNET) == 0)


def _has_ia32():
    """Whether the kernel runs 32-bit x86 programs: some are built or started without that."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = folder + "/a.S", folder + "/a"
        with open(source, "w", encoding="utf-8") as file:
            file.write(".globl _start\n_start: movl $1, %eax\nmovl $0, %ebx\nint $0x80\n")
        built = subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-o", program, source],
                               stderr=subprocess.DEVNULL, check=False)
        if built.returncode != 0:
            return False
        try:
            return subprocess.run([program], check=False).returncode == 0
        except OSError:
            return False


def _has_fuse():
    return _opens("/dev/fuse")


def _has_tun():
    return _opens("/dev/net/tun")


def _opens(path):
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        return True
    except OSError:
        return False


def _has_sys_resource():
    with open("/proc/self/status", encoding="utf-8") as file:
        bounding = int(re.search(r"CapEff:\t(\w+)", file.read()).group(1), 16)
    return bool(bounding >> 24 & 1)


def _has_reference():
    try:
        said = subprocess.run(["systemd-nspawn", "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return False
    return said.startswith("systemd 252 ")


def _maps_tmpfs():
    """Trees of tests are on tmpfs, whose mounts Linux 6.3 learned to map."""
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) >= (6, 3)


def _drops_maps():
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) >= (6, 15)


def _has_journal_remote():
    return os.access("/usr/lib/systemd/systemd-journal-remote", os.X_OK) and shutil.which("journalctl") is not None


def _makes(*words):
    """Whether the kernel makes such an interface, in a network of its own."""
    script = f"ip link add v0 type veth peer name v1 && ip link add x0 {' '.join(words)}"
    done = subprocess.run(["unshare", "--net", "sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


WORDS = {
    "veth": (lambda: _makes("type", "veth"), "needs ip(8) and veth interfaces"),
    "bridge": (lambda: _makes("type", "bridge"), "needs bridges"),
    "vlans": (lambda: _makes("type", "bridge", "vlan_filtering", "1"), "needs bridges that tell VLANs apart"),
    "macvlan": (lambda: _makes("link", "v0", "type", "macvlan"), "needs macvlan interfaces"),
    "ipvlan": (lambda: _makes("link", "v0", "type", "ipvlan"), "needs ipvlan interfaces"),
    "root": (_has_root, "needs root"),
    "cgroup2": (_has_cgroup2, "needs a cgroup2 hierarchy with a writable group"),
    "userns": (_has_userns, "needs user namespaces"),
    "idmap": (_maps_tmpfs, "needs id-mapped mounts of tmpfs (Linux 6.3)"),
    "idmap-drop": (_drops_maps, "needs a kernel that drops the map of a mount (Linux 6.15)"),
    "newuidmap": (lambda: shutil.which("newuidmap") is not None and shutil.which("newgidmap") is not None,
                  "needs newuidmap and newgidmap"),
    "netns": (_has_netns, "needs network namespaces"),
    "ia32": (_has_ia32, "needs a kernel that runs 32-bit x86 programs"),
    "fuse": (_has_fuse, "needs /dev/fuse"),
    "tun": (_has_tun, "needs /dev/net/tun"),
    "sys_resource": (_has_sys_resource, "needs CAP_SYS_RESOURCE"),
    "mirror": (apt.mirror_answers, "needs a Debian mirror that answers"),
    "emulator": (lambda: shutil.which("qemu-system-x86_64") is not None, "needs qemu-system-x86_64"),
    "apparmor_parser": (lambda: shutil.which("apparmor_parser") is not None, "needs apparmor_parser"),
    "checkpolicy": (lambda: shutil.which("checkpolicy") is not None, "needs checkpolicy"),
    "iw": (lambda: shutil.which("iw") is not None, "needs iw"),
    "journal-remote": (_has_journal_remote, "needs systemd-journal-remote and journalctl"),
    "compiler": (lambda: shutil.which("gcc") is not None, "needs gcc"),
    "reference": (_has_reference, "needs systemd-nspawn of release 252, which test/compat compares with"),
}


@functools.lru_cache(maxsize=None)
def offers(word):
    return bool(WORDS[word][0]())


def require(*words):
    """Skips or, where it must run, fails the running test unless the machine offers all the words."""
    must_run = re.split(r"[\s,]+", os.environ.get("NSPAWN_TEST_MUST_RUN", ""))
    for word in words:
        if not offers(word):
            if word in must_run:
                pytest.fail(f"{WORDS[word][1]}, and NSPAWN_TEST_MUST_RUN has '{word}'")
            pytest.skip(WORDS[word][1])
