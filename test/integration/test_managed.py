# SPDX-License-Identifier: LGPL-2.1-or-later
"""--private-users=managed: ids and the tree of services that manage ids; what becomes of a start when they do not."""
import os
import pathlib
import shutil

import pytest

from lab import managers
from lab import tree as lab_tree
from lab.run import leader_of, program
from lab.run import run as run_nspawn

pytestmark = pytest.mark.requires("root", "idmap", "userns")

MANAGED = ["--private-users=managed", "--private-network"]
PEOPLE = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/:/bin/sh\n", "etc/group": "root:x:0:\nwww:x:33:\n"}


@pytest.fixture
def services(tmp_path):
    with managers.Managers(tmp_path) as running:
        yield running


def give(root, base):
    """Moves the owners of the whole tree."""
    for folder, names, files in os.walk(root):
        for name in [folder, *(os.path.join(folder, each) for each in names + files)]:
            status = os.lstat(name)
            os.chown(name, base + status.st_uid % 65536, base + status.st_gid % 65536, follow_symlinks=False)


def maps_of(text):
    return [tuple(map(int, line.split())) for line in text.splitlines()]


def test_the_ids_are_those_that_were_given(tree, run, services):
    """There are two namespaces: the lent one, and one with the same ids in it, where nothing mounted can be undone."""
    root = tree()
    result = run("-q", "-P", "-D", root, "-M", "managed", *MANAGED, "/payload", "read", "/proc/self/uid_map", "/proc/self/gid_map")
    assert result.code == 0 and maps_of(result.text)[0] == (0, 0, 65536), result
    assert services.named("AllocateUserRange") == [{"name": "managed", "size": 65536, "userNamespaceFileDescriptor": 0}]
    assert not services.named("MountDirectory") and len(services.named("AddMountToUserNamespace")) == 1
    give(root, managers.FOREIGN)
    assert run("-q", "-P", "-D", root, *MANAGED, "/payload", "exit", "7").code == 7
    assert [call["readOnly"] for call in services.named("MountDirectory")] == [False]


