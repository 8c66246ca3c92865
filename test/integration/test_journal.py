# SPDX-License-Identifier: LGPL-2.1-or-later
"""Journals: the links between host and machine in every mode, and the journal that is forwarded to the host."""
import os
import pathlib
import signal
import subprocess
import time

import pytest

from lab.leaks import descendants
from lab.run import leader_of

pytestmark = pytest.mark.requires("root")

ID = "11112222333344445555666677778888"
JOURNALS = pathlib.Path("/var/log/journal")
OURS = JOURNALS / ID
MODES = ["host", "try-host", "guest", "try-guest"]
RECEIVER = "/usr/lib/systemd/systemd-journal-remote"


@pytest.fixture
def logs():
    """A /var/log of the test's own, with nothing in it."""
    os.makedirs("/var/log", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "nspawn-test", "/var/log"], check=True)
    yield pathlib.Path("/var/log")
    subprocess.run(["umount", "--lazy", "/var/log"], check=True)


@pytest.fixture
def journals(logs):
    JOURNALS.mkdir()
    return JOURNALS


@pytest.fixture
def machine(tree):
    return tree({"etc/machine-id": ID + "\n"})


def start(do, root, mode, *more):
    options = [*([f"--link-journal={mode}"] if mode else []), *more]
    return do(root, "mounts", options=options)


def is_bound(result):
    return any(mount["target"] == str(OURS) and mount["root"] == f"/journal/{ID}" for mount in result.json["mounts"])


# --- --link-journal= ---


@pytest.mark.parametrize("mode", ["host", "try-host"])
def test_host_keeps_the_journal_on_the_host(journals, machine, run, mode):
    result = run("-q", "-P", "-D", machine, f"--link-journal={mode}", "/payload", "write", f"{OURS}/x.journal", "entry")
    assert (result.code, result.complaint) == (1, "") or result.code == 0
    result = run("-q", "-P", "-D", machine, f"--link-journal={mode}", "/payload", "mounts")
    mount, = [mount for mount in result.json["mounts"] if mount["target"] == str(OURS)]
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(mount["options"].split(","))
    assert OURS.is_dir() and not OURS.is_symlink(), "it stays, to be read later"
    assert list((machine / str(OURS)[1:]).iterdir()) == []


@pytest.mark.parametrize("mode", ["guest", "try-guest"])
@pytest.mark.parametrize("before", ["nothing", "empty directory", "other link"])
def test_guest_keeps_the_journal_in_the_tree(journals, machine, do, mode, before):
    if before == "empty directory":
        OURS.mkdir()
    elif before == "other link":
        OURS.symlink_to("/etc")
    for _ in range(2):
        result = start(do, machine, mode)
        assert result.complaint == "" and not is_bound(result)
        assert os.readlink(OURS) == f"{machine}{OURS}"
        assert (machine / str(OURS)[1:]).is_dir()


def test_j_is_try_guest(journals, machine, do):
    assert do(machine, "exit", "3", options=["-j"]).code == 3
    assert OURS.is_symlink()


@pytest.mark.parametrize("mode", ["no", "off", "false"])
def test_no_is_no(journals, machine, do, mode):
    OURS.mkdir()
    assert not is_bound(start(do, machine, mode))
    assert not (machine / "var/log").exists()


def test_by_default_a_journal_stays_with_its_machine(journals, machine, tree, do):
    """A tree may claim the id of any machine, and with it that machine's journal, to read and to write."""
    OURS.mkdir()
    assert not is_bound(start(do, machine, None)), "nobody asked for it"
    assert is_bound(start(do, machine, "host")) and is_bound(start(do, machine, None))
    other = tree({"etc/machine-id": ID + "\n"})
    assert not is_bound(start(do, other, None)), "a claim"
    assert is_bound(start(do, other, "auto")) and is_bound(start(do, other, None))
    assert not is_bound(start(do, machine, None)), "it is the other's now"


