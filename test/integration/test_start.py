# SPDX-License-Identifier: LGPL-2.1-or-later
"""The three ways to start: a command as PID 1, a command under the stub, an init system; and the shell."""
import os
import re
import signal

import pytest

from lab.run import leader_of
from lab.tree import fill

pytestmark = pytest.mark.requires("root")


def test_a_command_is_pid_1_and_leads_its_own_session(tree, ask):
    tty = ask(tree(), "tty")["tty"]
    assert (tty["pid"], tty["ppid"], tty["session"], tty["group"]) == (1, 0, 1, 1)


def test_only_the_machines_own_processes_are_seen(tree, ask):
    assert list(ask(tree(), "processes")["processes"]) == ["1"]


@pytest.mark.host_ids_only("the user namespace is new")
def test_namespaces_are_new_except_user_and_network(tree, ask):
    inside = ask(tree(), "namespaces")["namespaces"]
    for name in ("cgroup", "ipc", "mnt", "pid", "uts"):
        assert inside[name] != os.readlink(f"/proc/self/ns/{name}"), name
    for name in ("net", "user"):
        assert inside[name] == os.readlink(f"/proc/self/ns/{name}"), name


def test_the_current_directory_is_the_default_tree(tree, run):
    root = tree({"here": "found\n"})
    assert run("-P", "/payload", "read", "/here", cwd=root).text == "found\n"


def test_a_relative_directory(tree, run):
    root = tree({"here": "found\n"})
    assert run("-P", "-D", root.name, "/payload", "read", "/here", cwd=root.parent).text == "found\n"


@pytest.mark.root_only("looks among the machines of the system")
def test_a_name_is_looked_up_among_the_machines(tree, run):
    root = tree({"here": "found\n"})
    link = f"/var/lib/machines/{root.name}"
    made = not os.path.isdir("/var/lib/machines")
    os.makedirs("/var/lib/machines", mode=0o700, exist_ok=True)
    os.symlink(root, link)
    try:
        assert run("-P", "-M", root.name, "/payload", "read", "/here").text == "found\n"
    finally:
        os.unlink(link)
        if made:
            os.rmdir("/var/lib/machines")


def test_an_unknown_name_is_refused(run):
    result = run("-q", "-M", "no-such-machine-here", "/bin/true", cwd="/")
    assert result.code == 1 and "no-such-machine-here" in result.complaint


def test_the_shell_without_words(tree, run):
    """bash, else sh, as a login shell in root's home."""
    root = tree({"bin/sh!": '#!/payload echo\n', "root/": 0o700})
    # A script's interpreter line shows argv: "payload echo /bin/sh"; the login dash is in argv[0] of a program.
    assert "/bin/sh" in run("-P", "-D", root).text


def test_the_shell_is_a_login_shell_in_roots_home(tree, run):
    root = tree(kind="busybox")
    fill(root, {"etc/profile": 'echo "login shell in $PWD"\n'})
    result = run("-P", "-D", root, stdin=b"exit 4\n")
    assert (result.text, result.code) == ("login shell in /root\n", 4), result


def test_as_pid2_runs_the_command_as_the_second_process(tree, ask):
    answers = ask(tree(), "tty", "processes", options=["--as-pid2"])
    assert (answers["tty"]["pid"], answers["tty"]["ppid"]) == (2, 1)
    assert answers["tty"]["session"] == 2
    assert sorted(answers["processes"]) == ["1", "2"]


def test_as_pid2_passes_the_exit_code(tree, do):
    assert [do(tree(), "exit", code, options=["-a"]).code for code in (0, 3, 255)] == [0, 3, 255]


def test_as_pid2_reaps_orphans(tree, do):
    assert do(tree(), "orphan", options=["-a"]).json["zombies"] == 0


@pytest.mark.host_ids_only("process 1 is unobservable for a root that is nobody on the host")
def test_as_pid2_keeps_the_stubs_environment_to_itself(tree, do):
    root = tree()
    words = do(root, "read", "/proc/1/environ", options=["-a", "--setenv=SECRET=x"]).out.split(b"\0")
    assert sorted(word.partition(b"=")[0] for word in words if word) == [b"container", b"container_uuid"], words


