# SPDX-License-Identifier: LGPL-2.1-or-later
"""What callers rely on and no other suite looks at; the numbers are those of contract.py, which says where the rest is."""
import ast
import json
import os
import re
import subprocess
import time

import pytest
import record
from contract import NOT_YET, POINTS

from lab import run as lab_run
from lab.tree import TOP

root_only = pytest.mark.requires("root")


@pytest.fixture
def call(search_path):
    """call(words...): runs systemd-nspawn with them, as a caller finds it."""

    def start(*words, env=None, **more):
        return lab_run.run(*words, command=["systemd-nspawn"], env={**search_path, **(env or {})}, **more)

    return start


@pytest.fixture
def whole_tree(tree):
    """A tree in which nothing is missing."""

    def make(entries=None):
        return tree({**{f"{name}/": None for name in ("dev", "proc", "run", "sys", "var", "tmp", "root")}, **(entries or {})})

    return make


def functions(path):
    return {node.name for node in ast.walk(ast.parse((TOP / "test" / path).read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("point", POINTS)
def test_each_point_has_its_tests(point):
    named = POINTS[point]
    gone = [f"{path}::{name}" for path, names in named.items() for name in names if name not in functions(path)]
    assert any(named.values()) and not gone


def test_every_test_here_is_of_a_point():
    """And the twelve points are all there."""
    here = {name for named in POINTS.values() for name in named.get("callers/test_contract.py", [])}
    about_the_index = {"test_each_point_has_its_tests", "test_every_test_here_is_of_a_point"}
    assert {name for name in functions("callers/test_contract.py") if name.startswith("test_")} - about_the_index == here
    numbers = {int(point.split(".")[0]) for point in [*POINTS, *NOT_YET] if point[0].isdigit()}
    assert numbers == set(range(1, 13))


@root_only
@pytest.mark.parametrize("options", [[], ["-a"], ["--keep-unit"], ["--keep-unit", "-a"]], ids=str)
def test_133_is_a_reboot_only_with_keep_unit(tree, call, options):
    """Point 1: a payload that exits with 133 has not asked for a reboot, and no manager may think so. The reference has 1 for it too."""
    root = tree()
    assert call("-q", "-P", *options, "-D", root, "/payload", "exit", "133").code == 1
    if "--keep-unit" in options:
        assert call("-q", "-P", *options, "-D", root, "/payload", "reboot", "restart").code == 133


# Options that need a value, and one that each takes. What acts by its presence alone would end the run at once.
VALUES = {"setenv": "A=1", "uid": "0", "kill-signal": "SIGTERM", "notify-ready": "no", "ready": "spawned", "suppress-sync": "yes", "machine": "some-name",
          "hostname": "other", "uuid": "11112222333344445555666677778888", "slice": "x.slice", "property": "MemoryMax=1G",
          "register": "no", "capability": "CAP_IPC_LOCK", "drop-capability": "CAP_KILL", "ambient-capability": "CAP_CHOWN",
          "no-new-privileges": "yes", "system-call-filter": "@clock", "restrict-address-families": "AF_UNIX", "rlimit": "CORE=0",
          "oom-score-adjust": "100", "cpu-affinity": "0", "personality": "x86-64", "resolv-conf": "off", "timezone": "off",
          "link-journal": "no", "bind": "/usr:/mnt", "bind-ro": "/usr:/mnt", "tmpfs": "/mnt", "inaccessible": "/etc/os-release",
          "console": "pipe", "settings": "no", "chdir": "/etc"}
TOLD = ("env", "ids", "caps", "system", "limits")


def told(result):
    answer = result.json
    for name in ("pid", "cgroup"):
        answer["system"].pop(name, None)
    answer["env"] = [line for line in answer["env"] if not line.startswith("container_uuid=")]
    return answer


@root_only
@pytest.mark.parametrize("option", VALUES)
def test_a_value_may_be_a_word_of_its_own(tree, call, option):
    """Point 2."""
    root = tree({"mnt/": None})
    words = ["-q", "-P", "-D", root, "-M", "machine"]
    glued = call(*words, f"--{option}={VALUES[option]}", "/payload", *TOLD)
    apart = call(*words, f"--{option}", VALUES[option], "/payload", *TOLD)
    assert told(glued) == told(apart)


@root_only
def test_letters_are_glued(tree, call):
    """Point 2."""
    root = tree()
    for words in ([f"-qaPD{root}", "-Mglued", "-EA=1"], ["-qaP", f"-D{root}", "-M", "glued", "-E", "A=1"],
                  ["-q", "-a", "-P", "-D", root, "-Mglued", "--setenv=A=1"], ["-qPaEA=1", f"-D{root}", "-Mglued"]):
        answer = call(*words, "/payload", "system", "env", "tty").json
        assert answer["system"]["hostname"] == "glued" and "A=1" in answer["env"] and answer["tty"]["pid"] == 2


ENDS = {
    "exit": (["/payload", "exit", "3"], 3), "poweroff": (["/payload", "reboot", "poweroff"], 0),
    "reboot under the manager": (["--keep-unit", "/payload", "reboot", "restart"], 133),
    "booted": (["-b", "exit", "5"], 5), "stub": (["-a", "/payload", "exit", "4"], 4),
    "a network of its own": (["--private-network", "/payload", "exit", "6"], 6),
    "a user": (["-u", "0", "--chdir=/usr", "/payload", "exit", "7"], 7),
    "mounts": (["--tmpfs=/mnt", "--bind=/usr:/mnt/usr", "--read-only", "/payload", "exit", "8"], 8),
    "no groups": (["--slice=x.slice", "--property=CPUWeight=9", "--register=no", "/payload", "exit", "9"], 9),
}


@root_only
@pytest.mark.requires("netns")
@pytest.mark.parametrize("console", ["--console=pipe", "--console=read-only"])
@pytest.mark.parametrize("end", ENDS)
def test_quiet_through_every_end(whole_tree, call, end, console):
    """Point 3: silence, however it ends, as long as nothing goes wrong."""
    words, code = ENDS[end]
    root = whole_tree({"sbin/init=": "/payload", "mnt/": None, "etc/resolv.conf": "", "etc/localtime": ""})
    result = call("-q", console, "-D", root, *words)
    assert (result.code, result.out, result.err) == (code, b"", b""), result


@root_only
@pytest.mark.parametrize("words", [["/no/such/program"], ["/etc/os-release"], ["-u", "nobody-here", "/payload", "exit", "0"],
                                   ["--bind=/no/such", "/payload", "exit", "0"], ["--no-such-option"]], ids=" ".join)
def test_errors_stay_on_stderr(tree, call, words):
    """Point 3: with -q too, and a caller that reads stdout reads nothing of ours."""
    for console in ("--console=pipe", "--console=read-only"):
        result = call("-q", console, "-D", tree(), *words)
        assert result.code == 1 and result.out == b"" and result.err.startswith(b"nspawn: "), result


@root_only
@pytest.mark.parametrize("options", [[], ["--register=no"], ["--register=no", "--keep-unit"], ["--keep-unit"], ["--register=auto"]], ids=str)
def test_no_bus_is_needed(tree, search_path, options):
    """Point 5: on a host whose /run is empty, and with a bus that is none."""
    root = tree()
    hidden = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", 'mount -t tmpfs x /run && exec "$@"', "sh"]
    result = lab_run.run("-q", "-P", *options, "-D", root, "/payload", "exit", "7", command=[*hidden, "systemd-nspawn"],
                         env={**search_path, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/no/such"})
    assert (result.code, result.err) == (7, b""), result


@root_only
@pytest.mark.parametrize("options", [["--register=no"], ["--register=no", "--keep-unit", "-a"], ["--private-network"]], ids=str)
@pytest.mark.requires("netns")
def test_inside_another_machine(tree, call, options):
    """Point 5: a build in a machine that is a container itself."""
    program = lab_run.program()[0]
    root = tree({"usr/bin/nspawn": None, "inner/usr/": None, "inner/etc/os-release": "ID=inner\n"} | {"usr/bin/nspawn": b""})
    (root / "inner/payload").write_bytes((root / "payload").read_bytes())
    (root / "inner/payload").chmod(0o755)
    result = call("-q", "-P", "-D", root, "--capability=CAP_NET_ADMIN", f"--bind-ro={os.path.realpath(program)}:/usr/bin/nspawn", "--",
                  "/usr/bin/nspawn", "-q", "-P", *options, "-D", "/inner", "/payload", "exit", "7")
    assert (result.code, result.out, result.err) == (7, b"", b""), result


@root_only
@pytest.mark.parametrize("value", ["DeviceAllow=block-* rwm", "DeviceAllow=/dev/loop-control rwm", "DevicePolicy=closed", "MemoryMax=1G",
                                   "CPUWeight=100", "TasksMax=16384", "Delegate=yes", "DeviceAllow=char-* rw"])
def test_properties_that_callers_set(tree, call, value):
    """Point 6."""
    for words in ([f"--property={value}"], ["--property", value], [f"--property={value}", "--slice=a-b.slice", "-S", "c"]):
        result = call("-q", "-P", *words, "-D", tree(), "/payload", "exit", "7")
        assert (result.code, result.err) == (7, b""), result


@root_only
@pytest.mark.parametrize("options", [["-a"], []], ids=str)
def test_daemons_die_with_the_command(tree, call, options):
    """Point 7: the caller does not wait for them, and leaves_nothing of conftest.py finds none."""
    root = tree(kind="busybox")
    begun = time.monotonic()
    result = call("-q", "-P", *options, "-D", root, "/bin/sh", "-c", "setsid sleep 60 >/dev/null 2>&1 </dev/null & exit 3")
    assert result.code == 3 and time.monotonic() - begun < 10


@root_only
def test_off_leaves_the_tree_as_it_is(whole_tree, call):
    """Point 8."""
    root = whole_tree({"etc/machine-id": "", "etc/localtime=": "/usr/share/zoneinfo/Europe/Berlin", "etc/resolv.conf=": "../run/x"})
    before = record.of_tree(root)
    assert call("-q", "-P", "--resolv-conf=off", "--timezone=off", "-D", root, "/payload", "exit", "0").code == 0
    after = record.of_tree(root)
    modes = {f"/{name}" for name in ("dev", "proc", "run", "sys")}
    assert {path: text for path, text in after.items() if path not in modes} == \
           {path: text for path, text in before.items() if path not in modes}


@root_only
@pytest.mark.parametrize("options", ["norbind", "rbind", "noidmap", "norbind,noidmap", "noidmap,rbind"])
def test_options_of_a_bind_combine(tree, call, work, options):
    """Point 9."""
    root = tree()
    for option in ("--bind", "--bind-ro"):
        for words in ([f"{option}={work}/src:/new/place:{options}"], [option, f"{work}/src:/new/place:{options}"]):
            assert call("-q", "-P", *words, "-D", root, "/payload", "read", "/new/place/a file").text == "source\n"


@root_only
@pytest.mark.parametrize("value", ["0", "no", "1", None])
def test_no_tmpfs_on_tmp(tree, call, value):
    """Point 10."""
    root = tree({"tmp/here": "x"})
    answer = call("-q", "-P", "-D", root, "/payload", "mounts", env={"SYSTEMD_NSPAWN_TMPFS_TMP": value}).json
    assert any(mount["target"] == "/tmp" for mount in answer["mounts"]) == (value in ("1", None))


@root_only
@pytest.mark.parametrize("value", ["0", "1", None])
def test_no_filter(tree, call, value):
    """Point 10."""
    answer = call("-q", "-P", "-D", tree(), "/payload", "caps", env={"SYSTEMD_SECCOMP": value}).json
    assert answer["caps"]["filters"] - int(record.own_status("Seccomp_filters")) == (0 if value == "0" else 1)


@root_only
@pytest.mark.parametrize("variables", [{"SYSTEMD_COLORS": "false"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"SYSTEMD_COLORS": "0"}], ids=str)
def test_no_colours(tree, Terminal, search_path, variables):
    """Point 10: on a terminal, in what is said before and after the payload and in an error."""
    for words in (["-D", tree(), "/payload", "exit", "0"], ["-D", tree(), "/no/such"], ["--help"]):
        with Terminal(*words, command=["systemd-nspawn"], env={**search_path, "PAGER": "cat", **variables}) as screen:
            screen.wait()
            assert screen.seen and not re.search(rb"\x1b\[[0-9;]*m", screen.seen), screen


@root_only
def test_the_log_level(tree, call):
    """Point 10."""
    root = tree()
    words = ["--console=read-only", "-D", root, "/payload", "exit", "0"]
    said = {level: len(call(*words, env={"SYSTEMD_LOG_LEVEL": level}).err) for level in ("debug", "info", "err", "3")}
    assert said["debug"] > said["info"] > said["err"] == said["3"] == 0
    assert call("-P", "-D", root, "/no/such", env={"SYSTEMD_LOG_LEVEL": "err"}).err


@root_only
def test_it_can_be_entered_by_its_only_child(tree, Running, folder, search_path):
    """Test drivers look for the one child of nspawn, and enter its namespaces."""
    root = tree()
    with Running("-q", "-D", root, "/payload", "sleep", "60", command=["systemd-nspawn"], env=search_path) as machine:
        machine.expect("sleeping")
        leader = lab_run.leader_of(machine.pid)
        with open(f"/proc/{machine.pid}/task/{machine.pid}/children", encoding="utf-8") as file:
            assert file.read().split() == [str(leader)]
        entered = subprocess.run(["nsenter", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--target", str(leader), "/payload",
                                  "system", "processes"], capture_output=True, check=True)
        answer = json.loads(entered.stdout)
        assert answer["system"]["hostname"] == root.name and "1" in answer["processes"]


@root_only
def test_timeout_ends_it(tree, call, search_path):
    """Test drivers put timeout in front: 124 is its own status, and it is only that if it had to act."""
    for words, code in ((["sleep", "60"], 124), (["exit", "7"], 7)):
        begun = time.monotonic()
        result = lab_run.run("-q", "--register=no", "--kill-signal=SIGKILL", "-D", tree(), "/payload", *words, env=search_path,
                             command=["timeout", "--foreground", "2", "systemd-nspawn"])
        assert (result.code, result.err) == (code, b"") and time.monotonic() - begun < 10, result


@root_only
def test_a_program_of_another_machine_is_told(tree, call):
    """For images of other processors: the words of the system's error, without an emulator that the kernel knows."""
    foreign = bytearray((tree() / "payload").read_bytes())
    foreign[18:20] = (0xfff0).to_bytes(2, "little")
    result = call("-q", "-D", tree({"bin/foreign!": bytes(foreign)}), "/bin/foreign")
    assert result.code == 1 and "exec format error" in result.complaint.lower(), result


@root_only
def test_what_is_looked_for_inside(tree, call):
    """By systemd-detect-virt and units with ConditionVirtualization=, and by scripts: the file, and the variable of PID 1."""
    root = tree({"sbin/init=": "/payload"})
    for words in (["/payload"], ["-a", "/payload"], ["-b"]):
        assert call("-q", "-P", "-D", root, *words, "read", "/run/host/container-manager").out.strip() == b"systemd-nspawn"
    environment = call("-q", "-P", "-a", "-D", root, "/payload", "read", "/proc/1/environ").out.split(b"\0")
    assert b"container=systemd-nspawn" in environment