@pytest.mark.parametrize("mode", ["auto", "yes"])
def test_auto_follows_what_is_there(journals, machine, do, mode):
    result = start(do, machine, mode)
    assert not is_bound(result) and result.complaint == "" and not (machine / "var/log").exists() and not OURS.exists()
    OURS.mkdir()
    result = start(do, machine, mode)
    assert is_bound(result) and result.complaint == ""


@pytest.mark.parametrize("mode", [None, "auto"])
def test_auto_leaves_a_link_as_it_is(journals, machine, do, mode):
    """The reference takes away a link that leads elsewhere, with no option given at all."""
    OURS.symlink_to("/etc")
    assert not is_bound(start(do, machine, mode))
    assert os.readlink(OURS) == "/etc"


@pytest.mark.parametrize("mode", MODES)
def test_a_host_without_journals(logs, machine, do, mode):
    result = start(do, machine, mode)
    assert list(logs.iterdir()) == [] and not (machine / "var/log").exists()
    if mode.startswith("try"):
        assert (result.code, result.complaint) == (0, "")
    else:
        assert result.code == 1 and "'/var/log/journal'" in result.complaint and f"try-{mode}" in result.complaint


def held_up(result, mode, why):
    """Refused, or only tried and said so."""
    assert result.code == (0 if mode.startswith("try") else 1), result
    assert why in result.complaint and str(JOURNALS) in result.complaint
    assert len(result.complaint.strip().splitlines()) == 1
    assert result.code == 1 or not is_bound(result)


@pytest.mark.parametrize("mode", MODES)
def test_the_hosts_own_id(journals, tree, do, mode):
    own = pathlib.Path("/etc/machine-id")
    if not own.exists() or len(own.read_text(encoding="utf-8").strip()) != 32:
        pytest.skip("this host has no machine id")
    held_up(start(do, tree({"etc/machine-id": own.read_text(encoding="utf-8")}), mode), mode, "machine id of the host")
    assert list(journals.iterdir()) == []


def test_auto_says_it_too_where_there_would_be_a_link(journals, tree, do):
    own = pathlib.Path("/etc/machine-id")
    if not own.exists() or len(own.read_text(encoding="utf-8").strip()) != 32:
        pytest.skip("this host has no machine id")
    root = tree({"etc/machine-id": own.read_text(encoding="utf-8")})
    assert start(do, root, "auto").complaint == ""
    (journals / own.read_text(encoding="utf-8").strip()).mkdir()
    assert "machine id of the host" in start(do, root, "auto").complaint


@pytest.mark.parametrize("mode", MODES)
def test_without_an_id_it_is_the_one_of_this_boot(journals, tree, run, mode):
    """An init that finds none writes this one down, so that the first boot's journal is linked already."""
    root = tree({"sbin/init=": "/payload"})
    assert run("-q", "-P", "-b", "-D", root, f"--link-journal={mode}", "exit", "0").code == 0
    name, = [path.name for path in journals.iterdir()]
    assert len(name) == 32 and (root / "var/log/journal" / name).is_dir()


@pytest.mark.parametrize("mode", MODES)
def test_a_command_without_an_id_leaves_nothing(journals, tree, do, mode):
    """The reference leaves one more link or directory each time."""
    root = tree()
    result = start(do, root, mode)
    assert result.code == 0 and ("no machine id" in result.complaint) == (not mode.startswith("try"))
    assert list(journals.iterdir()) == [] and not (root / "var/log").exists()


@pytest.mark.parametrize("mode", MODES)
def test_the_id_that_was_given(journals, tree, do, mode):
    assert start(do, tree(), mode, f"--uuid={ID}").code == 0
    assert [path.name for path in journals.iterdir()] == [ID]


@pytest.mark.parametrize("mode", ["guest", "try-guest"])
def test_journals_on_the_host_do_not_give_way(journals, machine, do, mode):
    OURS.mkdir()
    (OURS / "x.journal").write_text("kept")
    held_up(start(do, machine, mode), mode, "cannot give way")
    assert (OURS / "x.journal").read_text() == "kept"


