# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is other when an ordinary user starts a machine: whose manager is asked for a cgroup, and what is said if it
declines."""
import contextlib
import os
import shutil
import socket
import tarfile
import time

import pytest

from lab import identity, manager
from lab.run import program

pytestmark = pytest.mark.requires("root", "cgroup2")


@pytest.fixture
def own(tmp_path):
    """The environment of a user with a runtime directory: in the scope of a user root asks like anybody."""
    if identity.IS_USER:
        return identity.RUNTIME, {}
    tmp_path.chmod(0o700)
    return tmp_path, {"XDG_RUNTIME_DIR": str(tmp_path)}


def start(run, root, own, *options, words=("/payload", "cgroup")):
    return run("--user", "-D", root, "--console=pipe", *options, *words, env=own[1])


UID = identity.UID if identity.IS_USER else 0


@pytest.mark.parametrize("place", ["bus", "systemd/private"])
def test_the_user_s_manager_makes_a_scope(tree, run, own, place):
    root = tree()
    with manager.Manager(own[0] / place, UID) as asked:
        result = start(run, root, own, "--slice=lab", "--property=TasksMax=40", "--property=Description=A lab", words=("/payload", "exit", "4"))
        assert result.code == 4, result
        assert asked.unit == f"machine-{root.name}.scope"
        wanted = {"Slice": "lab.slice", "TasksMax": 40, "Delegate": 1, "CollectMode": "inactive-or-failed"}
        assert wanted.items() <= asked.properties.items()
        assert (asked.calls[0] == "Hello") is (place == "bus")
        # All of it is given back: the manager finds nothing in the group but what it made.
        assert not [name for name in os.listdir(asked.group) if os.path.isdir(f"{asked.group}/{name}")]
        assert open(f"{asked.group}/cgroup.procs", encoding="utf-8").read() == ""


def test_the_payload_is_in_the_scope(tree, Running, own):
    root = tree()
    with manager.Manager(own[0] / "bus", UID) as asked:
        with Running("--user", "-D", root, "-P", "/payload", "sleep", "30", env=own[1]) as machine:
            machine.expect("sleeping")
            assert open(f"{asked.group}/payload/cgroup.procs", encoding="utf-8").read().split()
            assert open(f"{asked.group}/supervisor/cgroup.procs", encoding="utf-8").read().split() == [str(machine.pid)]


@pytest.mark.parametrize("manner, sentence", [
    ("refuse", "That unit is there already."),
    ("fail", "Cannot get a scope"),
    ("garbage", "Cannot get a scope"),
    ("hang up", "Cannot get a scope"),
    ("silent", "Connection timed out"),
])
def test_without_a_scope_it_starts_all_the_same(tree, run, own, manner, sentence):
    root = tree()
    with manager.Manager(own[0] / "bus", UID, manner):
        result = start(run, root, own, words=("/payload", "exit", "5"))
    assert result.code == 5, result
    said = [line for line in result.complaint.splitlines() if "scope" in line]
    assert len(said) == 1 and sentence in said[0] and "going on without" in said[0], result


def test_with_keep_unit_nobody_is_asked(tree, run, own):
    with manager.Manager(own[0] / "bus", UID) as asked:
        assert start(run, tree(), own, "--keep-unit", words=("/payload", "exit", "6")).code == 6
        assert "StartTransientUnit" not in asked.calls


@pytest.mark.parametrize("option, sentence", [
    ("--property=MemoryMax=much", "'MemoryMax' takes a size such as 512M"),
    ("--property=NoSuchThing=1", "'NoSuchThing' cannot be handed on"),
])
def test_a_property_that_cannot_be_handed_on(tree, run, own, option, sentence):
    with manager.Manager(own[0] / "bus", UID) as asked:
        result = start(run, tree(), own, option)
    assert result.code == 1 and sentence in result.complaint and asked.unit is None


def test_the_plan_says_who_would_be_asked(tree, run, own):
    root = tree()
    with manager.Manager(own[0] / "bus", UID) as asked:
        plan = run("--user", "-D", root, "--dry-run=json", "/payload", env=own[1]).json
        assert "StartTransientUnit" not in asked.calls
    names = {row["name"]: row["value"] for row in plan["cgroup"]}
    assert names["machine"] == f"machine-{root.name}.scope" and names["slice"] == "machine.slice"


@pytest.mark.root_only("changes the program's mode")
@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_a_program_that_lends_rights_is_refused(tmp_path, run, mode):
    copy = tmp_path / "nspawn"
    copy.write_bytes(open(run("--version").words[0], "rb").read())
    copy.chmod(mode)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    result = run("-D", "/srv", "/bin/true", command=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(copy)])
    assert result.code == 1 and "does not run set-user-id" in result.complaint


def test_changes_of_a_user_s_machine(tree, run, Running, tmp_path):
    """Whoever of the machine's users they belong to."""
    if not identity.IS_USER:
        pytest.skip("the verbs of root look for machines of the system")
    root = tree(kind="busybox")
    script = "mkdir -m 700 /srv && echo x >/srv/a && chmod 600 /srv/a && chown -R 7:8 /srv && rm /etc/hosts && echo done && exec sleep 60"
    with Running("-D", root, "-P", "-x", "-M", "lab", "/bin/sh", "-c", script) as machine:
        machine.expect("done")
        assert {"A /srv", "A /srv/a", "D /etc/hosts"} <= set(run("diff", "lab").text.splitlines())
        assert run("export", "lab", tmp_path / "x.tar").code == 0
        assert run("commit", "lab", "/srv").code == 0
    status = (root / "srv/a").stat()
    assert (status.st_uid, status.st_gid) == (identity.outside(7), identity.outside(8)) and (root / "etc/hosts").exists()
    with tarfile.open(tmp_path / "x.tar") as archive:
        found = archive.getmember("srv/a")
        assert (found.uid, found.gid, found.mode) == (7, 8, 0o600) and "etc/hosts" not in archive.getnames()
    assert not [name for name in os.listdir("/var/tmp") if name.startswith("nspawn-")]


