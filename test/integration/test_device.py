# SPDX-License-Identifier: LGPL-2.1-or-later
"""--device=: node, rule and owner of a device of the host come together; and what else there is, is kept out."""
import ctypes
import os
import signal
import stat
import struct
import time

import pytest

from lab import probe
from lab.run import program

pytestmark = pytest.mark.requires("root", "cgroup2")

BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD = 11, 13, 15
SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)
EPERM, ENODEV, ENXIO = 1, 19, 6


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    return probe.LIBC.syscall(SYS_BPF, command, buffer, 128), buffer.raw


def programs():
    """The ids of all our filters that the kernel has."""
    found, at = set(), 0
    while True:
        result, raw = bpf(BPF_PROG_GET_NEXT_ID, struct.pack("II", at, 0))
        if result != 0:
            return found
        at = struct.unpack_from("I", raw, 4)[0]
        fd = bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("I", at))[0]
        if fd < 0:
            continue
        info = ctypes.create_string_buffer(256)
        bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("IIQ", fd, 256, ctypes.addressof(info)))
        os.close(fd)
        if info.raw[64:80].startswith(b"nspawn_devices"):
            found.add(at)


def shell(run, root, script, *options):
    return run("-q", "-P", "-D", root, *options, "/bin/sh", "-c", script)


def opens(do, root, path, *options, how=os.O_RDONLY):
    """The errno with which a device is opened inside: 0 or the number."""
    return do(root, "open", path, how | os.O_NONBLOCK, options=options).json["errno"]


@pytest.fixture
def host_nodes(tmp_path):
    """Devices of the host in a folder of their own, with owners and modes that would be missed."""
    made = {}
    for name, kind, number in (("one", stat.S_IFCHR, (1, 5)), ("two", stat.S_IFCHR, (1, 7)), ("deep/three", stat.S_IFCHR, (1, 9)),
                               ("disk", stat.S_IFBLK, (7, 0))):
        path = tmp_path / "nodes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(path, kind | 0o640, os.makedev(*number))
        os.chown(path, 1234, 4321)
        made[name] = path
    (tmp_path / "nodes/file").write_text("no device")
    (tmp_path / "nodes/link").symlink_to("/dev/mem")
    return tmp_path / "nodes"


@pytest.fixture(scope="session")
def spare():
    """A device of the host that no machine has by itself, and that any root may open without consequences."""
    for path in ("/dev/autofs", "/dev/btrfs-control", "/dev/cpu/0/cpuid", "/dev/userfaultfd"):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
            return path
        except OSError:
            continue
    pytest.skip("the host has no device to try this with")