def test_outside_they_are_the_range(tree, Running, services):
    with Running("-q", "-P", "-D", tree(), "-M", "managed", *MANAGED, "/payload", "sleep", "30") as machine:
        leader = leader_of(machine.pid)
        with open(f"/proc/{leader}/status", encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        assert fields["Uid"].split() == [str(managers.SHIFT)] * 4
        with open(f"/proc/{leader}/uid_map", encoding="utf-8") as file:
            assert maps_of(file.read()) == [(0, managers.SHIFT, 65536)]


@pytest.mark.parametrize("base", [0, 131072, managers.FOREIGN])
def test_whose_the_files_are(tree, do, services, base):
    """What is root's inside is the first id of the tree's range on disk, before and after."""
    root = tree({**PEOPLE, "srv/": None})
    give(root, base)
    os.chown(root / "srv", base + 33, base + 33)
    seen = do(root, "stat", "/", "/srv", "/etc/passwd", options=MANAGED).json
    assert [(entry["uid"], entry["gid"]) for entry in seen.values()] == [(0, 0), (33, 33), (0, 0)]
    assert do(root, "write", "/srv/new", "x", options=[*MANAGED, "-u", "www"]).json["errno"] == 0
    assert (root / "srv/new").stat()[4:6] == (base + 33, base + 33)


def test_what_the_payload_has(tree, ask, services):
    answer = ask(tree(), "ids", "caps", "mounts", options=MANAGED)
    assert answer["ids"]["uid"] == [0] * 3 and answer["ids"]["groups"] in ([], [0])


def test_read_only(tree, do, services):
    root = tree({"tmp/": None})
    assert do(root, "write", "/new", "x", options=[*MANAGED, "--read-only"]).json["errno"] == 30
    assert not (root / "new").exists()


def test_owners_of_binds_follow_for_root(tree, do, services, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").touch()
    for path in (source, source / "file"):
        os.chown(path, 1000, 1000)
    seen = do(tree(PEOPLE), "stat", "/mnt/file", options=[*MANAGED, f"--bind={source}:/mnt:owner=1000:1000>33:33"]).json
    assert (seen["/mnt/file"]["uid"], seen["/mnt/file"]["gid"]) == (33, 33)


@pytest.mark.parametrize("base", [0, managers.FOREIGN])
def test_changes_cannot_be_thrown_away(tree, run, services, base):
    """An overlay is refused by the kernel in a lent namespace, so nobody is asked for one; what needs none goes."""
    root = tree({"tmp/": None})
    give(root, base)
    for dry in ((), ("--dry-run",)):
        result = run("-D", root, *MANAGED, "--ephemeral", *dry, "/payload", "exit", "0")
        said = " ".join((result.complaint + result.text).split())
        assert result.code == 1 and "cannot be thrown away with '--private-users=managed'" in said, result
        assert "Use -U in place of --private-users=managed" in said
    assert not services.named("AllocateUserRange")
    assert run("-q", "-P", "-D", root, *MANAGED, "--ephemeral", "--read-only", "/payload", "exit", "7").code == 7
    assert run("-q", "-P", "-D", root, "-U", "--ephemeral", "/payload", "exit", "7").code == 7


@pytest.mark.requires("cgroup2")
def test_the_group_is_given_by_the_service(tree, run, services):
    result = run("-q", "-P", "-D", tree(), *MANAGED, "/payload", "stat", "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.procs")
    assert [(entry["uid"], entry["gid"]) for entry in result.json.values()] == [(0, 0)] * 2
    assert services.named("AddControlGroupToUserNamespace") == [{"userNamespaceFileDescriptor": 0, "controlGroupFileDescriptor": 1}]


@pytest.mark.requires("cgroup2")
def test_without_a_group_it_runs_all_the_same(tree, run, services):
    services.spoil({"AddControlGroupToUserNamespace": {"error": "org.varlink.service.PermissionDenied"}})
    result = run("-P", "-D", tree(), *MANAGED, "/payload", "exit", "7")
    assert result.code == 7 and "did not give the machine its cgroup: its policy does not allow it" in result.complaint


def test_delegated_ranges(tree, run, services):
    """They keep their numbers, and the services can be asked from inside."""
    result = run("-q", "-P", "-D", tree(), *MANAGED, "--private-users-delegate=2", "/payload", "read", "/proc/self/uid_map")
    first = managers.SHIFT + 65536
    assert result.code == 0, result
    found = {}
    for inside, _, count in maps_of(result.text):
        found[inside] = count
    assert found == {0: 65536, first: 65536, first + 65536: 65536} or found == {0: 65536, first: 131072}
    assert services.named("AllocateUserRange")[0]["delegateContainerRanges"] == 2
    seen = run("-q", "-P", "-D", tree(), *MANAGED, "--private-users-delegate=1", "/payload", "stat",
               *(f"/run/host/{name}" for name in (managers.RESOURCES, managers.MOUNTS))).json
    assert [entry.get("type") for entry in seen.values()] == ["socket"] * 2, seen


def test_without_delegation_the_services_are_out_of_reach(tree, do, services):
    seen = do(tree(), "stat", f"/run/host/{managers.RESOURCES}", options=MANAGED)
    assert "uid" not in seen.text


# --- Services that do not serve ---

REFUSALS = {
    "polkit": ("AllocateUserRange", {"error": "io.systemd.InteractiveAuthenticationRequired"}, "did not give a range of ids: its policy (polkit) wants to ask"),
    "policy": ("MountDirectory", {"error": "org.varlink.service.PermissionDenied"}, "did not mount the tree: its policy does not allow it"),
    "none left": ("AllocateUserRange", {"error": "io.systemd.NamespaceResource.DynamicRangeUnavailable"}, "all its ranges are in use"),
    "old kernel": ("AllocateUserRange", {"error": "io.systemd.NamespaceResource.UserNamespaceInterfaceNotSupported"}, "the kernel lacks what it needs"),
    "unheard of": ("AllocateUserRange", {"error": "com.example.Strange\u001b[31m"}, "com.example.Strange"),
    "failed": ("MountDirectory", {"error": "io.systemd.System", "parameters": {"origin": "linux", "errno": 110, "errnoName": "ETIMEDOUT"}},
               "systemd-mountfsd did not mount the tree: Connection timed out"),
    "no number": ("MountDirectory", {"error": "io.systemd.System", "parameters": {"errno": 1 << 62}}, "did not mount the tree: io.systemd.System"),
    "junk": ("AllocateUserRange", {"raw": "[[["}, "Cannot ask systemd-nsresourced to give a range of ids"),
    "no mount": ("MountDirectory", {"raw": '{"parameters":{"mountFileDescriptor":3}}'}, "Cannot ask systemd-mountfsd to mount the tree"),
    "lie": ("AllocateUserRange", {"lie": True}, "gave other ids than the 65536 it was asked for"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(tree, run, services, case):
    method, answer, sentence = REFUSALS[case]
    services.spoil({method: answer})
    root = tree()
    give(root, managers.FOREIGN)
    result = run("-P", "-D", root, *MANAGED, "/payload", "exit", "0")
    assert result.code == 1 and sentence in result.complaint and "\x1b" not in result.complaint, result
    assert result.out == b"" and "Traceback" not in result.complaint


def test_late_answers_are_waited_for_with_a_word(tree, run, services):
    services.spoil({"AllocateUserRange": {"delay": 3}})
    result = run("-D", tree(), *MANAGED, "/payload", "exit", "7")
    assert result.code == 7 and "Waiting for systemd-nsresourced to give a range of ids, for 90 s at most" in result.complaint


def test_waiting_can_be_ended(tree, Running, services):
    services.spoil({"MountDirectory": {"hang": True}})
    root = tree()
    give(root, managers.FOREIGN)
    with Running("-D", root, *MANAGED, "/payload", "exit", "0") as machine:
        machine.expect("Waiting for systemd-mountfsd to mount the tree")
        result = machine.stop()
    assert result.code == 1 and "Cannot ask systemd-mountfsd to mount the tree" in result.complaint


def test_nobody_is_there(tree, run):
    if os.path.exists(managers.RUN / managers.RESOURCES):
        pytest.skip("this host has the services")
    result = run("-P", "-D", tree(), *MANAGED, "/payload", "exit", "0")
    assert result.code == 1 and "Nobody manages ids here" in result.complaint and "--private-users=pick" in result.complaint



@pytest.fixture
def as_user(payload, services):
    """Starts nspawn as a user with no rights, in a tree of the foreign range that this user can reach."""
    home = pathlib.Path(f"/var/tmp/managed-{os.getpid()}")
    root = home / "tree"
    lab_tree.fill(root, {"usr/": None, "tmp/": None, "etc/os-release": "ID=probe\n", "payload!": payload})
    give(root, managers.FOREIGN)
    home.chmod(0o755)
    shutil.copy(shutil.which(program()[0]), home / "nspawn")
    (home / "run").mkdir(mode=0o700)
    os.chown(home / "run", 54321, 54321)

    def start(*words):
        return run_nspawn("-D", root, *words, env={"XDG_RUNTIME_DIR": str(home / "run"), "HOME": str(home / "run")},
                          command=["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--bounding-set=-all", home / "nspawn"])

    start.root = root
    yield start
    shutil.rmtree(home)


def test_a_user_gets_them_first(as_user, services):
    result = as_user("--private-network", "/payload", "read", "/proc/self/uid_map")
    assert result.code == 0 and maps_of(result.text) == [(0, 0, 65536)], result
    assert "Running with a range of ids by systemd-nsresourced" in result.complaint
    assert as_user("--private-network", "/payload", "write", "/etc/new", "x").json["errno"] == 0
    assert (as_user.root / "etc/new").stat()[4:6] == (managers.FOREIGN, managers.FOREIGN)


def test_a_user_who_is_refused_gets_the_next_best(as_user, services):
    services.spoil({"AllocateUserRange": {"error": "io.systemd.InteractiveAuthenticationRequired"}})
    result = as_user("--private-network", "/payload", "exit", "7")
    assert "That is the next best: systemd-nsresourced did not give a range of ids: its policy (polkit)" in result.complaint
    result = as_user("--private-network", "--private-users=managed", "/payload", "exit", "7")
    assert result.code == 1 and "wants to ask an administrator first" in result.complaint


def test_a_user_who_throws_changes_away_has_other_ids(as_user, services):
    """The same sentence as root's; without the mode nobody is asked and another rung holds."""
    result = as_user("--private-network", "--private-users=managed", "-x", "/payload", "exit", "0")
    assert result.code == 1 and "cannot be thrown away with '--private-users=managed'" in result.complaint, result
    assert "there are other ids for -x" in result.complaint and not services.named("AllocateUserRange")