FILES = """mkdir -m 700 /srv && echo x >/srv/a && chmod 600 /srv/a && chown -R 7:8 /srv && mkdir /mnt /opt && echo ready
while read line; do sh -c "$line"; echo "[done]"; done"""


def test_files_of_a_user_s_machine(tree, run, Running):
    """What comes out is the user's own, whoever had it inside; what goes in is root's."""
    if not identity.IS_USER:
        pytest.skip("the verbs of root look for machines of the system")
    root, folder = tree(kind="busybox"), identity.HOME / "files"
    folder.mkdir(mode=0o700)
    (folder / "own").write_text("of the user\n")
    (folder / "own").chmod(0o600)
    (folder / "others").write_text("of root\n")
    (folder / "others").chmod(0o644)
    for path in (folder, folder / "own"):
        os.chown(path, identity.UID, identity.UID)
    with Running("-D", root, "-P", "-M", "lab", "/bin/sh", "-c", FILES) as machine:
        machine.expect("ready")

        def do(script):
            del machine.out[:]
            machine.process.stdin.write(script.encode() + b"\n")
            machine.process.stdin.flush()
            return machine.expect("[done]").out.decode()

        result = run("copy-from", "lab", "/srv", folder / "srv")
        assert result.code == 0 and result.err == b"", result
        status = (folder / "srv/a").stat()
        assert (status.st_uid, status.st_gid, oct(status.st_mode)) == (identity.UID, identity.UID, "0o100600")
        result = run("copy-to", "lab", folder, "/opt/files")
        assert result.code == 0, result
        assert "0 0 600" in do("stat -c '%u %g %a' /opt/files/own") and "of root" in do("cat /opt/files/others")
        result = run("bind", "lab", folder, "/mnt")
        assert result.code == 0 and result.err == b"", result
        assert "of the user" in do("cat /mnt/own") and run("unbind", "lab", "/mnt").code == 0
        assert "own" not in do("ls /mnt")
        result = run("bind", "lab", folder, "/made/here", "--mkdir", "--read-only")
        assert result.code == 0 and result.err == b"", result
        assert "Read-only" in do("mount -o remount,bind,rw /made/here 2>/dev/null; touch /made/here/x 2>&1")
        assert run("bind", "lab", folder, "/mnt:idmap").code == 1