@pytest.mark.parametrize("mode", MODES)
def test_something_else_on_the_host(journals, machine, do, mode):
    OURS.write_text("a file")
    held_up(start(do, machine, mode), mode, "something else than a directory")
    assert OURS.read_text() == "a file"


@pytest.mark.parametrize("mode", MODES)
def test_a_mount_point_on_the_host(journals, machine, do, mode):
    OURS.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "nspawn-test", OURS], check=True)
    held_up(start(do, machine, mode), mode, "mount point on the host")
    assert OURS.is_mount()


@pytest.mark.parametrize("mode", MODES)
def test_a_mount_point_in_the_tree(journals, machine, do, mode):
    inside = machine / str(OURS)[1:]
    inside.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "nspawn-test", inside], check=True)
    held_up(start(do, machine, mode), mode, "mount point in the tree")
    subprocess.run(["umount", inside], check=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ["/var", str(JOURNALS), str(OURS)])
def test_below_a_mount_of_the_user_nothing_would_be_seen(journals, machine, do, mode, place):
    held_up(start(do, machine, mode, f"--tmpfs={place}"), mode, "mounted over it")
    assert list(journals.iterdir()) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_tree_that_is_started_read_only_is_not_written_to(journals, tree, do, mode):
    folders = {f"{name}/": None for name in ("var", "proc", "sys", "dev", "run", "tmp", "root")}
    root = tree({"etc/machine-id": ID, "etc/resolv.conf": "", "etc/localtime": "", **folders})
    held_up(start(do, root, mode, "--read-only"), mode, "no such directory in the tree")
    assert list((root / "var").iterdir()) == []
    (root / str(OURS)[1:]).mkdir(parents=True)
    assert start(do, root, mode, "--read-only").complaint == ""
    assert OURS.exists()


def test_what_the_tree_had_is_only_hidden(journals, machine, run):
    inside = machine / str(OURS)[1:]
    inside.mkdir(parents=True)
    (inside / "old.journal").write_text("old")
    result = run("-P", "-D", machine, "--link-journal=host", "--console=pipe", "/payload", "list", OURS, "1")
    assert result.json == {} and (inside / "old.journal").read_text() == "old"


@pytest.mark.parametrize("mode", [*MODES, "auto"])
@pytest.mark.parametrize("place", ["var", "var/log", "var/log/journal", f"var/log/journal/{ID}"])
@pytest.mark.parametrize("kind", ["absolute", "relative", "dangling", "loop", "file", "proc"])
def test_a_tree_cannot_lead_outside(journals, machine, do, tmp_path, mode, place, kind):
    """Each part of the way is a link to the host: nothing is made there, and the host's link stays below the tree."""
    victim = tmp_path / "victim"
    victim.mkdir()
    os.utime(victim, (1000000000, 1000000000))
    if mode == "auto":
        OURS.mkdir()
    path = machine / place
    path.parent.mkdir(parents=True, exist_ok=True)
    targets = {"absolute": str(victim), "relative": "../" * 30 + str(victim)[1:], "dangling": "/no/where", "loop": f"/{place}",
               "proc": "/proc"}
    if kind == "file":
        path.write_text("file")
    else:
        if path.is_dir():
            path.rmdir()
        path.symlink_to(targets[kind])
    result = start(do, machine, mode, "-q")
    assert list(victim.iterdir()) == [] and victim.stat().st_mtime == 1000000000
    assert result.code in (0, 1) and (result.code == 0 or not mode.startswith("try")), result
    if OURS.is_symlink():
        assert os.path.realpath(OURS).startswith(f"{os.path.realpath(machine)}/")
    if result.code == 0:
        types = {mount["target"]: mount["type"] for mount in result.json["mounts"]}
        assert types["/proc"] == "proc"


