# SPDX-License-Identifier: LGPL-2.1-or-later
"""What PID 1 finds around it: variables, descriptors, limits, names, signals."""
import json
import os
import re
import resource
import signal

import pytest

from lab import probe
from lab.tree import fill

pytestmark = pytest.mark.requires("root")

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def variables(answer):
    return dict(line.split("=", 1) for line in answer["env"])


def host_release():
    """What of the host's os-release a machine is told."""
    path = "/etc/os-release" if os.path.exists("/etc/os-release") else "/usr/lib/os-release"
    with open(path, encoding="utf-8") as file:
        found = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    return {f"container_host_{key.lower()}": found[key].strip("\"'")
            for key in ("ID", "VERSION_ID", "BUILD_ID", "VARIANT_ID") if key in found}


def test_the_whole_environment_and_nothing_else(tree, ask):
    answer = ask(tree(), "env", env={"SECRET": "x", "XDG_RUNTIME_DIR": "/run/user/0"})
    env = variables(answer)
    assert re.fullmatch(UUID, env.pop("container_uuid"))
    assert env == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container": "systemd-nspawn",
        "TERM": "dumb", "HOME": "/root", "USER": "root", "LOGNAME": "root", "NOTIFY_SOCKET": "/run/host/notify",
        "LANG": "C.UTF-8", **host_release(),
    }
    assert len(answer["env"]) == len(env) + 1