NOBODYS = 47111


@pytest.fixture
def single(tmp_path, run, tree):
    """Runs nspawn as a user to whom nothing gives ids, after a script of root's in a mount namespace of its own."""
    copy = tmp_path / "nspawn"
    copy.write_bytes(open(run("--version").words[0], "rb").read())
    copy.chmod(0o755)
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)

    def start(root, *options, script="true", how=""):
        for folder in (root, root.parent, root.parent.parent):
            folder.chmod(0o755)
        for path in (root, *root.rglob("*")):
            os.chown(path, NOBODYS, NOBODYS, follow_symlinks=False)
        become = f'{script} && exec setpriv --reuid={NOBODYS} --regid={NOBODYS} --clear-groups {how} "$@"'
        return run("-P", "-D", root, *options, command=["unshare", "--mount", "sh", "-ec", become, "sh", str(copy)],
                   env={"HOME": "/", "XDG_RUNTIME_DIR": None})

    return start


@pytest.mark.requires("userns")
@pytest.mark.root_only("becomes a user itself")
@pytest.mark.parametrize("options, kind", [(["-u", "daemon"], "user id 1"), (["-u", "77"], "user id 77"), (["-u", "staff"], "group id 50")])
def test_a_user_whose_id_the_machine_has_not(tree, single, options, kind):
    passwd = "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/home/daemon:/bin/sh\nstaff:x:0:50::/:/bin/sh\n"
    root = tree({"etc/passwd": passwd, "bin/getent!": "#!/payload\n"})
    result = single(root, "-q", *options, "/payload", "exit", "0")
    said = result.complaint.splitlines()
    assert result.code == 1 and len(said) == 2, result
    assert said[0] == f"nspawn: The user '{options[1]}' has the {kind}, which is not among the machine's ids"
    assert "add as root the line" in said[1] or "Install them" in said[1]
    assert not (root / "home/daemon").exists()
    assert single(root, "-q", "-u", "root", "/payload", "exit", "3").code == 3
    # Nor can anybody ask the tree: that would be done as nobody.
    assert "There is no user 'eve' in the tree" in single(root, "-q", "-u", "eve", "/payload", "exit", "0").complaint


@pytest.mark.requires("userns")
@pytest.mark.root_only("becomes a user itself")
def test_a_command_hears_nothing_of_a_cgroup_that_it_does_not_need(tree, single):
    result = single(tree(), "--console=read-only", "/payload", "exit", "3")
    assert result.code == 3 and "Spawning machine" in result.complaint and "cgroup" not in result.complaint, result


@pytest.mark.requires("userns")
@pytest.mark.root_only("makes mounts")
def test_a_host_whose_sys_is_no_sysfs(tree, single):
    """As in a container with a network of its own, where it is a tmpfs with parts of one."""
    script = "mount -t tmpfs tmpfs /sys && mkdir /sys/class && echo x >/sys/class/mark"
    result = single(tree(), "-q", "/payload", "read", "/sys/class/mark", script=script)
    assert result.code == 0, result
    assert "x" in result.text and "hides" not in result.complaint


@pytest.mark.requires("userns")
@pytest.mark.root_only("becomes a user itself")
def test_the_plan_says_whether_nodes_are_made(tree, run, single):
    """Nodes that are mounted are seen among the mounts."""
    root = tree()
    ways = [lambda *words: run("-q", "-P", "-D", root, *words), lambda *words: run("-q", "-P", "-D", root, "-U", *words),
            lambda *words: single(root, "-q", *words)]
    for way, is_bound in zip(ways, (False, False, True)):
        rows = {row["name"]: row for row in way("--dry-run=json", "/payload", "exit", "0").json["devices"]}
        assert rows["/dev/null"]["is_bound"] is is_bound
        assert ("/dev/null" in way("/payload", "mounts").text) is is_bound
    assert rows["others"]["is_filtered"] is False