def manifest(folder):
    """Everything of the nodes in a folder of the host that a start could change."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(top, name)
            about = os.lstat(path)
            # Terminals come and go, and are written to.
            if "/pts/" not in path and "tty" not in name and not stat.S_ISLNK(about.st_mode):
                found[path] = (about.st_mode, about.st_uid, about.st_gid, about.st_rdev, sorted(os.listxattr(path, follow_symlinks=False)))
    return found


# --- What is given ---

def test_a_device_is_there_and_works(tree, do, host_nodes):
    root = tree()
    options = [f"--device={host_nodes}/one:/dev/given"]
    about = do(root, "stat", "/dev/given", "/dev/char/1:5", options=options).json
    assert about["/dev/given"]["rdev"] == "1:5" and about["/dev/given"]["type"] == "char"
    assert (about["/dev/given"]["mode"], about["/dev/given"]["uid"], about["/dev/given"]["gid"]) == (0o640, 0, 4321)
    assert opens(do, root, "/dev/given", *options, how=os.O_RDWR) == 0


def test_without_the_option_it_is_neither_there_nor_can_be_opened(tree, do, run):
    root = tree(kind="busybox")
    assert opens(do, root, "/dev/kmsg") == 2
    os.mknod(root / "kmsg", stat.S_IFCHR | 0o666, os.makedev(1, 11))
    assert opens(do, root, "/kmsg") == EPERM
    assert "kmsg" not in shell(run, root, "ls /dev").text


@pytest.mark.parametrize("access, readable, writable", [("", True, True), (":r", True, False), (":w", False, True), (":rw", True, True),
                                                        (":m", False, False)])
def test_what_may_be_done_with_it(tree, do, spare, access, readable, writable):
    root = tree()
    options = [f"--device={spare}:/dev/given{access}"]
    assert opens(do, root, "/dev/given", *options) == (0 if readable else EPERM)
    assert opens(do, root, "/dev/given", *options, how=os.O_WRONLY) == (0 if writable else EPERM)


def test_it_takes_an_m_to_make_more_nodes_of_it(tree, run, spare):
    root = tree(kind="busybox")
    number = os.stat(spare).st_rdev
    script = f"mknod /tmp/n c {os.major(number)} {os.minor(number)} && echo made"
    assert "made" not in shell(run, root, script, f"--device={spare}").text
    assert "made" in shell(run, root, script, f"--device={spare}:rwm").text


def test_what_everybody_has_can_be_had_with_less(tree, do):
    root = tree()
    assert opens(do, root, "/dev/full", how=os.O_WRONLY) == 0
    assert opens(do, root, "/dev/full", "--device=/dev/full:r", how=os.O_WRONLY) == EPERM
    assert opens(do, root, "/dev/full", "--device=/dev/full:r") == 0


def test_it_takes_the_place_of_another(tree, do, host_nodes):
    root = tree()
    assert do(root, "stat", "/dev/random", options=[f"--device={host_nodes}/one:/dev/random"]).json["/dev/random"]["rdev"] == "1:5"


def test_a_directory_of_devices(tree, ask, host_nodes):
    found = ask(tree(), "devices", options=[f"--device={host_nodes}:/dev/many"])["devices"]
    assert {name for name in found if name.startswith("/dev/many/")} == {f"/dev/many/{name}" for name in ("one", "two", "disk", "deep", "deep/three")}
    assert found["/dev/many/disk"]["type"] == "block"
    assert found["/dev/many/deep/three"]["rdev"] == "1:9"
    assert found["/dev/block/7:0"]["link"] == "../many/disk"


def test_several_and_the_key(tree, do, run, host_nodes, tmp_path):
    root = tree()
    options = [f"--device={host_nodes}/one:/dev/a", f"--device={host_nodes}/two:/dev/b"]
    about = do(root, "stat", "/dev/a", "/dev/b", options=options).json
    assert (about["/dev/a"]["rdev"], about["/dev/b"]["rdev"]) == ("1:5", "1:7")
    about = do(root, "stat", "/dev/a", "/dev/b", options=[*options, "--device=", options[1]]).json
    assert about["/dev/a"] == {"errno": 2} and about["/dev/b"]["rdev"] == "1:7"
    file = root.parent / f"{root.name}.nspawn"
    file.write_text(f"[Files]\nDevice={host_nodes}/one:/dev/a\n")
    try:
        assert do(root, "stat", "/dev/a", options=["--settings=trusted"]).json["/dev/a"]["rdev"] == "1:5"
        result = do(root, "stat", "/dev/a")
        assert result.json["/dev/a"] == {"errno": 2} and "Device" in result.complaint
    finally:
        file.unlink()


@pytest.mark.parametrize("name, node, number", [("fuse", "/dev/fuse", "10:229"), ("tun", "/dev/net/tun", "10:200"), ("kvm", "/dev/kvm", "10:232"),
                                                ("loop", "/dev/loop-control", "10:237")])
def test_short_names(tree, do, run, name, node, number):
    root = tree()
    result = run("-q", "-P", "-D", root, f"--device={name}", "/payload", "stat", node)
    if os.path.exists(node):
        assert result.json[node]["rdev"] == number
    else:
        assert result.code == 1 and f"Cannot find the device '{node}' on the host" in result.complaint
        assert len(result.complaint.splitlines()) == 2


def test_a_loop_device_that_is_not_there_yet_can_be_made(tree, run):
    if not os.path.exists("/dev/loop-control"):
        pytest.skip("the host has no loop devices")
    root = tree(kind="busybox")
    assert shell(run, root, "mknod /dev/loop77 b 7 77 && echo made", "--device=loop").text == "made\n"
    assert shell(run, root, "mknod /tmp/loop77 b 7 77 && echo made").text == ""


FAILURES = [
    ("/dev/there-is-no-such", "Cannot find the device '/dev/there-is-no-such' on the host: No such file"),
    ("/etc/passwd:/dev/x", "'/etc/passwd' is no device, and no directory of devices"),
    ("/proc/self/fdinfo:/dev/x", "The directory '/proc/self/fdinfo' has no device in it"),
    ("/dev/null:/dev/net", "Cannot make the device node '/dev/net' for '/dev/null' of the host: Is a directory"),
    ("/dev/null:/dev/console", "Option '--device' cannot take '/dev/console' in the container"),
    ("/dev/null:/etc/null", "Option '--device' needs a path below /dev in the container, not '/etc/null'"),
    ("nosuch", "Option '--device' does not know the value 'nosuch'"),
]


@pytest.mark.parametrize("value, sentence", FAILURES)
def test_what_failed_is_said(tree, run, value, sentence):
    result = run("-q", "-D", tree(), f"--device={value}", "/payload", "exit", "0")
    assert result.code == 1 and sentence in result.complaint, result
    assert len(result.complaint.splitlines()) <= 2


def test_nothing_of_the_host_changes(tree, run, host_nodes):
    """Modes, owners and numbers of every node, whatever the payload does to its own."""
    root = tree(kind="busybox")
    before = manifest("/dev"), manifest(host_nodes)
    script = "chown 7:7 /dev/* /dev/*/*; chmod 777 /dev/* /dev/*/*; touch /dev/given; rm -f /dev/given /dev/net/tun /dev/null; exit 7"
    options = [f"--device={host_nodes}/one:/dev/given", f"--device={host_nodes}:/dev/many", "--device=/dev/zero", "--device=/dev/null"]
    for way in ([], ["--private-network"], ["-a"]):
        assert shell(run, root, script, *options, *way).code == 7
    assert (manifest("/dev"), manifest(host_nodes)) == before


def test_where_nodes_cannot_be_made_the_hosts_are_used_and_kept(tree, run, spare):
    """As in a container without CAP_MKNOD: mounted read-only, so that nobody inside changes the host's."""
    root = tree(kind="busybox")
    before = manifest("/dev")
    script = ("chown 7:7 /dev/null /dev/given; chmod 777 /dev/null /dev/given; echo x >/dev/null && head -c 1 /dev/zero | wc -c; "
              "head -c 1 /dev/given; ls /dev | tr '\\n' ' '")
    result = run("-q", "-P", "-D", root, f"--device={spare}:/dev/given", "/bin/sh", "-c", script,
                 command=["setpriv", "--bounding-set=-mknod", "--inh-caps=-all", "--", *program()])
    assert result.code == 0 and result.text.startswith("1\n"), result
    assert "given" in result.text and result.complaint.count("Read-only file system") == 4, result
    assert manifest("/dev") == before