@pytest.mark.parametrize("signo", [signal.SIGRTMIN + 3, signal.SIGRTMIN + 4, signal.SIGRTMIN + 13, signal.SIGRTMIN + 14])
def test_the_stub_powers_off(tree, Running, signo):
    """The payload gets SIGTERM, and as nobody asked for a restart the run ends with 0."""
    with Running("-P", "-D", tree(), "-a", "/payload", "wait-signal", "9") as machine:
        machine.expect("waiting")
        os.kill(leader_of(machine.pid), signo)
        result = machine.wait()
    assert b"signal 15" in result.out, result
    assert result.code == 0, result


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGRTMIN + 5, signal.SIGRTMIN + 15])
def test_the_stub_reboots(tree, Running, signo):
    with Running("-P", "--keep-unit", "-D", tree(), "-a", "/payload", "wait-signal", "9") as machine:
        machine.expect("waiting")
        os.kill(leader_of(machine.pid), signo)
        result = machine.wait()
    assert result.code == 133, result


def test_boot_takes_the_first_init_there_is(tree, run, payload):
    root = tree({"sbin/init!": payload, "lib/systemd/": None})
    assert run("-P", "-D", root, "--boot", "exit", "3").code == 3
    for place in ("lib/systemd/systemd", "usr/lib/systemd/systemd"):
        fill(root, {place + "!": "#!/payload echo\n"})
        assert run("-P", "-D", root, "--boot", "word").text == f"/{place} word\n"


def test_boot_turns_assignments_into_environment(tree, run, payload):
    root = tree({"sbin/init!": payload})
    result = run("-P", "-D", root, "--boot", "env", "TZ=UTC", "SOME-word=x")
    env = result.json["env"]
    assert "TZ=UTC" in env and "SOME_word=x" in env
    assert not [line for line in env if line.startswith("LANG=")]


def test_boot_leaves_words_with_a_dot_alone(tree, run, payload):
    root = tree({"sbin/init!": payload})
    assert run("-P", "-D", root, "--boot", "echo", "systemd.unit=x").text == "systemd.unit=x\n"


def test_boot_without_an_init_says_so(tree, run):
    result = run("-q", "-D", tree(), "--boot")
    assert result.code == 1
    assert "init" in result.complaint and len(result.complaint.strip().splitlines()) <= 2


def test_boot_wants_an_os_release(tree, run, payload):
    root = tree({"sbin/init!": payload})
    (root / "etc/os-release").unlink()
    result = run("-q", "-P", "-D", root, "--boot", "exit", "3")
    assert result.code == 1 and "os-release" in result.complaint
    assert run("-q", "-P", "-D", root, "--boot", "exit", "3", env={"SYSTEMD_NSPAWN_CHECK_OS_RELEASE": "0"}).code == 3
    fill(root, {"usr/lib/os-release": "ID=x\n"})
    assert run("-q", "-P", "-D", root, "--boot", "exit", "3").code == 3


def test_a_directory_that_is_no_tree_is_refused(beside, run, tmp_path):
    result = run("-q", "-D", tmp_path, "/bin/true")
    assert result.code == 1 and str(tmp_path) in result.complaint
    assert list(tmp_path.iterdir()) == []


def test_the_hosts_root_is_refused(run):
    result = run("-q", "-D", "/", "/bin/true")
    assert result.code == 1 and re.search("root|'/'", result.complaint)


@pytest.mark.parametrize("missing", ["/no/such/tree", "/etc/passwd", "/proc/self/mem"])
def test_a_tree_that_is_none_is_named(run, missing):
    result = run("-q", "-D", missing, "/bin/true")
    assert result.code == 1 and missing in result.complaint


def test_boot_and_as_pid2_exclude_each_other(tree, run):
    assert run("-q", "-D", tree(), "--boot", "--as-pid2").code == 1


def test_missing_directories_are_made(tree, ask):
    root = tree({"usr/bin/": None, "usr/lib/": None, "usr/sbin/": None})
    assert ask(root, "mounts")
    for name in ("bin", "lib", "sbin"):
        assert os.readlink(root / name) == f"usr/{name}"
    for name, mode in (("root", 0o750), ("var", 0o755), ("proc", 0o555), ("sys", 0o555), ("dev", 0o555), ("run", 0o555)):
        assert (root / name).stat().st_mode & 0o7777 == mode, name


def test_nothing_else_is_made_in_the_tree(tree, do):
    """What is there after a run is what the preparation makes, and not a file more."""
    root = tree()
    before = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert do(root, "exit", "0", options=["--resolv-conf=off", "--timezone=off"]).code == 0
    after = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert after - before <= {"root", "var", "proc", "sys", "dev", "run", "tmp"}
    assert before - after == set()


def test_dry_quiet_says_nothing_at_all(tree, run):
    result = run("-q", "-D", tree(), "/payload", "exit", "0")
    assert (result.out, result.err) == (b"", b"")


def test_its_own_words_go_to_stderr_only(tree, run):
    result = run("-D", tree(), "/payload", "exit", "0")
    assert result.out == b"" and result.code == 0