@pytest.mark.requires("userns")
@pytest.mark.root_only("becomes a user itself")
@pytest.mark.parametrize("options, script, sentence, advice", [
    ([], "chmod 0 {root}", "Cannot take a private view of the tree: Permission denied", "needs mode 0500 at least"),
    (["-x"], "mount -t tmpfs tmpfs {root}/mnt", "Cannot make an overlay for '/': Invalid argument", "other file systems are mounted in"),
    (["--bind=/usr:/mnt:rootidmap"], "true", "Only root can map the owners of", "Leave out '--bind-user='"),
])
def test_what_a_user_cannot_do_comes_with_advice(tree, single, options, script, sentence, advice):
    root = tree({"mnt/": None})
    result = single(root, "-q", *options, "/payload", "exit", "0", script=script.format(root=root))
    said = result.complaint.splitlines()
    assert result.code == 1 and sentence in said[-2] and advice in said[-1], result

TESS = f"nspawn-tess:x:{NOBODYS}:{NOBODYS}::/var/tmp/nspawn-tess:/bin/sh"


def lines(**files):
    """A script that gives files in /etc of a mount namespace one line more each."""
    return "".join(f"cp /etc/{name} /tmp/nspawn-tess; echo {line} >>/tmp/nspawn-tess; "
                   f"mount --bind /tmp/nspawn-tess /etc/{name}; rm /tmp/nspawn-tess; " for name, line in files.items())


@pytest.mark.requires("userns")
@pytest.mark.root_only("becomes a user itself")
def test_a_home_that_cannot_be_mapped_is_refused_at_once(tree, single):
    """Before anything is made, also by --dry-run; once, although no user may read passwords either."""
    script = (lines(passwd=TESS, group=f"nspawn-tess:x:{NOBODYS}:") +
              f"mount -t tmpfs tmpfs /var/tmp; mkdir /var/tmp/nspawn-tess; chown {NOBODYS}:{NOBODYS} /var/tmp/nspawn-tess")
    for option in ([], ["--dry-run"]):
        result = single(tree(), "-q", "--bind-user=nspawn-tess", *option, "/payload", "exit", "0", script=script)
        said = result.complaint + result.text
        assert result.code == 1 and said.count("Only root can map the owners of '/var/tmp/nspawn-tess'") == 1, result
        assert "Leave out '--bind-user=', or start the machine as root" in said and "password" not in said, result


