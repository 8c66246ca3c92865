# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mounts every machine gets, with their types, flags and sizes."""
import os
import pathlib

import pytest

from lab import identity
from lab.run import leader_of

pytestmark = pytest.mark.requires("root")

RESTRICTED = {"nosuid", "nodev", "noexec"}


def table(answer):
    """{target: the mount on top there}"""
    return {mount["target"]: mount for mount in answer["mounts"]}


def flags(mount):
    return set(mount["options"].split(",")) - {"rw", "relatime"}


def options(mount):
    return dict((word.split("=") + [""])[:2] for word in mount["super"].split(","))


@pytest.fixture
def mounts(tree, ask):
    return table(ask(tree({"tmp/": 0o777}), "mounts"))


def kilobytes(text):
    return int(text.rstrip("k"))


@pytest.mark.parametrize("target, kind, wanted", [
    ("/tmp", "tmpfs", {"nosuid", "nodev"}),
    ("/sys", "sysfs", {"ro"} | RESTRICTED),
    ("/dev", "tmpfs", {"nosuid"}),
    ("/dev/shm", "tmpfs", {"nosuid", "nodev"}),
    ("/run", "tmpfs", {"nosuid", "nodev"}),
    ("/run/host", "tmpfs", {"ro"} | RESTRICTED),
    ("/dev/pts", "devpts", {"nosuid", "noexec"}),
    ("/dev/mqueue", "mqueue", RESTRICTED),
    ("/proc", "proc", RESTRICTED),
    ("/proc/sys", "proc", {"ro"} | RESTRICTED),
])
def test_type_and_flags(mounts, target, kind, wanted):
    assert target in mounts
    assert mounts[target]["type"] == kind
    assert flags(mounts[target]) == wanted


@pytest.mark.parametrize("target", ["/tmp", "/dev", "/dev/shm", "/run"])
def test_the_tmpfs_mounts_keep_access_times(mounts, target):
    assert not {"relatime", "noatime"} & set(mounts[target]["options"].split(","))