def test_the_terminal_is_told_of_unless_it_is_dumb(tree, Terminal):
    root = tree()

    def found(env):
        with Terminal("-q", "-D", root, "/payload", "env", env=env) as screen:
            assert screen.wait() == 0
            return variables(json.loads(screen.text))

    env = found({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"})
    assert (env["TERM"], env.get("COLORTERM"), env.get("NO_COLOR")) == ("xterm-256color", "truecolor", "1")
    assert found({"TERM": "dumb"})["TERM"] == "dumb"
    assert found({"TERM": None})["TERM"] == "dumb"


def test_setenv_adds_imports_and_overrides(tree, ask):
    env = variables(ask(tree(), "env", env={"IMPORTED": "from outside"},
                        options=["-E", "A=1", "--setenv=B=", "--setenv=IMPORTED", "--setenv", "HOME=/x", "-EA=2",
                                 "--setenv=Q=a'b\"c\\d e"]))
    assert env["A"] == "2" and env["B"] == "" and env["IMPORTED"] == "from outside" and env["HOME"] == "/x"
    assert env["Q"] == "a'b\"c\\d e"


@pytest.mark.parametrize("junk", ["=x", "1A=x", "A-B=x", "A B=x"])
def test_setenv_refuses_what_is_no_variable(tree, run, junk):
    result = run("-q", "-D", tree(), f"--setenv={junk}", "/payload", "exit", "0")
    assert result.code == 1 and result.complaint


def test_only_the_standard_descriptors_are_open(tree, run):
    read_end, write_end = os.pipe()
    try:
        root = tree()
        assert sorted(run("-P", "-D", root, "/payload", "fds", fds=(read_end, write_end)).json["fds"]) == ["0", "1", "2"]
        inside = run("-q", "-D", root, "/payload", "fds", fds=(read_end, write_end)).json["fds"]
        assert sorted(inside) == ["0", "1", "2"]
        assert set(inside.values()) <= {"/dev/pts/0", "/dev/console"}
    finally:
        os.close(read_end)
        os.close(write_end)


def test_the_stub_has_no_descriptors_of_the_host(tree, do):
    found = do(tree(), "list", "/proc/1/fd", options=["--as-pid2"]).json
    targets = [entry["link"] for entry in found.values()]
    assert all(re.match(r"anon_inode:|/dev/null|socket:|pipe:", target) for target in targets), targets
    assert not [target for target in targets if target.startswith("socket:")]


def expected_limits():
    infinity = resource.RLIM_INFINITY
    with open("/proc/1/limits", encoding="utf-8") as file:
        of_init = {line[:26].strip(): [-1 if word == "unlimited" else int(word) for word in line[26:].split()[:2]]
                   for line in file.readlines()[1:]}
    with open("/proc/sys/fs/nr_open", encoding="utf-8") as file:
        files = min(int(file.read()), 524288)
    return {
        **{name: (infinity, infinity) for name in ("AS", "CPU", "DATA", "FSIZE", "LOCKS", "RSS", "RTTIME")},
        "CORE": (0, infinity), "MEMLOCK": (8 << 20, 8 << 20), "MSGQUEUE": (819200, 819200), "NICE": (0, 0),
        "RTPRIO": (0, 0), "STACK": (8 << 20, infinity), "NOFILE": (1024, files),
        "NPROC": tuple(of_init["Max processes"]), "SIGPENDING": tuple(of_init["Max pending signals"]),
    }


def test_the_limits(tree, ask):
    """Where we may not raise a hard limit of our own, the closest possible is given."""
    found = ask(tree(), "limits")["limits"]
    for name, (soft, hard) in expected_limits().items():
        if not probe.offers("sys_resource"):
            ours = resource.getrlimit(getattr(resource, f"RLIMIT_{name}", {"LOCKS": 10}.get(name, 15)))[1]
            unsigned = [value & (2 ** 64 - 1) for value in (soft, hard, ours)]
            hard = min(unsigned[1], unsigned[2])
            soft = min(unsigned[0], hard)
            soft, hard = (value - 2 ** 64 if value == 2 ** 64 - 1 else value for value in (soft, hard))
        assert found[name] == [soft, hard], name


@pytest.mark.parametrize("text, name, wanted", [
    ("NOFILE=64:128", "NOFILE", [64, 128]), ("RLIMIT_NOFILE=96", "NOFILE", [96, 96]),
    ("LimitCORE=0", "CORE", [0, 0]), ("CORE=1M:1M", "CORE", [1 << 20, 1 << 20]), ("CPU=1min", "CPU", [60, 60]),
    ("FSIZE=infinity", "FSIZE", [-1, -1]),
])
def test_a_limit_on_request(tree, ask, text, name, wanted):
    assert ask(tree(), "limits", options=[f"--rlimit={text}"])["limits"][name] == wanted


def test_the_last_limit_of_a_kind_wins(tree, ask):
    answer = ask(tree(), "limits", options=["--rlimit=NOFILE=64", "--rlimit", "NOFILE=32"])
    assert answer["limits"]["NOFILE"] == [32, 32]


@pytest.mark.parametrize("text", ["NOFILE", "NOFILE=", "NOFILE=x", "NOFILE=128:64", "NOSUCH=1", "NOFILE=-1", "=5"])
def test_a_bad_limit_is_refused(tree, run, text):
    result = run("-q", "-D", tree(), f"--rlimit={text}", "/payload", "exit", "0")
    assert result.code == 1 and result.complaint


def test_the_hostname_is_the_machines_name(tree, ask):
    root = tree()
    assert ask(root, "system")["system"]["hostname"] == root.name


def test_a_name_drops_what_a_hostname_may_not_have(tree, ask, beside):
    root = tree(name="has_odd chars.x")
    assert ask(root, "system")["system"]["hostname"] == "hasoddchars.x"


def test_name_and_hostname_on_request(tree, ask):
    root = tree()
    assert ask(root, "system", options=["-M", "some-name"])["system"]["hostname"] == "some-name"
    answer = ask(root, "system", options=["--machine=some-name", "--hostname=other.example"])
    assert answer["system"]["hostname"] == "other.example"
    answer = ask(root, "system", options=["--machine=some-name", "--machine=", "--hostname=y", "--hostname="])
    assert answer["system"]["hostname"] == root.name


@pytest.mark.parametrize("option", ["--machine", "--hostname"])
@pytest.mark.parametrize("junk", ["a_b", "-a", "a-", "a..b", ".a", "a.", "a/b", "..", "a b", "x" * 65, "a\nb", ".host", "ä"])
def test_names_that_are_none_are_refused(tree, run, option, junk):
    result = run("-q", "-D", tree(), f"{option}={junk}", "/payload", "exit", "0")
    assert result.code == 1 and result.complaint.count("\n") <= 2


def test_the_machine_id_of_the_tree_wins(tree, ask):
    root = tree({"etc/machine-id": "0123456789abcdef0123456789abcdef\n"})
    wanted = "01234567-89ab-cdef-0123-456789abcdef"
    assert variables(ask(root, "env"))["container_uuid"] == wanted
    assert variables(ask(root, "env", options=["--uuid=" + "f" * 32]))["container_uuid"] == wanted


@pytest.mark.parametrize("content", [None, "", "uninitialized\n"])
def test_a_uuid_is_taken_where_the_tree_has_none(tree, ask, content):
    root = tree({} if content is None else {"etc/machine-id": content})
    for text in ("11112222333344445555666677778888", "11112222-3333-4444-5555-666677778888"):
        env = variables(ask(root, "env", options=[f"--uuid={text}"]))
        assert env["container_uuid"] == "11112222-3333-4444-5555-666677778888"
    assert (root / "etc/machine-id").exists() == (content is not None)


def test_else_the_id_is_a_new_one_each_time(tree, ask):
    root = tree()
    assert len({variables(ask(root, "env"))["container_uuid"] for _ in range(3)}) == 3


@pytest.mark.parametrize("junk", ["0" * 32, "xyz", "1" * 31, "1" * 33, "00000000-0000-0000-0000-000000000000"])
def test_bad_ids_are_refused(tree, run, junk):
    assert run("-q", "-D", tree(), f"--uuid={junk}", "/payload", "exit", "0").code == 1


def test_signals_are_as_a_new_program_expects_them(tree, ask, run):
    """None blocked and none ignored, whatever the caller's own were."""
    root = tree()
    old = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        answer = ask(root, "signals", command=None)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        signal.signal(signal.SIGUSR1, old)
    assert answer["signals"] == {"pending": 0, "blocked": 0, "ignored": 0, "caught": 0}


def test_umask_and_nice_and_directory(tree, ask):
    old = os.umask(0o077)
    try:
        system = ask(tree({"root/": 0o700}), "system")["system"]
    finally:
        os.umask(old)
    assert system["umask"] == 0o022 and system["cwd"] in ("/root", "/")


def test_the_session_keyring_is_a_new_one(tree, ask):
    root = tree()
    first, second = ask(root, "keyring")["keyring"], ask(root, "keyring")["keyring"]
    assert first["id"] != second["id"] and first["id"] > 0


def test_the_audit_login_id_is_unset(tree, ask):
    loginuid = ask(tree(), "system")["system"]["loginuid"]
    assert loginuid in (2, "4294967295")


def test_oom_score_and_affinity_and_personality_are_unchanged(tree, ask):
    system = ask(tree(), "system")["system"]
    assert system["oom_score_adj"].strip() == open("/proc/self/oom_score_adj", encoding="utf-8").read().strip()
    assert set(system["affinity"]) == os.sched_getaffinity(0)
    assert system["personality"] == 0


def test_oom_score_and_affinity_on_request(tree, ask):
    system = ask(tree(), "system", options=["--oom-score-adjust=500", "--cpu-affinity=0"])["system"]
    assert system["oom_score_adj"].strip() == "500" and system["affinity"] == [0]


def test_personality_on_request(tree, ask):
    assert ask(tree(), "system", options=["--personality=x86"])["system"]["machine"] in ("i686", "i386")
    assert ask(tree(), "system", options=["--personality=x86-64"])["system"]["machine"] == "x86_64"


def test_chdir(tree, ask):
    root = tree({"opt/here/": None, "there=": "/opt/here"})
    assert ask(root, "system", options=["--chdir=/opt/here"])["system"]["cwd"] == "/opt/here"
    assert ask(root, "system", options=["--chdir", "/there"])["system"]["cwd"] == "/opt/here"


@pytest.mark.parametrize("junk", ["opt", "../opt", "/opt/../usr", "/no/such/place", "/payload", "/proc/1", "/sys", "/dev/shm",
                                  *(f"/proc/self/fd/{number}" for number in (3, 4, 5, 6, 7, 8, 9, 10, 12, 20))])
def test_a_chdir_that_leads_nowhere_or_out_is_refused(tree, run, junk):
    result = run("-q", "-P", "-D", tree({"opt/": None}), f"--chdir={junk}", "/payload", "system")
    assert result.code == 1, result
    assert result.out == b"" and "chdir" in result.complaint.lower() or junk in result.complaint


def test_container_is_named_on_request(tree, run):
    result = run("-P", "-D", tree(), "/payload", "env", env={"SYSTEMD_NSPAWN_CONTAINER_SERVICE": "other"})
    assert variables(result.json)["container"] == "other"


def test_a_release_with_odd_content_does_no_harm(tree, ask):
    root = tree()
    fill(root, {"etc/os-release": b"ID=\xff\x1b[31m\nNAME=\"unfinished\n\0"})
    assert ask(root, "env")
