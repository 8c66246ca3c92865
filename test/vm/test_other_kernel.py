# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same executable on a kernel of Debian's own, in an emulated machine: one without a service manager, with the one
cgroup2 hierarchy at its usual place, and able to run 32-bit programs, which a kernel that runs the other suites may not be.
"""
import subprocess

import pytest

from lab import vm

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

SCRIPT = """
say program nspawn -P -D /tree /bin/small
say pid2 nspawn -P -a -D /tree /bin/small
say network nspawn -P --private-network -D /tree /bin/busybox ip addr show lo
say group nspawn -P -D /tree /bin/busybox cat /proc/self/cgroup
say left ls /sys/fs/cgroup /run
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the machine said, by the headings of its script."""
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    vm.furnish(root)
    (work / "small.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-m32", "-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-w",
                    "-o", root / "tree/bin/small", work / "small.c"], check=True)
    return vm.boot(root, SCRIPT, work)


def test_a_32_bit_program_runs(said):
    assert said["program"] == "getpid 1\nkexec_load -1\nswapon -1\nunknown -38\nstatus 7\n"
    assert said["pid2"] == "getpid 2\nkexec_load -1\nswapon -1\nunknown -38\nstatus 7\n"


def test_a_private_network_has_a_loopback(said):
    assert "LOOPBACK,UP" in said["network"] and said["network"].endswith("status 0\n")


def test_the_one_hierarchy_is_divided_and_left_as_it_was(said):
    assert said["group"] == "0::/\nstatus 0\n"
    assert "nspawn" not in said["left"] and "cgroup.procs" in said["left"]