def test_a_way_through_links_of_the_tree_is_found(journals, machine, do):
    """The host's link leads to the place itself: as the host would follow the tree's links, it would go astray."""
    (machine / "data/journals").mkdir(parents=True)
    (machine / "var/log").mkdir(parents=True)
    (machine / "var/log/journal").symlink_to("/data/journals")
    assert start(do, machine, "guest").code == 0
    assert os.readlink(OURS) == f"{machine}/data/journals/{ID}" and OURS.is_dir()
    assert start(do, machine, "host").code == 0
    assert OURS.is_dir() and not OURS.is_symlink()


@pytest.mark.parametrize("mode", [None, "guest", "try-host"])
def test_a_settings_file_may_say_it(journals, machine, run, tmp_path, mode):
    """Only a trusted one: the one beside the tree is not."""
    (machine.parent / f"{machine.name}.nspawn").write_text("[Exec]\nLinkJournal=guest\n")
    result = run("-q", "-P", "-D", machine, *(["--settings=trusted"] if mode else []), "/payload", "exit", "0")
    (machine.parent / f"{machine.name}.nspawn").unlink()
    assert result.code == 0 and OURS.is_symlink() == bool(mode)


# --- --forward-journal= ---

needs_receiver = pytest.mark.requires("journal-remote")
SOCKET = "/run/host/journal/socket"


def entry(text, number=1):
    """In the journal's export format."""
    return (f"__REALTIME_TIMESTAMP={1700000000000000 + number}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID={'1' * 32}\n"
            f"_MACHINE_ID={ID}\n_HOSTNAME=inside\nMESSAGE={text}\n\n").encode()


def read_back(*where):
    result = subprocess.run(["journalctl", "-q", "-o", "cat", *where], check=True, capture_output=True, text=True)
    return result.stdout.split("\n")[:-1]


def send(run, root, output, text, *options):
    return run("-q", "-P", "-D", root, f"--forward-journal={output}", *options, "/payload", "send", SOCKET, stdin=text)


@needs_receiver
def test_a_file(tree, run, tmp_path):
    """In a directory that is made; a second start adds to it."""
    output = tmp_path / "new/er/m.journal"
    for number in (1, 2):
        result = send(run, tree(), output, entry(f"sentence {number}", number))
        assert result.json["errno"] == 0 and result.complaint == ""
    assert read_back("--file", output) == ["sentence 1", "sentence 2"]
    assert oct(output.parent.stat().st_mode & 0o777) == "0o755"


@needs_receiver
def test_a_directory_has_a_file_for_each_machine(tree, run, tmp_path):
    for number, name in enumerate(("first", "second")):
        assert send(run, tree(), tmp_path / "all", entry(name, number), "-M", name).json["errno"] == 0
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["remote-first.journal", "remote-second.journal"]
    assert read_back("--file", tmp_path / "all/remote-first.journal") == ["first"]
    assert read_back("-D", tmp_path / "all") == ["first", "second"]


@needs_receiver
def test_what_was_said_last_is_not_lost(tree, run, tmp_path):
    """The machine ends right after it spoke; much of it is still on the way then."""
    count = 3000
    text = b"".join(entry(f"{number:05}", number) for number in range(1, count + 1))
    assert send(run, tree(), tmp_path / "m.journal", text).json["errno"] == 0
    assert len(read_back("--file", tmp_path / "m.journal")) == count


@needs_receiver
@pytest.mark.parametrize("junk", [b"\x1b]0;title\x07no entry at all\n\n", b"=\x1b[31m\n\n", b"A" * 300000, b"MESSAGE\n" + b"\xff" * 8,
                                  b"__REALTIME_TIMESTAMP=\x1b[31m\n\n", b"\0" * 5000],
                         ids=["title", "field", "endless", "cut", "time", "zeros"])
