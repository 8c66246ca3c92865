# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees that try to make us touch the host: every place we use is a link, a file, or something worse.

The host's side of each test is a canary: a directory whose every entry, mode, owner, time and content must be
the same afterwards. Whether the machine runs is the second question: it does, or one sentence says why not.
"""
import os
import stat
import threading

import pytest

from lab.tree import fill

pytestmark = pytest.mark.requires("root")

PLACES = ["proc", "sys", "dev", "run", "tmp", "etc", "var", "usr", "root", "bin", "sbin", "lib", "etc/resolv.conf", "etc/localtime",
          "etc/machine-id", "etc/os-release", "dev/console", "dev/null", "dev/pts", "dev/ptmx", "dev/shm", "dev/net", "run/host",
          "run/host/notify", "run/systemd", "sys/fs", "proc/sys", "var/log", "var/run"]
KINDS = ["absolute", "relative", "dangling", "loop", "file", "itself", "fifo", "proc-magic"]


@pytest.fixture
def canary(tmp_path):
    folder = tmp_path / "canary"
    for name in ("host", "sys/net", "pts", "fs/cgroup", "host/inaccessible", "net"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("ptmx", "null", "console", "resolv.conf", "localtime", "machine-id", "host/notify", "passwd"):
        (folder / name).write_text("canary\n")
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (1000000000, 1000000000))
    return folder


def manifest(folder):
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime, status.st_ino, content)
    return found


def plant(root, place, kind, canary):
    path = root / place
    if path.is_dir() and not path.is_symlink():
        os.system(f"rm -rf {path}")
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    target = {"absolute": str(canary), "relative": "../" * 30 + str(canary)[1:], "dangling": "/no/such/place/at/all",
              "itself": "/", "proc-magic": "/proc/self/root" + str(canary)}
    if kind in target:
        path.symlink_to(target[kind])
    elif kind == "loop":
        (root / "loop-a").symlink_to("loop-b")
        (root / "loop-b").symlink_to("loop-a")
        path.symlink_to("/loop-a")
    elif kind == "file":
        path.write_text("a file\n")
    else:
        os.mkfifo(path)


def judge(result, canary, before):
    assert manifest(canary) == before
    assert result.code in (0, 1), result
    if result.code == 1:
        lines = result.complaint.strip().splitlines()
        assert 1 <= len(lines) <= 2 and "too early" not in result.complaint, result
    assert result.code == 0 or result.out == b""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_something_else(tree, do, canary, place, kind):
    root = tree({"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
    plant(root, place, kind, canary)
    before = manifest(canary)
    result = do(root, "mounts", options=["-q", "--console=read-only"] if place.startswith("dev") else ["-q"])
    judge(result, canary, before)
    if result.code == 0 and kind != "itself":
        mounts = {mount["target"]: mount["type"] for mount in result.json["mounts"]}
        for target, kind_of in (("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs"), ("/run", "tmpfs"), ("/run/host", "tmpfs"),
                                ("/dev/pts", "devpts"), ("/proc/sys", "proc")):
            assert mounts.get(target) == kind_of, (target, mounts)


@pytest.mark.parametrize("place", PLACES)
def test_the_same_with_everything_turned_on(tree, do, canary, place):
    """More options use more places: a user, a copy of resolv.conf, a network, binds and tmpfs at new targets."""
    root = tree({"etc/passwd": "root:x:0:0::/root:/bin/sh\nu:x:77:77::/home/u:/bin/sh\n", "etc/group": "u:x:77:\n"})
    (canary / "bound").mkdir()
    os.utime(canary, (1000000000, 1000000000))
    plant(root, place, "absolute", canary)
    before = manifest(canary)
    options = ["-q", "-u", "u", "--private-network", "--resolv-conf=replace-host", "--timezone=copy", "--tmpfs=/var/cache/x",
               "--bind=/usr/share:/run/new/place", "--bind-ro=/etc/hosts:/etc/hosts", "--read-only"]
    judge(do(root, "exit", "0", options=options), canary, before)


@pytest.mark.parametrize("option", ["--bind=/usr/share:{}/made", "--bind-ro=/etc/hosts:{}/made/file", "--tmpfs={}/made",
                                    "--inaccessible={}/passwd", "--bind=/etc/hosts:{}/passwd", "--chdir={}"])
@pytest.mark.parametrize("link", ["absolute", "relative", "dangling", "loop", "proc-magic"])
def test_targets_through_links_stay_inside(tree, do, canary, option, link):
    root = tree()
    plant(root, "way", link, canary)
    before = manifest(canary)
    result = do(root, "exit", "0", options=["-q", option.format("/way")])
    judge(result, canary, before)


def test_links_that_lead_around_inside_work(tree, do):
    """Safe must not mean strict: links a real tree has keep working."""
    root = tree({"private/var/": None, "var=": "/private/var", "private/var/run=": "/run", "data/etc/": None, "home=": "private/home",
                 "private/home/": None})
    options = ["-q", "--bind=/usr/share:/var/run/x/y", "--bind=/usr/share:/home/a/b", "--tmpfs=/var/cache"]
    assert do(root, "exit", "7", options=options).code == 7
    assert (root / "private/home/a/b").is_dir()


def test_an_etc_that_is_a_link_inside_works(tree, do):
    root = tree()
    os.rename(root / "etc", root / "config")
    fill(root, {"etc=": "/config"})
    assert do(root, "exit", "7", options=["-q", "--resolv-conf=copy-host"]).code == 7


def test_the_payload_as_a_link_out_is_not_found(tree, run, canary, payload):
    root = tree({"bin/out=": str(payload)})
    assert run("-q", "-D", root, "/bin/out", "exit", "0").code == 1


def test_a_script_whose_interpreter_is_ourselves(tree, run):
    """A program that asks to be run by whoever runs it must not reach our own executable."""
    root = tree({"evil!": "#!/proc/self/exe\n"})
    result = run("-q", "-D", root, "/evil")
    assert result.code != 0


def test_our_executable_is_not_writable_from_inside(tree, run):
    """/proc/*/exe of whoever sets the machine up leads to us: nothing inside may get it for writing."""
    root = tree(kind="busybox")
    script = "for p in /proc/[0-9]*; do (: >>$p/exe) 2>/dev/null && readlink $p/exe; done; true"
    result = run("-P", "-a", "-D", root, "/bin/sh", "-c", script)
    assert "nspawn" not in result.text


def test_every_descriptor_inside_leads_inside(tree, do):
    root = tree()
    for options in ([], ["-a"], ["--console=read-only"]):
        result = do(root, "fds", options=["-q", *options])
        assert not [line for line in result.json["fds"].values() if line.startswith("/") and not line.startswith("/dev/")]


def test_a_race_on_the_target_of_a_bind(tree, do, canary, tmp_path):
    """Somebody swaps a directory of the tree for a link to the host while machines start on it."""
    root = tree({"spot/": None})
    decoy = root / "decoy"
    decoy.symlink_to(canary)
    before = manifest(canary)
    over = threading.Event()

    def swap():
        from lab.probe import LIBC
        while not over.is_set():
            LIBC.renameat2(-100, str(root / "spot").encode(), -100, str(decoy).encode(), 2)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(40):
            result = do(root, "exit", "0", options=["-q", "--bind=/usr/share:/spot/made", "--tmpfs=/spot/other"])
            assert result.code in (0, 1), result
    finally:
        over.set()
        thread.join()
    assert manifest(canary) == before


def test_names_with_control_characters_are_escaped(tree, run, beside):
    root = tree(name="evil\x1b[31m\nname")
    result = run("-D", root, "/payload", "exit", "0")
    assert "\x1b" not in result.complaint and len(result.complaint.strip().splitlines()) <= 3
    result = run("-q", "-D", root, "--chdir=/no\x1b[31m/such", "/payload", "exit", "0")
    assert result.code == 1 and "\x1b" not in result.complaint


def test_setuid_files_of_the_tree_give_nothing_outside(tree, do, beside):
    """Only the tree's own directory protects the host's users from programs in it: it is not opened further."""
    root = tree()
    mode = root.stat().st_mode
    assert do(root, "exit", "0").code == 0
    assert root.stat().st_mode == mode and root.stat().st_uid == 0