@pytest.mark.requires("userns")
@pytest.mark.root_only("becomes a user itself")
@pytest.mark.parametrize("how", ["setpriv --no-new-privs", "strace -f -o /dev/null"])
def test_ids_by_programs_that_get_no_rights(tree, single, how):
    """They are not even tried."""
    if how.startswith("strace") and not shutil.which("strace"):
        pytest.skip("strace is not installed")
    for name in ("newuidmap", "newgidmap"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")
    ids = "nspawn-tess:1610612736:65536"
    script = lines(passwd=TESS, subuid=ids, subgid=ids) + "true"
    words = ["/payload", "read", "/proc/self/uid_map"]
    root = tree()
    whole = single(root, *words, script=script)
    assert "65535" in whole.text, whole
    limited = single(root, *words, script=script, how=how)
    assert limited.code == 0 and "65535" not in limited.text, limited
    rows = {row["name"]: row for row in single(root, "--dry-run=json", *words, script=script, how=how).json["ids"]}
    assert any("get no rights under" in str(row) for row in rows.values()), rows


@pytest.mark.requires("userns", "newuidmap")
@pytest.mark.root_only("becomes a user itself")
def test_containers_inside(tree, single):
    """Of whom only one range of ids is: it comes in two pieces, as root inside is the user."""
    root = tree({"inner/": None, "merged/": None}, kind="busybox")
    shutil.copytree(tree(kind="busybox"), root / "inner", symlinks=True, dirs_exist_ok=True)
    shutil.copy(program()[-1], root / "nspawn")
    ids = "nspawn-tess:1610612736:65536"
    script = lines(passwd=TESS, subuid=ids, subgid=ids) + "true"
    nspawn = "/nspawn -q -P -D /inner"
    for inside, text in (("unshare -Urpfmn --mount-proc sh -c 'mount -t tmpfs tmpfs /sys && echo $$ in'", "1 in"),
                         (f"{nspawn} sh -c 'echo $$ in'", "1 in"),
                         (f"{nspawn} --private-users=identity sh -c 'echo $$ in; cat /proc/self/uid_map'", "1 in 0 0 1 1 1 65535"),
                         (f"mount -t tmpfs tmpfs /tmp; {nspawn} -x --ephemeral-dir=/tmp sh -c 'echo new >/new; cat /new'; ls -d /inner/new", "new")):
        for network in ([], ["--private-network"]):
            result = single(root, "-q", "--nesting", *network, "/bin/sh", "-c", inside, script=script)
            assert result.text.split() == text.split(), result


@pytest.mark.root_only("becomes a user itself")
def test_what_cannot_be_reached_is_the_tree(tree, single, tmp_path):
    """And not a settings file that would be beside it."""
    (tmp_path / "closed/tree").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    result = single(tree(), "-q", "-D", tmp_path / "closed/tree", "/payload", "exit", "0")
    assert result.code == 1 and result.complaint.splitlines()[0].startswith("nspawn: Cannot open the tree"), result


@pytest.mark.root_only("looks at the system's own directories")
def test_a_runtime_directory_that_is_not_taken_is_mentioned(tree, run, tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    result = run("--user", "-D", tree(), "/payload", "exit", "3", env={"XDG_RUNTIME_DIR": str(tmp_path / "open")})
    said = [line for line in result.complaint.splitlines() if "XDG_RUNTIME_DIR" in line]
    assert result.code == 3 and said == [f"nspawn: '{tmp_path}/open' of $XDG_RUNTIME_DIR is not a directory of ours alone, looking elsewhere"], result


def answers(address, port):
    for _ in range(100):
        with contextlib.suppress(ConnectionError), socket.create_connection((address, port), timeout=5) as client:
            client.sendall(b"in")
            if client.recv(16) == b"in":
                return True
        time.sleep(0.05)
    return False


@pytest.mark.requires("netns")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("how", ["-a", "-b", None])
def test_ports_of_a_private_network(tree, run, Running, own, how, address):
    """One leads in and one out, without any link, and before the first program runs; more come later. Whoever is process 1: a stub init never
    executes anything, and nobody inside may look into it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server, socket.create_server(("", 0)) as spare, socket.create_server(("", 0)) as later:
        out, port, more = server.getsockname()[1], spare.getsockname()[1], later.getsockname()[1]
        spare.close()
        script = (f"nc -ll -p 80 -e /bin/cat & echo out | nc 127.0.0.1 {out} || exit 9; readlink /proc/1/ns/net && echo seen; echo said; read line; "
                  f"echo more | nc 127.0.0.1 {more}; sleep 60")
        root = tree({"start!": f"#!/bin/sh\n{script}\n"}, kind="busybox")
        shutil.move(root / "start", root / "sbin/init")
        start = {"-a": ["-a", "/bin/sh", "-c", script], "-b": ["-b"], None: ["/bin/sh", "-c", script]}[how]
        with Running("--user", "-D", root, "-M", "lab", "-P", "--private-network", "-p", f"{port}:80", f"--host-port={out}", *start, env=own[1]) as machine:
            server.settimeout(20)
            with server.accept()[0] as connection:
                assert connection.recv(16) == b"out\n"
            machine.expect("said")
            assert answers(address, port)
            if not identity.IS_USER:
                return  # the verbs of root look for machines of the system
            assert ("seen" in machine.out.decode()) == (how != "-a")
            assert run("net", "lab", "remove", "port", f"{port}:80").code == 0 and run("net", "lab", "add", "port", f"{port}:80").code == 0
            assert answers(address, port) and run("net", "lab", "add", "host-port", more).code == 0
            machine.process.stdin.write(b"\n")
            machine.process.stdin.flush()
            later.settimeout(20)
            with later.accept()[0] as connection:
                assert connection.recv(16) == b"more\n"