def test_junk_hurts_nobody(tree, run, tmp_path, junk):
    """Neither the terminal, nor what comes after on a connection of its own."""
    text = entry("before") + junk
    result = run("-P", "-D", tree(), f"--forward-journal={tmp_path}/m.journal", "/payload", "send", SOCKET, stdin=text)
    assert result.code == 0 and b"\x1b" not in result.err and b"\x07" not in result.err
    assert send(run, tree(), tmp_path / "m.journal", entry("after", 2)).json["errno"] == 0
    assert read_back("--file", tmp_path / "m.journal")[::len(read_back("--file", tmp_path / "m.journal")) - 1] == ["before", "after"]


@needs_receiver
def test_an_init_inside_is_told(tree, run, tmp_path):
    root = tree({"sbin/init=": "/payload", "etc/os-release": "ID=test\n"})
    result = run("-q", "-P", "-b", "-D", root, f"--forward-journal={tmp_path}/m.journal", "read",
                 "/run/host/credentials/journal.forward_to_socket")
    assert (result.code, result.text) == (0, SOCKET)


@needs_receiver
def test_the_socket_is_for_root_and_on_the_host_for_nobody_else(tree, Running, tmp_path):
    with Running("-q", "-P", "-D", tree(), "-M", "private", f"--forward-journal={tmp_path}/m.journal", "/payload",
                 "wait-signal") as machine:
        machine.expect("waiting")
        outside = pathlib.Path("/run/systemd/nspawn/journal/private")
        assert oct(outside.stat().st_mode & 0o7777) == "0o700" and (outside / "socket").is_socket()
        inside = pathlib.Path(f"/proc/{leader_of(machine.pid)}/root{SOCKET}")
        assert oct(inside.stat().st_mode & 0o7777) == "0o600"
    assert not outside.exists() and not outside.parent.exists()


def receiver_of(pid):
    found, = [child for child, name in descendants(pid).items() if name.startswith("systemd-journal")]
    return found


@needs_receiver
def test_the_receiver_can_do_little_harm(tree, Running, tmp_path):
    with Running("-q", "-P", "-D", tree(), f"--forward-journal={tmp_path}/out/m.journal", "/payload", "wait-signal") as machine:
        machine.expect("waiting")
        process = pathlib.Path(f"/proc/{receiver_of(machine.pid)}")
        status = (process / "status").read_text(encoding="utf-8")
        assert "NoNewPrivs:\t1" in status and "CapEff:\t000000000000000a" in status
        assert {line.split(":")[0].strip() for line in (process / "net/dev").read_text().splitlines()[2:]} == {"lo"}
        # Several mounts may be stacked at one place: the last is what is seen.
        writable = {line.split()[4] for line in (process / "mountinfo").read_text().splitlines() if "rw" in line.split()[5].split(",")}
        assert writable == {str(tmp_path / "out")}
        assert sorted(os.listdir(process / "root/run/systemd")) == []
        kinds = [os.readlink(link).split(":")[0] for link in (process / "fd").iterdir() if int(link.name) > 2]
        assert kinds.count("socket") == 1 and set(kinds) <= {"anon_inode", "socket", str(tmp_path / "out/m.journal")}


@needs_receiver
def test_a_receiver_that_dies_is_told_of_and_the_machine_goes_on(tree, Running, tmp_path):
    with Running("-q", "-P", "-D", tree(), f"--forward-journal={tmp_path}/m.journal", "/payload", "wait-signal") as machine:
        machine.expect("waiting")
        os.kill(receiver_of(machine.pid), signal.SIGKILL)
        machine.expect("ended early")
        assert machine.process.poll() is None


