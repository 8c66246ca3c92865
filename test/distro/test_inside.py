# SPDX-License-Identifier: LGPL-2.1-or-later
"""What people do in a machine: install packages, trace and debug programs, make trees, run 32-bit programs, nest."""
import os
import pathlib
import shutil
import subprocess

import pytest

from lab import apt, tree as lab_tree
from lab.run import program, run

pytestmark = pytest.mark.requires("root", "mirror")

APT = ("export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && "
       "apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root install")


def shell(machine, script, *options, timeout=300):
    return run("-q", "-P", "-D", machine.root, *machine.options, *options, "/bin/sh", "-ec", script, timeout=timeout)


@pytest.fixture
def debian(system, tmp_path):
    """A Debian tree with the mirror that this machine uses."""
    machine = system("bookworm")
    (tmp_path / "sources.list").write_text(f"deb {apt.mirror()} bookworm main\n")
    machine.put("etc/apt/sources.list", tmp_path / "sources.list")
    return machine


def test_apt_updates_and_installs(debian):
    """With the host's network, and with its resolver copied in."""
    result = shell(debian, "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; apt-get -qq -y install hello; hello")
    assert result.code == 0 and "Hello, world!" in result.text, result


def test_strace_and_gdb_work(debian):
    result = shell(debian, f"{APT} strace gdb >/dev/null 2>&1; strace -o /tmp/trace /bin/true; grep -c execve /tmp/trace; "
                           "strace -f -o /tmp/trace /bin/sh -c '/bin/true; /bin/true'; grep -c exited /tmp/trace; "
                           "gdb -q -batch -ex starti -ex 'info registers rip' -ex kill /bin/true 2>&1 | tail -5")
    assert result.code == 0 and "rip" in result.text and result.text.startswith("1\n"), result


def test_a_tree_can_be_made_inside(debian):
    """debootstrap, first half: it makes device nodes, mounts and chroots."""
    if not debian.has_host_ids():
        pytest.skip("the kernel lets nobody in a user namespace make a device node, and debootstrap insists")
    script = (f"{APT} debootstrap >/dev/null 2>&1; debootstrap --variant=minbase --foreign --include=hello bookworm /var/tree "
              f"{apt.mirror()} >/tmp/log 2>&1 || {{ tail -20 /tmp/log; exit 1; }}; ls /var/tree/debootstrap/debootstrap; "
              "mount --bind /var/tree /var/tree; mount -t proc proc /var/tree/proc; mknod /var/tree/dev/x c 1 3; "
              "umount /var/tree/proc; umount /var/tree; echo done")
    result = shell(debian, script)
    assert result.code == 0 and result.text.endswith("done\n"), result


def test_dpkg_works_in_a_tree_inside_the_tree(debian):
    script = ("mkdir -p /var/inner && cp -a /bin /sbin /lib /lib64 /usr /etc /var/inner/ 2>/dev/null; mkdir -p /var/inner/var/lib "
              "/var/inner/tmp /var/inner/var/cache; cp -a /var/lib/dpkg /var/inner/var/lib/; "
              "dpkg --root=/var/inner -l bash | tail -1 | cut -c1-2; chroot /var/inner dpkg --configure -a; echo done")
    result = shell(debian, script)
    assert result.code == 0 and result.text == "ii\ndone\n", result


@pytest.mark.requires("ia32")
def test_a_32_bit_program_runs(debian, tmp_path):
    source = tmp_path / "small.S"
    source.write_text(".globl _start\n_start: movl $1, %eax\nmovl $42, %ebx\nint $0x80\n")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-o", tmp_path / "small", source], check=True)
    debian.put("small", tmp_path / "small")
    for options in ([], ["--personality=x86"]):
        assert run("-q", "-P", "-D", debian.root, *debian.options, *options, "/small").code == 42


def nesting(machine):
    """What a machine in it takes. With ids of its own also a network of its own: sysfs is for who owns the network."""
    return [] if machine.has_host_ids() else ["--nesting", "--private-network"]


def test_nspawn_runs_in_nspawn(debian):
    """Ours in ours, with all capabilities: the inner machine is a whole one."""
    debian.put("usr/bin/nspawn", subprocess_path())
    debian.put("var/lib/machines/inner", lab_tree.cached("busybox"))
    words = ["nspawn", "-q", "-P", "-D", "/var/lib/machines/inner", "/bin/sh", "-c", "echo inner; cat /proc/1/comm; exit 9"]
    for options in ([], ["--private-network"]):
        result = run("-q", "-P", "--capability=all", *options, "-D", debian.root, *debian.options, *nesting(debian), *words, timeout=60)
        assert (result.code, result.text) == (9, "inner\nsh\n"), result


def test_nspawn_boots_in_nspawn(debian, guest):
    debian.put("usr/bin/nspawn", subprocess_path())
    debian.put("var/lib/machines/inner", lab_tree.cached("busybox"))
    with guest(debian, "--capability=all", *nesting(debian)) as screen:
        screen.login()
        screen.line("nspawn -q -D /var/lib/machines/inner --boot")
        screen.expect("login: ", timeout=60)
        screen.line("root")
        screen.expect("# ", timeout=60)
        screen.line("poweroff")
        screen.expect("ready# ", timeout=90)
        screen.line("poweroff")
        assert screen.ends() == 0


def subprocess_path():
    """The executable under test, to be copied into a tree: it needs nothing but libc there."""
    words = program()
    return pathlib.Path(shutil.which(words[0]) or os.path.abspath(words[0]))


@pytest.mark.parametrize("kind", ["bookworm", "trixie"])
def test_a_shell_command_in_a_real_tree(system, kind):
    result = shell(system(kind), "id -un; hostname; test -d /proc/1; ls -d /sys/fs/cgroup/cgroup.procs; df -P /run | tail -1 | cut -d' ' -f1; "
                         "python3 -c 1 2>/dev/null || perl -e 'print \"perl\\n\"'", "-M", "some-name")
    assert result.code == 0
    assert result.text.startswith("root\nsome-name\n/sys/fs/cgroup/cgroup.procs\ntmpfs\n"), result


def test_a_user_of_a_real_tree(system):
    machine = system("bookworm")
    result = run("-q", "-P", "-D", machine.root, *machine.options, "-u", "www-data", "/usr/bin/id")
    assert result.text == "uid=33(www-data) gid=33(www-data) groups=33(www-data)\n"


def test_services_and_users_can_be_added(debian):
    result = shell(debian, "useradd -m somebody; su somebody -c 'id -un; echo $HOME'; chown somebody /tmp; "
                           "setpriv --reuid=somebody --regid=somebody --clear-groups id -u", timeout=60)
    assert result.code == 0 and result.text == "somebody\n/home/somebody\n1000\n", result


def test_bubblewrap_like_sandboxes_work_inside(debian):
    """A user namespace with its own mounts and processes, made by an ordinary user inside."""
    result = shell(debian, "useradd somebody; su somebody -c 'unshare --user --map-root-user --mount --pid --fork "
                           "sh -c \"mount -t tmpfs x /mnt && id -u && echo \\$\\$\"'", timeout=60)
    assert (result.code, result.text) == (0, "0\n1\n"), result
