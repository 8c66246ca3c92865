# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capabilities, the system call filter, and what else keeps a machine's root from being the host's."""
import errno
import fcntl
import os
import platform
import re
import struct
import termios

import pytest

pytestmark = [pytest.mark.requires("root"),
              pytest.mark.skipif(platform.machine() != "x86_64", reason="system call numbers of x86-64")]

CAPABILITY = {name: number for number, name in enumerate(
    """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
    SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
    MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split())}
DEFAULT = """AUDIT_CONTROL AUDIT_WRITE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_OWNER KILL LEASE LINUX_IMMUTABLE
    MKNOD NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_NICE
    SYS_PTRACE SYS_RESOURCE SYS_TTY_CONFIG""".split()


def mask(names):
    return sum(1 << CAPABILITY[name] for name in names)


def ours():
    """What we may give away at all: our own bounding set."""
    with open("/proc/self/status", encoding="utf-8") as file:
        return int(re.search(r"CapBnd:\t(\w+)", file.read()).group(1), 16)


def test_the_default_capabilities(tree, ask):
    caps = ask(tree(), "caps")["caps"]
    wanted = mask(DEFAULT) & ours()
    assert caps["bounding"] == caps["permitted"] == caps["effective"] == wanted
    assert caps["ambient"] == 0 and caps["inheritable"] in (0, wanted)
    assert (caps["securebits"], caps["no_new_privs"], caps["keep_caps"]) == (0, 0, 0)


@pytest.mark.requires("userns")
@pytest.mark.parametrize("options, has_it", [(["-U"], False), (["-U", "--private-network"], True), (["--private-network"], True),
                                             (["--private-users=no"], True), (["-U", "--capability=all"], False)])
def test_a_user_namespace_has_no_low_ports_of_the_host(tree, ask, options, has_it):
    """The kernel asks for the capability in the user namespace of the network."""
    bounding = ask(tree(), "caps", options=options)["caps"]["bounding"]
    assert bool(bounding & mask(["NET_BIND_SERVICE"])) is has_it
    assert bounding & mask(["NET_RAW"])


@pytest.mark.requires("userns")
def test_who_asks_for_low_ports_in_vain_is_told(tree, run):
    result = run("-P", "-U", "--capability=CAP_NET_BIND_SERVICE", "-D", tree(), "/payload", "exit", "3")
    assert result.code == 3 and "opens no port of the host's network" in result.complaint and "--private-network" in result.complaint
    result = run("-P", "-U", "-u", "1", "--ambient-capability=CAP_NET_BIND_SERVICE", "-D", tree(), "/payload", "exit", "3")
    assert result.code == 1 and "does not retain" in result.complaint and "--private-network" in result.complaint


def test_ambient_and_inheritable_are_empty_for_others(tree, ask):
    caps = ask(tree({"etc/passwd": "u:x:77:77::/:/bin/sh\n", "etc/group": "u:x:77:\n"}), "caps", options=["-u", "u"])["caps"]
    assert [caps[name] for name in ("effective", "permitted", "inheritable", "ambient")] == [0, 0, 0, 0]


@pytest.mark.parametrize("options, add, drop", [
    (["--capability=CAP_IPC_LOCK"], ["IPC_LOCK"], []),
    (["--capability=cap_ipc_lock,CAP_SYS_TIME"], ["IPC_LOCK", "SYS_TIME"], []),
    (["--capability=14"], ["IPC_LOCK"], []),
    (["--drop-capability=CAP_KILL,CAP_MKNOD"], [], ["KILL", "MKNOD"]),
    (["--capability=CAP_SYSLOG", "--drop-capability=CAP_SYSLOG"], [], []),
    (["--private-network"], ["NET_ADMIN"], []),
    (["--private-network", "--drop-capability=CAP_NET_ADMIN"], [], ["NET_ADMIN"]),
])
def test_more_and_fewer_capabilities(tree, ask, options, add, drop):
    caps = ask(tree(), "caps", options=options)["caps"]
    wanted = (mask(DEFAULT) | mask(add)) & ~mask(drop) & ours()
    assert (caps["bounding"], caps["effective"]) == (wanted, wanted)


def test_all_capabilities(tree, ask):
    assert ask(tree(), "caps", options=["--capability=all"])["caps"]["bounding"] == ours()
    caps = ask(tree(), "caps", options=["--capability=all", "--drop-capability=CAP_SYS_TIME"])["caps"]
    assert caps["bounding"] == ours() & ~mask(["SYS_TIME"])
    assert ask(tree(), "caps", options=["--drop-capability=all"])["caps"]["bounding"] == 0


def test_ambient_capabilities(tree, ask):
    caps = ask(tree({"etc/passwd": "u:x:77:77::/:/bin/sh\n", "etc/group": "u:x:77:\n"}), "caps",
               options=["-u", "u", "--ambient-capability=CAP_KILL"])["caps"]
    assert {caps[name] for name in ("ambient", "inheritable", "permitted", "effective")} == {mask(["KILL"])}


@pytest.mark.parametrize("options", [["--capability=CAP_NOSUCH"], ["--capability=999"], ["--drop-capability=x"],
                                     ["--ambient-capability=all"], ["--ambient-capability=CAP_SYS_MODULE"],
                                     ["--boot", "--ambient-capability=CAP_KILL"], ["--capability=-1"], ["--capability=CAP_KILL,x"]])
def test_bad_capabilities_are_refused(tree, run, options):
    result = run("-q", "-D", tree(), *options, "/payload", "exit", "0")
    assert result.code == 1 and result.complaint


def test_no_new_privileges(tree, ask):
    assert ask(tree(), "caps", options=["--no-new-privileges=yes"])["caps"]["no_new_privs"] == 1
    assert ask(tree(), "caps", options=["--no-new-privileges", "no"])["caps"]["no_new_privs"] == 0


def test_a_filter_is_in_force(tree, ask):
    assert ask(tree(), "caps")["caps"]["seccomp"] == 2


def verdicts(do, root, *specs, options=(), action="syscall"):
    return do(root, action, *specs, options=options).json


REFUSED = {"kexec_load": 246, "swapon": 167, "open_by_handle_at": 304, "perf_event_open": 298, "fanotify_init": 300,
           "quotactl": 179, "syslog": 103, "acct": 163, "ioperm": 173, "iopl": 172, "clock_settime": 227,
           "init_module": 175, "bpf": 321, "mlock": 149, "pkey_alloc": 330, "lookup_dcookie": 212, "nfsservctl": 180,
           "_sysctl": 156, "uselib": 134, "ustat": 136, "modify_ldt": 154, "kexec_file_load": 320}


def test_calls_that_are_known_and_not_listed_are_not_permitted(tree, do):
    """EPERM comes from the filter: with arguments this wrong the kernel itself would say something else."""
    found = verdicts(do, tree(), *REFUSED.values())
    assert {name: number for name, number in zip(REFUSED, found) if number != errno.EPERM} == {}


def test_calls_nobody_knows_do_not_exist(tree, do):
    """Programs fall back to an older call on ENOSYS, and only on that."""
    specs = [400, 423, 600, 999, 4095, 511, 100000, 0x3fffffff]
    assert set(verdicts(do, tree(), *specs)) == {errno.ENOSYS}


def test_calls_that_programs_need_reach_the_kernel(tree, do):
    specs = {"ptrace": "101,-1", "keyctl": "250,999", "mount": 165, "unshare": "272,0", "setns": "308,-1", "clone3": 435,
             "openat2": "437,-1", "mknod": 133, "reboot": "169,0", "io_uring_setup": 425, "memfd_create": 319,
             "process_vm_readv": "310,-1", "add_key": 248, "pivot_root": 155, "userfaultfd": "323,0xffff", "close_range": "436,5,4"}
    found = dict(zip(specs, verdicts(do, tree(), *specs.values())))
    assert {name: number for name, number in found.items() if number in (errno.EPERM, errno.ENOSYS)} == {}


@pytest.mark.parametrize("capability, spec", [("CAP_SYS_TIME", "227,0,0"), ("CAP_IPC_LOCK", "149,0,0"), ("CAP_BPF", "321,9999"),
                                              ("CAP_SYSLOG", "103,9999"), ("CAP_SYS_PACCT", "163,1")])
def test_a_capability_opens_the_calls_that_go_with_it(tree, do, capability, spec):
    if not ours() >> CAPABILITY[capability[4:]] & 1:
        pytest.skip(f"we have no {capability} to give")
    assert verdicts(do, tree(), spec) == [errno.EPERM]
    assert verdicts(do, tree(), spec, options=[f"--capability={capability}"]) not in ([errno.EPERM], [errno.ENOSYS])


def test_losing_a_capability_closes_the_calls_that_go_with_it(tree, do):
    assert verdicts(do, tree(), "101,-1", options=["--drop-capability=CAP_SYS_PTRACE"]) == [errno.EPERM]


@pytest.mark.parametrize("high", [0, 1 << 32])
def test_audit_sockets_do_not_exist_here(tree, do, high):
    """Neither with nor without bits that the kernel cuts off."""
    root = tree()
    specs = [f"41,{16 | high},3,{9 | high}", f"41,{16},{3 | high},9", f"41,{16 | high},{3 | 0o2000000},9"]
    assert verdicts(do, root, *specs) == [errno.EAFNOSUPPORT] * 3
    assert verdicts(do, root, "41,16,3,0", "41,1,1,0", "41,2,2,0") == [0, 0, 0]


def test_the_x32_entry_is_no_way_around(tree, do):
    found = verdicts(do, tree(), 0x40000000 | 246, 0x40000000 | 304, 0x40000000 | 300, f"{0x40000000 | 41},16,3,9")
    assert set(found) <= {errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT}


@pytest.mark.requires("ia32")
def test_the_32_bit_entry_has_the_same_rules(tree, do):
    root = tree()
    # kexec_load, open_by_handle_at, swapon, perf_event_open; getpid; a number nobody knows
    assert verdicts(do, root, 283, 342, 87, 336, action="syscall32") == [errno.EPERM] * 4
    assert verdicts(do, root, 20, 999, action="syscall32") == [0, errno.ENOSYS]
    assert verdicts(do, root, "359,16,3,9", action="syscall32") == [errno.EAFNOSUPPORT]


def test_the_filter_can_be_widened(tree, do):
    root = tree()
    for text in ("open_by_handle_at", "open_by_handle_at kexec_load", "swapcontext open_by_handle_at"):
        assert verdicts(do, root, 304, options=[f"--system-call-filter={text}"]) != [errno.EPERM], text
    assert verdicts(do, root, "330,9999", options=["--system-call-filter=@pkey"]) != [errno.EPERM]


def test_the_filter_can_be_narrowed(tree, do):
    root = tree()
    assert verdicts(do, root, "250,0,-3,0", 248, "39", options=["--system-call-filter=~@keyring"]) == [errno.EPERM, errno.EPERM, 0]
    options = ["--system-call-filter=~keyctl add_key", "--system-call-filter=~getppid"]
    assert verdicts(do, root, "250,0,-3,0", 248, 110, options=options) == [errno.EPERM] * 3


def test_denying_wins(tree, do):
    options = ["--system-call-filter=open_by_handle_at", "--system-call-filter=~open_by_handle_at"]
    assert verdicts(do, tree(), 304, options=options) == [errno.EPERM]
    assert verdicts(do, tree(), 304, options=options[::-1]) == [errno.EPERM]


@pytest.mark.parametrize("junk", ["@nosuchgroup", "no_such_call_anywhere", "~@nosuchgroup"])
def test_filters_of_nothing_are_refused(tree, run, junk):
    result = run("-q", "-D", tree(), f"--system-call-filter={junk}", "/payload", "exit", "0")
    assert result.code == 1 and junk.lstrip("~") in result.complaint


def test_suppressed_syncs_succeed_and_do_nothing(tree, do):
    root = tree()
    specs = ["162", "74,0", "75,0", "306,0", "26,0,0,0", "277,0,0,0,0", "74,-1", "75,-1"]
    assert verdicts(do, root, *specs, options=["--suppress-sync=yes"]) == [0] * 6 + [errno.EBADF] * 2
    assert do(root, "open", "/usr/x", os.O_RDWR | os.O_CREAT, options=["--suppress-sync=yes"]).json["errno"] == 0
    for flag in (os.O_SYNC, os.O_DSYNC):
        assert do(root, "open", "/usr/x", os.O_RDWR | flag, options=["--suppress-sync=yes"]).json["errno"] != 0
        assert do(root, "open", "/usr/x", os.O_RDWR | flag, options=["--suppress-sync=no"]).json["errno"] == 0


def test_suppression_from_the_environment(tree, do):
    assert do(tree(), "syscall", "74,0", env={"SYSTEMD_SUPPRESS_SYNC": "1"}).json == [0]


@pytest.mark.parametrize("options, wanted", [
    (["AF_INET AF_UNIX"], {1: 0, 2: 0, 10: errno.EAFNOSUPPORT, 16: errno.EAFNOSUPPORT}),
    (["~AF_INET6"], {1: 0, 2: 0, 10: errno.EAFNOSUPPORT, 16: 0}),
    (["none"], {1: errno.EAFNOSUPPORT, 2: errno.EAFNOSUPPORT, 10: errno.EAFNOSUPPORT, 16: errno.EAFNOSUPPORT}),
    (["AF_INET AF_UNIX", "~AF_INET"], {1: 0, 2: errno.EAFNOSUPPORT}),
    ([""], {1: 0, 2: 0, 16: 0}),
])
def test_address_families(tree, do, options, wanted):
    options = [f"--restrict-address-families={text}" for text in options]
    found = verdicts(do, tree(), *(f"41,{family},2,0" for family in wanted), options=options)
    if not os.path.exists("/proc/net/if_inet6") and 10 in wanted and wanted[10] == 0:
        pytest.skip("this host has no IPv6")
    assert dict(zip(wanted, found)) == wanted


def test_a_high_bit_does_not_help_a_family(tree, do):
    assert verdicts(do, tree(), f"41,{2 | 1 << 32},2,0", options=["--restrict-address-families=AF_UNIX"]) == [errno.EAFNOSUPPORT]


def test_unknown_families_are_refused(tree, run):
    result = run("-q", "-D", tree(), "--restrict-address-families=AF_NOSUCH", "/payload", "exit", "0")
    assert result.code == 1 and "AF_NOSUCH" in result.complaint


def test_the_hosts_disks_and_memory_have_no_nodes(tree, run):
    root = tree(kind="busybox")
    found = run("-P", "-D", root, "/payload", "stat", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/vda", "/dev/sda", "/dev/kmsg").json
    assert {path: status for path, status in found.items() if status != {"errno": 2}} == {}


def test_kernel_knobs_cannot_be_written(tree, do):
    root = tree()
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/swappiness", "/proc/sys/kernel/modprobe"):
        assert do(root, "open", path, os.O_WRONLY).json["errno"] in (errno.EROFS, errno.EACCES, errno.ENOENT), path


def test_names_in_abstract_space_and_ours(tree, do):
    """We listen on no abstract socket: with the host's network a machine could reach it."""
    with open("/proc/net/unix", encoding="utf-8") as file:
        assert not [line for line in file if "nspawn" in line and " @" in line]


def test_a_terminal_of_ours_takes_no_input_from_inside(tree, do, Terminal):
    with Terminal("-q", "-D", tree(), "/payload", "tiocsti") as screen:
        assert screen.wait() == 0
        # Nothing was typed on the caller's own terminal.
        waiting = struct.unpack("i", fcntl.ioctl(screen.slave, termios.FIONREAD, b"\0\0\0\0"))[0]
        assert waiting == 0
