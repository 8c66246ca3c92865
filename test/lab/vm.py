# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulated machine that runs a script on a kernel of Debian's own, and what it said."""
import gzip
import lzma
import os
import pathlib
import shlex
import shutil
import stat
import subprocess

from lab.run import program

# pivot_root(2) refuses to leave the root file system of the kernel: first we move to another one.
START = """#!/bin/busybox sh
/bin/busybox --install -s /bin
say() { echo "== $1"; shift; "$@" 2>&1; echo "status $?"; }
system() {
	mkdir -p /proc /sys
	mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t cgroup2 cgroup2 /sys/fs/cgroup
}
EARLY
if [ ! -e /moved ]; then
	mkdir -p /new && mount -t tmpfs root /new && cp -a $(ls -d /* | grep -v -e /new -e /dev) /new/
	cd /new && mkdir -p proc sys dev run etc tmp var && touch moved
	exec switch_root /new /init
fi
system
"""
# Before that move, if asked for.
EARLY = """
if [ ! -e /moved ]; then
	system
%s
	umount /sys/fs/cgroup /sys /proc /dev
fi
"""
END = """
echo "== end"
poweroff -f
"""


def cpio(root):
    """An archive of a directory as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    archive = bytearray()

    def add(name, mode, data):
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        archive.extend(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        archive.extend(b"\0" * (-len(archive) % 4) + data)
        archive.extend(b"\0" * (-len(archive) % 4))

    for path in sorted(root.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        if stat.S_ISLNK(status.st_mode):
            data = os.readlink(path).encode()
        add(str(path.relative_to(root)), status.st_mode, data)
    add("TRAILER!!!", 0, b"")
    return bytes(archive)


# Modules that tests load, in an order in which each finds what it needs.
BRIDGE = ["llc", "stp", "bridge", "garp", "mrp", "8021q", "veth"]
LINKS = ["dummy", "macvlan", "ipvlan"]
WIRELESS = ["rfkill", "libarc4", "cfg80211", "mac80211", "virtio_ring", "virtio", "mac80211_hwsim"]
MODULES = BRIDGE + LINKS + WIRELESS


def kernel(work):
    """The kernel of Debian's package for machines of any kind, with its MODULES, fetched once: a directory."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "nspawn-test-trees/kernel-3"
    if not cache.exists():
        depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=True)
        package = depends.stdout.split("Depends:")[1].split()[0]
        subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], cwd=work, check=True)
        subprocess.run(["dpkg", "-x", next(work.glob("*.deb")), work / "files"], check=True)
        new = pathlib.Path(f"{cache}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        shutil.copyfile(next(work.glob("files/boot/vmlinuz-*")), new / "vmlinuz")
        for name in MODULES:
            found = next((work / "files").rglob(f"{name}.ko*"))
            data = found.read_bytes()
            (new / f"{name}.ko").write_bytes(lzma.decompress(data) if found.suffix == ".xz" else data)
        os.rename(new, cache)
    return cache


def bring_modules(root, work, names):
    """Puts the modules into the machine's root; returns the script that loads them."""
    (root / "modules").mkdir(exist_ok=True)
    for name in names:
        shutil.copy(kernel(work) / f"{name}.ko", root / "modules")
    return "".join(f"insmod /modules/{name}.ko\n" for name in names)


def furnish(root):
    """What every machine has: nspawn, and a tree /tree with a busybox."""
    for name in ("bin", "dev", "tree/bin", "tree/usr", "tree/etc"):
        (root / name).mkdir(parents=True)
    for target in (root / "bin/busybox", root / "tree/bin/busybox"):
        shutil.copy("/bin/busybox", target)
    shutil.copy(shutil.which(program()[0]), root / "bin/nspawn")
    (root / "tree/etc/os-release").write_text("ID=small\n")


def bring_program(root, name):
    """Puts a program of ours into that directory, with its libraries."""
    path = shutil.which(name)
    words = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout.split()
    for source, folder in [(path, "bin"), *((word, os.path.dirname(word)[1:]) for word in words if word.startswith("/"))]:
        (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / folder)


def boot(root, script, work, parameters="", early=""):
    """Boots with root as the root directory and runs the script, to its end. Returns what it said, by the headings of say().

    What is in 'early' runs on the file system that the kernel unpacked, which cannot be left.
    """
    (root / "init").write_text(START.replace("EARLY", EARLY % early if early else "") + script + END)
    (root / "init").chmod(0o755)
    (work / "initrd").write_bytes(gzip.compress(cpio(root), 1))
    # cx16=off: with it some emulators crash the kernel they run.
    # It is for no hurry: tests beside it wait for something, and have limits of seconds.
    words = shlex.split("nice -n 5 qemu-system-x86_64 -accel tcg,thread=multi -cpu max,cx16=off -smp 2 -m 1024 -nographic -no-reboot -nodefaults "
                        f"-serial stdio -append 'console=ttyS0 quiet panic=1 {parameters}'")
    words += ["-kernel", kernel(work) / "vmlinuz", "-initrd", work / "initrd"]
    console = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=True).stdout
    text = console.decode(errors="replace").replace("\r", "")
    assert "== end\n" in text, text
    return dict(part.split("\n", 1) for part in text.split("== ")[1:])
