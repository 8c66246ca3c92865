# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same executable on a kernel of Debian's own, in an emulated machine: one without a service manager, with the one
cgroup2 hierarchy at its usual place, and able to run 32-bit programs, which a kernel that runs the other suites may not be.
"""
import gzip
import os
import pathlib
import shlex
import shutil
import stat
import subprocess

import pytest

from lab.run import program

pytestmark = pytest.mark.requires("emulator", "mirror", "compiler")

# A static program of 32 bits that says what four calls return and exits with 7. 283, 87: known and withheld; 999: unknown.
PROGRAM = r"""
static int call(int number, int a, int b, int c)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}
static void say(const char *name, int value)
{
	char text[16];
	int end = 15, is_negative = value < 0, n = 0;
	unsigned int rest = is_negative ? -value : value;
	text[end--] = '\n';
	do text[end--] = '0' + rest % 10; while (rest /= 10);
	if (is_negative) text[end--] = '-';
	while (name[n]) n++;
	call(4, 1, (int)name, n);
	call(4, 1, (int)(text + end + 1), 15 - end);
}
void _start(void)
{
	say("getpid ", call(20, 0, 0, 0));
	say("kexec_load ", call(283, 0, 0, 0));
	say("swapon ", call(87, 0, 0, 0));
	say("unknown ", call(999, 0, 0, 0));
	call(1, 7, 0, 0);
}
"""

# pivot_root(2) refuses to leave the root file system of the kernel: first we move to another one.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
if [ ! -e /moved ]; then
	mkdir -p /new && mount -t tmpfs root /new && cp -a /bin /tree /init /new/
	cd /new && mkdir proc sys dev run etc tmp var && touch moved
	exec switch_root /new /init
fi
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t cgroup2 cgroup2 /sys/fs/cgroup
say() { echo "== $1"; shift; "$@" 2>&1; echo "status $?"; }
say program nspawn -P -D /tree /bin/small
say pid2 nspawn -P -a -D /tree /bin/small
say network nspawn -P --private-network -D /tree /bin/busybox ip addr show lo
say group nspawn -P -D /tree /bin/busybox cat /proc/self/cgroup
say left ls /sys/fs/cgroup /run
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
        add(str(path.relative_to(root)), status.st_mode, path.read_bytes() if stat.S_ISREG(status.st_mode) else b"")
    add("TRAILER!!!", 0, b"")
    return bytes(archive)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """The kernel of Debian's package for virtual machines, fetched once."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "nspawn-test-trees/kernel-1"
    if not cache.exists():
        work = tmp_path_factory.mktemp("kernel")
        depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True)
        package = depends.stdout.split("Depends:")[1].split()[0]
        subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], cwd=work, check=True)
        subprocess.run(["dpkg", "-x", next(work.glob("*.deb")), work / "files"], check=True)
        cache.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(next(work.glob("files/boot/vmlinuz-*")), f"{cache}.new")
        os.rename(f"{cache}.new", cache)
    return cache


@pytest.fixture(scope="module")
def said(kernel, tmp_path_factory):
    """What the machine said, by the headings of its init."""
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    for name in ("bin", "dev", "tree/bin", "tree/usr", "tree/etc"):
        (root / name).mkdir(parents=True)
    for target in (root / "bin/busybox", root / "tree/bin/busybox"):
        shutil.copy("/bin/busybox", target)
    shutil.copy(shutil.which(program()[0]), root / "bin/nspawn")
    (root / "tree/etc/os-release").write_text("ID=small\n")
    (work / "small.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-m32", "-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-w",
                    "-o", root / "tree/bin/small", work / "small.c"], check=True)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    (work / "initrd").write_bytes(gzip.compress(cpio(root), 1))
    # cx16=off: with it some emulators crash the kernel they run.
    words = shlex.split("qemu-system-x86_64 -accel tcg,thread=multi -cpu max,cx16=off -smp 2 -m 1024 -nographic -no-reboot -nodefaults "
                        "-serial stdio -append 'console=ttyS0 quiet panic=1'") + ["-kernel", kernel, "-initrd", work / "initrd"]
    console = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=True).stdout
    text = console.decode(errors="replace").replace("\r", "")
    assert "== end" in text, text
    return dict(part.split("\n", 1) for part in text.split("== ")[1:])


def test_a_32_bit_program_runs(said):
    assert said["program"] == "getpid 1\nkexec_load -1\nswapon -1\nunknown -38\nstatus 7\n"
    assert said["pid2"] == "getpid 2\nkexec_load -1\nswapon -1\nunknown -38\nstatus 7\n"


def test_a_private_network_has_a_loopback(said):
    assert "LOOPBACK,UP" in said["network"] and said["network"].endswith("status 0\n")


def test_the_one_hierarchy_is_divided_and_left_as_it_was(said):
    assert said["group"] == "0::/\nstatus 0\n"
    assert "nspawn" not in said["left"] and "cgroup.procs" in said["left"]