# --- What is kept out ---

DEVICES = {"a disk": ("b", 254, 0), "a disk of scsi": ("b", 8, 0), "memory": ("c", 1, 1), "ports": ("c", 1, 4), "the log": ("c", 1, 11),
           "a loop": ("b", 7, 0), "loop control": ("c", 10, 237), "a terminal": ("c", 4, 1), "the console": ("c", 5, 1), "kvm": ("c", 10, 232),
           "a null of disks": ("b", 1, 3), "input": ("c", 13, 64)}


@pytest.mark.parametrize("name", DEVICES)
def test_root_inside_can_neither_open_nor_make(tree, do, run, name):
    """A node that lies in the tree already, and one that it would make."""
    kind, major, minor = DEVICES[name]
    root = tree(kind="busybox")
    os.mknod(root / "node", (stat.S_IFBLK if kind == "b" else stat.S_IFCHR) | 0o666, os.makedev(major, minor))
    for how in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        assert opens(do, root, "/node", "--capability=all", how=how) == EPERM
    if name != "the console":
        for place in ("/tmp/n", "/root/n", "/dev/n", "/dev/shm/n"):
            made = shell(run, root, f"mknod {place} {kind} {major} {minor} && echo made", "--capability=all")
            assert "made" not in made.text and "not permitted" in made.complaint, made


def test_a_guest_may_make_what_it_may_use(tree, run):
    """Programs that fill a /dev of their own."""
    root = tree(kind="busybox")
    for number in ("1 3", "1 5", "1 7", "1 8", "1 9", "5 0", "5 1", "5 2", "0 0"):
        assert shell(run, root, f"mknod /root/n c {number} && echo made").text == "made\n", number
        (root / "root/n").unlink()


@pytest.mark.parametrize("way", [["-a"], ["--private-network"], ["-x"], ["--volatile=overlay"], ["--read-only"], ["--capability=all"],
                                 ["--system-call-filter=bpf"], ["-u", "nobody"]], ids=" ".join)