@needs_receiver
def test_a_supervisor_that_is_killed_takes_the_receiver_along_and_blocks_nobody(tree, Running, run, tmp_path):
    root, output = tree(), tmp_path / "m.journal"
    with Running("-q", "-P", "-D", root, "-M", "again", f"--forward-journal={output}", "/payload", "wait-signal") as machine:
        machine.expect("waiting")
        receiver = receiver_of(machine.pid)
        machine.signal(signal.SIGKILL)
        deadline = time.monotonic() + 5
        while os.path.exists(f"/proc/{receiver}") and time.monotonic() < deadline:
            if "State:\tZ" in pathlib.Path(f"/proc/{receiver}/status").read_text(encoding="utf-8"):
                break
            time.sleep(0.02)
        else:
            assert not os.path.exists(f"/proc/{receiver}")
    assert os.path.exists("/run/systemd/nspawn/journal/again/socket")
    assert run("--cleanup", "-M", "again").code == 0
    assert not os.path.exists("/run/systemd/nspawn/journal")
    with Running("-q", "-P", "-D", root, "-M", "again", f"--forward-journal={output}", "/payload", "wait-signal") as machine:
        machine.expect("waiting")
        machine.signal(signal.SIGKILL)
    result = send(run, root, output, entry("afterwards"), "-M", "again")
    assert result.json["errno"] == 0 and result.complaint == ""
    assert read_back("--file", output) == ["afterwards"]


@needs_receiver
def test_the_receiver_starts_again_with_the_machine(tree, run, tmp_path):
    script = f"[ -S {SOCKET} ] || exit 4; [ -e /var/again ] && exit 3; mkdir -p /var; : >/var/again; exec reboot -f"
    result = run("-q", "-P", "-D", tree(kind="busybox"), f"--forward-journal={tmp_path}/m.journal", "/bin/sh", "-c", script)
    assert (result.code, result.complaint) == (3, ""), result


def test_limits_need_a_journal(tree, do):
    for option in ("max-use=1M", "keep-free=1M", "max-file-size=1M", "max-files=3"):
        result = do(tree(), "exit", "0", options=[f"--forward-journal-{option}"])
        assert result.code == 1 and "--forward-journal=PATH" in result.complaint


@needs_receiver
@pytest.mark.parametrize("option", ["max-use=1M", "keep-free=1M", "max-file-size=1M", "max-files=3"])
def test_limits_need_a_receiver_that_knows_them(tree, do, tmp_path, option):
    words = subprocess.run([RECEIVER, "--version"], check=True, capture_output=True, text=True).stdout.split()
    result = do(tree(), "exit", "5", options=[f"--forward-journal={tmp_path}/m.journal", f"--forward-journal-{option}"])
    if int(words[1]) < 253:
        assert result.code == 1 and "253" in result.complaint and words[1] in result.complaint
    else:
        assert (result.code, result.complaint) == (5, "")


def test_its_credential_is_taken(tree, do, tmp_path):
    result = do(tree(), "exit", "0", options=[f"--forward-journal={tmp_path}/m.journal", "--set-credential=journal.forward_to_socket:x"])
    assert result.code == 1 and "journal.forward_to_socket" in result.complaint


def test_a_missing_program_is_named(tree, do, tmp_path):
    """Covered by an empty directory, in the bed of the tests."""
    if not os.path.isdir("/usr/lib/systemd"):
        pytest.skip("there is nothing to hide")
    subprocess.run(["mount", "-t", "tmpfs", "nspawn-test", "/usr/lib/systemd"], check=True)
    try:
        result = do(tree(), "exit", "0", options=[f"--forward-journal={tmp_path}/m.journal"])
    finally:
        subprocess.run(["umount", "/usr/lib/systemd"], check=True)
    assert result.code == 1 and "Install the package systemd-journal-remote" in result.complaint
    assert not (tmp_path / "m.journal").exists()


@needs_receiver
@pytest.mark.parametrize("output", ["/proc/none/m.journal", "/etc/hostname/x"])
def test_an_output_that_cannot_be_made(tree, do, output):
    result = do(tree(), "exit", "0", options=[f"--forward-journal={output}"])
    assert result.code == 1 and len(result.complaint.strip().splitlines()) == 1


@needs_receiver
def test_a_tree_cannot_lead_the_socket_astray(tree, do, tmp_path):
    root = tree({"run=": str(tmp_path)})
    do(root, "exit", "0", options=[f"--forward-journal={tmp_path}/m.journal"])
    assert [path.name for path in tmp_path.iterdir() if path.name != "m.journal"] == []