@pytest.mark.parametrize("target, mode, inodes, share", [
    ("/tmp", 0o1777, 400 * 1024, 10), ("/dev/shm", 0o1777, 400 * 1024, 10), ("/run", 0o755, 800 * 1024, 20),
])
def test_sizes_are_shares_of_memory(mounts, tree, do, target, mode, inodes, share):
    found = do(tree({"tmp/": 0o777}), "stat", target).json[target]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert found["mode"] == mode
    assert abs(found["fs_size"] - memory * share // 100) <= memory // 100, found
    assert int(options(mounts[target])["nr_inodes"].replace("k", "") or 0) in (inodes, inodes // 1024)


def test_dev_is_small(mounts):
    assert kilobytes(options(mounts["/dev"])["size"]) == 4096
    assert options(mounts["/dev"])["mode"] in ("755", "0755")


def test_devpts_is_our_own(tree, Running):
    """It shows ids of the host, whoever looks."""
    with Running("-D", tree(), "-P", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        folder = pathlib.Path(f"/proc/{leader_of(machine.pid)}")
        line, = [line for line in (folder / "mountinfo").read_text().splitlines() if " /dev/pts " in line]
        extents = [list(map(int, line.split())) for line in (folder / "gid_map").read_text().splitlines()]
    group, = [other + 5 - first for first, other, count in extents if first <= 5 < first + count]
    found = options({"super": line.split()[-1], "options": line.split()[5]})
    assert found["ptmxmode"] == "666" and found["gid"] == str(group) and found["mode"] in ("600", "620")


@pytest.mark.parametrize("name", ["kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list"])
def test_secrets_of_the_kernel_are_masked(mounts, name):
    if not os.path.exists(f"/proc/{name}"):
        assert f"/proc/{name}" not in mounts
        return
    mount = mounts[f"/proc/{name}"]
    assert mount["type"] != "proc" and "ro" in flags(mount)


@pytest.mark.parametrize("name", ["acpi", "apm", "asound", "bus", "fs", "irq", "scsi"])
def test_knobs_of_the_kernel_are_read_only(mounts, name):
    if not os.path.exists(f"/proc/{name}"):
        assert f"/proc/{name}" not in mounts
        return
    assert flags(mounts[f"/proc/{name}"]) == {"ro"} | RESTRICTED


@pytest.mark.parametrize("path, wanted", [
    ("/proc/sys/kernel/core_pattern", {30}), ("/proc/kallsyms", {13, 30, 2}), ("/proc/keys", {13, 30, 2}),
    ("/sys/kernel/uevent_helper", {30, 2, 13}), ("/proc/sysrq-trigger", {13, 30, 2}), ("/proc/irq/default_smp_affinity", {30, 2}),
])
def test_they_cannot_be_opened_for_writing(tree, do, path, wanted):
    assert do(tree(), "open", path, os.O_WRONLY).json["errno"] in wanted | (identity.READ_ONLY - {30})


def test_masked_files_cannot_be_read_either(tree, do):
    found = do(tree(), "stat", "/proc/kallsyms", "/proc/keys").json
    for path, status in found.items():
        assert status.get("errno") == 2 or (status["type"], status["mode"], status["size"]) == ("file", 0, 0), path


def test_the_boot_id_is_new_each_time(tree, do):
    root = tree()
    path = "/proc/sys/kernel/random/boot_id"
    first, second = do(root, "read", path).text, do(root, "read", path).text
    with open(path, encoding="utf-8") as file:
        assert len({first, second, file.read()}) == 3
    assert len(first) == 37 and first.count("-") == 4


def test_kmsg_is_a_fifo_that_says_nothing(tree, do):
    found = do(tree(), "stat", "/proc/kmsg", "/dev/kmsg").json
    assert (found["/proc/kmsg"]["type"], found["/proc/kmsg"]["mode"]) == ("fifo", 0o600)
    assert found["/dev/kmsg"] == {"errno": 2}


def test_proc_is_the_machines_own(tree, do):
    assert do(tree(), "read", "/proc/1/comm").text == "payload\n"


def test_nothing_of_the_host_is_mounted_elsewhere(tree, ask):
    """Every mount point is one of the known ones: the host's mounts are all out of reach."""
    known = ("/", "/tmp", "/sys", "/dev", "/run", "/proc")
    options = ["--timezone=off", "--resolv-conf=off"]
    found = [target for target in table(ask(tree({"tmp/": 0o777}), "mounts", options=options))
             if target not in known and not target.startswith(tuple(top + "/" for top in known[1:]))]
    assert found == []


def test_the_root_is_the_tree_itself(tree, ask):
    root = tree()
    mount = table(ask(root, "mounts"))["/"]
    assert mount["root"].endswith("/" + root.name) and flags(mount) <= {"nosuid", "nodev", "discard"} | ({"idmapped"} if identity.AS == "userns" else set())


def test_mounts_propagate_to_services_but_never_out(tree, mounts, ask):
    assert "shared:" in mounts["/"]["propagation"]
    groups = set()
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            groups |= {word for word in line.split(" - ")[0].split()[6:]}
    for target, mount in mounts.items():
        for word in mount["propagation"].split():
            assert word not in groups, f"{target} is in the host's peer group {word}"


def test_a_mount_inside_is_not_seen_outside(tree, do, run):
    root = tree(kind="busybox")
    result = run("-P", "-D", root, "/bin/sh", "-c", "mount -t tmpfs x /mnt 2>/dev/null || mount -t tmpfs x /var && mount")
    assert result.code == 0 and " on /var " in result.text + " on /var "
    with open("/proc/self/mounts", encoding="utf-8") as file:
        assert root.name not in file.read()


def test_the_image_may_keep_its_tmp(tree, run):
    root = tree({"tmp/": 0o777})
    answer = run("-P", "-D", root, "/payload", "mounts", env={"SYSTEMD_NSPAWN_TMPFS_TMP": "0"})
    assert "/tmp" not in table(answer.json)


@pytest.mark.host_ids_only("nothing of the host's can be written from a user namespace")
def test_a_writable_api_file_system_on_request(tree, run):
    root = tree()
    answer = run("-P", "-D", root, "/payload", "mounts", env={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"})
    found = table(answer.json)
    assert "/proc/sys" not in found and "ro" not in flags(found["/sys"])


def test_the_network_variant_of_sys(tree, run):
    """With a network of its own a machine sees a small /sys with only the parts that are its own."""
    root = tree()
    found = table(run("-P", "-D", root, "--private-network", "/payload", "mounts").json)
    assert found["/sys"]["type"] == "tmpfs" and "ro" in flags(found["/sys"])
    for name in ("block", "bus", "class", "dev", "devices", "kernel"):
        if os.path.isdir(f"/sys/{name}"):
            assert flags(found[f"/sys/{name}"]) == {"ro"} | RESTRICTED, name
    assert "ro" not in flags(found["/proc/sys/net"])
    assert "/sys/full" not in found
    listing = run("-P", "-D", root, "--private-network", "/payload", "list", "/sys").json
    assert not {"/sys/full", "/sys/firmware", "/sys/module", "/sys/power"} & set(listing)


def test_a_read_only_tree(tree, run):
    root = tree({"tmp/": 0o777, "var/": None, "proc/": None, "sys/": None, "dev/": None, "run/": None, "root/": None})
    assert run("-P", "-D", root, "--read-only", "/payload", "write", "/usr/x", "x").json["errno"] == 30
    assert run("-P", "-D", root, "--read-only", "/payload", "write", "/tmp/x", "x").json["errno"] == 0
    assert "ro" in flags(table(run("-P", "-D", root, "--read-only", "/payload", "mounts").json)["/"])


def test_writing_reaches_the_tree(tree, do):
    root = tree()
    assert do(root, "write", "/usr/x", "text").json["errno"] == 0
    assert (root / "usr/x").read_text() == "text"


def test_the_hosts_mounts_do_not_appear_inside(tree, Running, tmp_path):
    """One way: what the host mounts below the tree later does not reach the machine."""
    root = tree(kind="busybox")
    with Running("-P", "-D", root, "/bin/sh", "-c", "echo up; read x; ls /var") as machine:
        machine.expect("up")
        os.system(f"mount -t tmpfs x {root}/var && touch {root}/var/from-host")
        try:
            machine.process.stdin.write(b"\n")
            machine.process.stdin.close()
            machine.process.stdin = None
            result = machine.wait()
        finally:
            os.system(f"umount {root}/var")
    assert b"from-host" not in result.out