def test_in_every_way_of_starting(tree, do, way):
    root = tree({"etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
                 **{f"{name}/": None for name in ("proc", "sys", "dev", "run", "tmp", "root", "bin")}})
    os.mknod(root / "disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))
    os.chmod(root / "disk", 0o666)
    assert opens(do, root, "/disk", *way) == EPERM


def test_the_groups_that_it_makes_are_filtered_too(tree, run):
    root = tree(kind="busybox")
    os.mknod(root / "log", stat.S_IFCHR | 0o666, os.makedev(1, 11))
    script = "mkdir /sys/fs/cgroup/a && echo $$ >/sys/fs/cgroup/a/cgroup.procs && grep '^0::' /proc/self/cgroup; head -c1 /log && echo read"
    result = shell(run, root, script)
    assert "0::/a" in result.text and "read" not in result.text


def test_what_is_bound_may_be_used(tree, do, spare, tmp_path):
    root = tree()
    node = tmp_path / "nodes/spare"
    node.parent.mkdir()
    os.mknod(node, stat.S_IFCHR | 0o600, os.stat(spare).st_rdev)
    assert opens(do, root, "/bound", f"--bind={spare}:/bound", how=os.O_RDWR) == 0
    assert opens(do, root, "/bound", f"--bind-ro={spare}:/bound") == 0
    assert opens(do, root, "/bound", f"--bind-ro={spare}:/bound", how=os.O_WRONLY) == EPERM
    # Not what lies in a directory that is bound, unless that is one of devices.
    assert opens(do, root, "/nodes/spare", f"--bind={node.parent}:/nodes") == EPERM
    assert opens(do, root, spare, "--bind=/dev") == EPERM


def test_a_bound_directory_of_devices(tree, do):
    if not os.path.exists("/dev/cpu/0/cpuid"):
        pytest.skip("the host has no /dev/cpu/0/cpuid")
    assert opens(do, tree(), "/dev/cpu/0/cpuid", "--bind=/dev/cpu") == 0


@pytest.mark.parametrize("properties, is_open", [(["DeviceAllow=SPARE rw"], True), (["DeviceAllow=SPARE"], True), (["DeviceAllow=char-* r"], True),
                                                 (["DeviceAllow=SPARE w"], False), (["DeviceAllow=block-*"], False),
                                                 (["DeviceAllow=char-*", "DeviceAllow="], False), (["DevicePolicy=closed"], False)],
                         ids=str)
def test_properties_of_the_unit_that_is_not_made(tree, do, spare, properties, is_open):
    root = tree()
    os.mknod(root / "node", stat.S_IFCHR | 0o666, os.stat(spare).st_rdev)
    words = [f"--property={text.replace('SPARE', spare)}" for text in properties]
    assert opens(do, root, "/node", *words) == (0 if is_open else EPERM)


# --- The program ---

def test_the_filter_ends_with_the_machine(tree, do, run, Running):
    before = programs()
    root = tree()
    with Running("-q", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        assert len(programs() - before) == 1
        machine.stop()
    deadline = time.monotonic() + 10
    while programs() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert programs() <= before


def test_a_killed_supervisor_leaves_none_behind(tree, run, Running):
    """Nothing holds the program but the group, which --cleanup or the next start removes."""
    before = programs()
    root = tree()
    name = f"killed{os.getpid()}"
    with Running("-q", "-D", root, "-M", name, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        machine.signal(signal.SIGKILL)
        machine.wait()
    assert run("-M", name, "-D", root, "--cleanup").code == 0
    deadline = time.monotonic() + 10
    while programs() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert programs() <= before


def test_without_a_group_it_goes_on_but_restricts_nothing_in_vain(tree, run):
    mount = probe.cgroup2_mount()
    words = ["unshare", "-m", "sh", "-c", f'umount -l {mount}; exec "$@"', "x"]
    root = tree()
    assert run("-q", "-D", root, "--device=/dev/zero:/dev/z", "/payload", "exit", "7", command=[*words, *program()]).code == 7
    result = run("-q", "-D", root, "--device=/dev/zero:/dev/z:r", "/payload", "exit", "7", command=[*words, *program()])
    assert result.code == 1 and "Cannot restrict what the payload may do with a device" in result.complaint
