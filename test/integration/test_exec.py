# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn exec, shell and login: a further process in a running machine is what its first one is, and nothing more."""
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import time

import pytest

from lab import identity, leaks
from lab.run import program
from lab.tree import TOP

pytestmark = pytest.mark.requires("root")

BUSYBOX = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(path)), None)
APPLETS = "sh cat id ls env sleep true false tty stty kill login".split()
SYSTEM = {"proc/": None, "sys/": None, "dev/": None, "run/": None, "tmp/": 0o1777, "root/": None, "bin/": None, "sbin/": None,
          "etc/passwd": "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nodd:x:7:7::/nowhere:/bin/none\n",
          "etc/group": "root:x:0:\nalice:x:1000:\nvideo:x:44:alice\n", "home/alice/": None}
NAMES = itertools.count(1)


@pytest.fixture
def system(tree):
    """Makes trees with a shell."""
    if not BUSYBOX:
        pytest.skip("needs a static busybox")

    def make(entries=None):
        root = tree({**SYSTEM, "bin/busybox!": pathlib.Path(BUSYBOX), **{f"bin/{name}=": "busybox" for name in APPLETS},
                     **(entries or {})})
        for path in (root / "home/alice", root / "root"):
            if path.is_dir() and identity.IS_USER:
                continue
            os.chown(path, *((1000, 1000) if path.name == "alice" else (0, 0)))
        return root

    return make


@pytest.fixture
def machine(Running, system):
    """Runs machines that only wait, and gives their names."""
    with contextlib.ExitStack() as stack:
        def start(*options, entries=None, words=("/payload", "sleep", "600"), root=None):
            name = f"exec{os.getpid()}x{next(NAMES)}"
            running = stack.enter_context(Running("-q", "-P", "-M", name, "-D", root or system(entries), *options, *words))
            state = identity.MACHINES / name / "state.json"
            deadline = time.monotonic() + 20
            while not (state.exists() and state.read_text().endswith("\n")):
                assert running.process.poll() is None and time.monotonic() < deadline, running
                time.sleep(0.02)
            start.running[name] = running
            return name

        start.running = {}
        yield start


def leader_of(name):
    return json.loads((identity.MACHINES / name / "state.json").read_text())["leader"]


# --- Status and streams ---

def test_the_status_is_the_commands(machine, run):
    name = machine()
    assert run("exec", name, "/payload", "exit", "0").code == 0
    assert run("exec", name, "/payload", "exit", "7").code == 7
    assert run("exec", name, "--", "/payload", "exit", "255").code == 255
    result = run("exec", name, "sh", "-c", "kill -TERM $$")
    assert result.code == 128 + signal.SIGTERM and result.err == b""


@pytest.mark.parametrize("words, code, sentence", [
    (["nothere"], 127, "Cannot run 'nothere' in the tree: No such file"),
    (["/no/such/file"], 127, "Cannot run '/no/such/file' in the tree: No such file"),
    (["/etc/passwd"], 126, "Cannot run '/etc/passwd': Permission denied"),
    (["/etc"], 126, "Cannot run '/etc': Permission denied"),
    (["/bad"], 126, "its interpreter or loader '/no/shell' is not in the tree"),
    (["/text"], 126, "Cannot run '/text': Exec format error"),
])
def test_a_command_that_cannot_run(machine, run, words, code, sentence):
    name = machine(entries={"bad!": "#!/no/shell\n", "text!": "just text"})
    result = run("exec", name, *words)
    assert result.code == code and sentence in result.complaint and result.out == b""


@pytest.mark.parametrize("words, sentence", [
    (["exec"], "needs the name of a machine"),
    (["exec", "nobody-here"], "needs a command"),
    (["exec", "nobody-here", "--"], "needs a command"),
    (["exec", "--bogus", "x", "true"], "does not take '--bogus'\nnspawn: 'nspawn exec --help' says what it takes"),
    (["exec", "-u"], "needs a value for '-u'"),
    (["exec", "-E", "=x", "nobody-here", "true"], "takes NAME[=VALUE]"),
    (["exec", "--chdir=tmp", "nobody-here", "true"], "needs an absolute path"),
    (["exec", "nobody-here", "true"], "No machine named 'nobody-here' is running"),
    (["exec", "../x", "true"], "No machine named '../x' is running"),
    (["shell", "nobody-here"], "No machine named 'nobody-here' is running"),
    (["shell"], "needs the name of a machine"),
])
def test_our_own_failures_are_125(run, words, sentence):
    start = time.monotonic()
    result = run(*words)
    assert result.code == 125 and sentence in result.complaint and result.out == b""
    assert time.monotonic() - start < 10


def test_streams_stay_apart_and_whole(machine, run):
    name = machine()
    junk = os.urandom(300000) + b"\r\n\0\x1d\x1d\x1d\x04"
    result = run("exec", name, "cat", stdin=junk)
    assert (result.code, result.out, result.err) == (0, junk, b"")
    result = run("exec", name, "--", "sh", "-c", "echo out; echo err >&2; tty; exit 3")
    assert (result.code, result.out, result.err) == (3, b"out\nnot a tty\n", b"err\n")


def test_two_hundred_at_once(machine, run):
    name = machine()
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        results = list(pool.map(lambda number: run("exec", name, "/payload", "exit", str(number % 100), timeout=60), range(200)))
    assert [result.code for result in results] == [number % 100 for number in range(200)], results[0]


# --- What it gets ---

KINDS = {"plain": [], "stub": ["-a"], "network": ["--private-network"], "own-ids": ["-U"],
         "no-new": ["--no-new-privileges=yes"], "capabilities": ["--drop-capability=CAP_CHOWN,CAP_KILL", "--capability=CAP_SYS_TIME"],
         "filter": ["--system-call-filter=~sethostname"], "limits": ["--rlimit=NOFILE=77:88", "--rlimit=CORE=5"],
         "personality": ["--personality=x86"], "score": ["--oom-score-adjust=500"], "processors": ["--cpu-affinity=0"],
         "environment": ["-E", "SPECIAL=a b\nc", "-E", "PATH=/bin"]}


def without(answer):
    """What two processes of one machine may differ in."""
    answer = json.loads(json.dumps(answer))
    answer["env"] = sorted(word for word in answer["env"] if not word.startswith(
        ("TERM=", "NOTIFY_SOCKET=", "container_uuid=", "LISTEN")))
    answer["caps"].pop("pdeathsig", None)
    for key in ("pid", "ppid", "hostname", "cmdline", "comm", "pgid", "sid", "cwd"):
        answer["system"].pop(key, None)
    return answer


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_confined_like_the_first_process(machine, ask, run, system, kind):
    """The same questions of a machine's own process, started in the same way, and of a further one."""
    options = KINDS[kind]
    if identity.IS_USER and kind in ("own-ids", "capabilities"):
        pytest.skip("a user's machines have ids of their own, and no more capabilities")
    questions = ("caps", "limits", "ids", "env", "system", "signals")
    name = machine(*options)
    wanted = ask(system(), *questions, options=[*options])
    got = run("exec", name, "/payload", *questions)
    assert got.code == 0 and without(got.json) == without(wanted)


@pytest.mark.root_only("a user's stub init may not be looked at by the user")
def test_all_namespaces_are_the_machines(machine, run):
    name = machine("--private-network")
    leader = leader_of(name)
    found = run("exec", name, "/payload", "namespaces").json["namespaces"]
    for kind in ("mnt", "uts", "ipc", "net", "cgroup", "user", "pid"):
        assert str(os.stat(f"/proc/{leader}/ns/{kind}").st_ino) in str(found[kind]), kind


def test_the_filter_holds(machine, run):
    """sethostname is 170 on x86-64: allowed by default, refused where the machine's own filter says so."""
    assert run("exec", machine(), "/payload", "syscall", "170").json != run(
        "exec", machine("--system-call-filter=~sethostname"), "/payload", "syscall", "170").json


def test_it_is_in_the_machines_cgroup(machine, run):
    name = machine()
    group = json.loads((identity.MACHINES / name / "state.json").read_text())["cgroup"]
    if not group:
        pytest.skip("no cgroup can be made here")
    child = subprocess.Popen([*os.environ.get("NSPAWN", "build/nspawn").split(), "exec", name, "sleep", "50"], **identity.popen(),
                             env={**os.environ, **identity.environment()})
    try:
        deadline = time.monotonic() + 10
        while len(pathlib.Path(group, "cgroup.procs").read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.terminate()
        assert child.wait(timeout=10) == 128 + signal.SIGTERM


def test_nothing_of_the_host_comes_along(machine, run):
    name = machine()
    inner = os.open("/", os.O_RDONLY)
    try:
        result = run("exec", name, "/payload", "fds", "keyring", fds=(inner,), env={"HOST_SECRET": "1"})
        assert sorted(int(fd) for fd in result.json["fds"]) == [0, 1, 2]
        assert b"HOST_SECRET" not in run("exec", name, "env", env={"HOST_SECRET": "1"}).out
    finally:
        os.close(inner)


# --- Whose, and where ---

def test_a_user_and_what_goes_with_it(machine, run):
    name = machine()
    result = run("exec", "-u", "alice", name, "sh", "-c", "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; pwd")
    assert result.text == "1000\n1000\n1000 44\n/home/alice alice alice\n/\n", result
    for spelling in (["--user=1000"], ["--uid", "alice"], ["-ualice"], ["-iu", "alice"]):
        assert run("exec", *spelling, name, "id", "-u").text == "1000\n"
    assert run("exec", name, "-u", "alice", "--", "id", "-u").text == "1000\n"
    assert run("exec", "-u", "4711", name, "id", "-u").text == "4711\n"


@pytest.mark.parametrize("who, ids", [("alice:44", "1000 44 44"), ("1000:video", "1000 44 44"), ("4711:4712", "4711 4712 4712"), ("0:0", "0 0 0"), ("root:7", "0 7 7")])
def test_a_group_of_ones_choice_is_the_only_one(machine, run, who, ids):
    assert run("exec", "-u", who, machine(), "sh", "-c", "echo $(id -u) $(id -g) $(id -G)").text == ids + "\n"


@pytest.mark.parametrize("who, complaint", [
    ("nobody-here", "user 'nobody-here'"), ("nobody-here:44", "user 'nobody-here'"), (":44", "user ''"), ("-1", "user '-1'"), ("4294967295", "user '4294967295'"),
    ("alice:", "group ''"), ("alice:nobody-here", "group 'nobody-here'"), ("alice:4294967295", "group '4294967295'"), ("alice:1:2", "group '1:2'")])
def test_who_is_not_there(machine, run, who, complaint):
    result = run("exec", "-u", who, machine(), "true")
    assert result.code == 125 and result.complaint.startswith(f"nspawn: There is no {complaint} in the machine\n"), result


def test_a_machine_without_accounts(machine, run):
    name = machine(entries={"etc/passwd": "", "etc/group": ""})
    assert run("exec", name, "id", "-u").text == "0\n"
    assert run("shell", name, stdin=b"echo $HOME\n").text == "/root\n"


def test_variables_and_directory(machine, run):
    name = machine()
    result = run("exec", "-E", "A=x y", "-E", "HOSTS", "--setenv=PATH=/bin", "-e", "UNSET", "--chdir=/tmp", name, "sh", "-c",
                 'echo "$A|$HOSTS|$PATH|${UNSET-none}|$PWD"', env={"HOSTS": "mine"})
    assert result.text == "x y|mine|/bin|none|/tmp\n", result
    assert run("exec", "-w", "/home/alice", name, "sh", "-c", "pwd").text == "/home/alice\n"
    result = run("exec", "--chdir=/nothere", name, "true")
    assert result.code == 125 and "Cannot change to the directory '/nothere'" in result.complaint


def test_a_login_shell(machine, run):
    name = machine(entries={"etc/profile": "echo profile\n"})
    script = b'echo $0 $HOME $USER $LOGNAME $SHELL $PWD; exit 5\n'
    result = run("shell", f"alice@{name}", stdin=script)
    assert (result.code, result.text) == (5, "profile\n-sh /home/alice alice alice /bin/sh /home/alice\n"), result
    result = run("shell", name, stdin=script)
    assert (result.code, result.text) == (5, "profile\n-sh /root root root /bin/sh /root\n"), result
    assert run("shell", name, "/payload", "exit", "9").code == 9
    assert run("shell", name, "/bin/sh", "-c", "echo $0 $HOME").text == "/bin/sh /root\n"
    # A shell that is not there: another one.
    assert run("shell", f"odd@{name}", stdin=b"id -u\n").text.endswith("7\n")


# --- Ends ---

def test_whoever_ends_the_client_ends_the_command(machine, Running):
    name = machine()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Running("exec", name, "sh", "-c", "echo ready; exec sleep 77") as client:
            client.expect("ready").signal(number)
            assert client.wait(10).code == 128 + number
    with Running("exec", name, "sh", "-c", "trap 'echo caught; exit 4' TERM; echo ready; while :; do sleep 0.1; done") as client:
        client.expect("ready").signal(signal.SIGTERM)
        result = client.wait(10)
        assert result.code == 4 and b"caught" in result.out
    with Running("exec", name, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done") as client:
        client.expect("ready").signal(signal.SIGTERM)
        time.sleep(0.3)
        assert client.process.poll() is None
        client.signal(signal.SIGTERM)
        assert client.wait(10).code == 128 + signal.SIGKILL


def test_a_killed_client_takes_the_command_along(machine, Running, run):
    name = machine()
    with Running("exec", name, "sh", "-c", "echo ready; exec sleep 7777") as client:
        client.expect("ready").signal(signal.SIGKILL)
        client.wait(10)
    deadline = time.monotonic() + 10
    while "7777" in run("exec", name, "sh", "-c", "cat /proc/[0-9]*/cmdline").out.decode().replace("cat", ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    leaks.reap()  # we are its parent now, as the host's init would be, and a PID namespace waits for each of its processes


def test_the_machine_ends_meanwhile(machine, Running, run):
    name = machine()
    with Running("exec", name, "sh", "-c", "echo ready; exec sleep 77") as client:
        client.expect("ready")
        machine.running[name].stop()
        assert client.wait(10).code == 128 + signal.SIGKILL
    start = time.monotonic()
    result = run("exec", name, "true")
    assert result.code == 125 and f"No machine named '{name}' is running" in result.complaint
    assert time.monotonic() - start < 5


@pytest.mark.root_only("only one of the kinds of ends")
def test_a_machine_that_dies_under_us(machine, run):
    """Its leader killed, at whatever moment: one sentence and 125, or the command was there first."""
    for delay in range(0, 10, 2):
        name = machine()
        leader = leader_of(name)
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.00{delay}; kill -9 {leader}"])
        result = run("exec", name, "sleep", "5", timeout=20)
        killer.wait()
        assert result.code in (125, 137), result
        if result.code == 125:
            assert result.complaint.count("\n") <= 1 and name in result.complaint, result


# --- Terminals ---

def test_a_terminal_is_the_machines(machine, Terminal):
    name = machine()
    with Terminal("exec", name, "sh", "-c", "tty; stty size; ls -l /proc/self/fd; echo done; exit 6", rows=33, columns=101,
                  env={"TERM": "vt220"}) as terminal:
        terminal.expect(r"/dev/pts/\d")
        terminal.expect(r"33 101")
        terminal.expect("done")
        assert terminal.wait() == 6
        assert terminal.is_restored()


def test_keys_reach_the_command(machine, Terminal):
    name = machine()
    with Terminal("shell", f"alice@{name}", env={"TERM": "vt220"}) as terminal:
        terminal.line("echo $TERM-$USER-")
        terminal.expect("vt220-alice-")
        terminal.line("sleep 100")
        terminal.expect("sleep 100")
        time.sleep(0.3)
        terminal.send("\x03")
        terminal.line("echo st''ill")
        terminal.expect("still")
        terminal.resize(11, 22)
        terminal.signal(signal.SIGWINCH)
        time.sleep(0.2)
        terminal.line("stty size")
        terminal.expect("11 22")
        terminal.line("exit 12")
        assert terminal.wait() == 12
        assert terminal.is_restored()


def test_the_escape_leaves(machine, Terminal):
    name = machine()
    with Terminal("exec", name, "sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 1; done") as terminal:
        terminal.expect("ready")
        terminal.send("\x1d\x1d\x1d")
        assert terminal.wait(10) in (128 + signal.SIGKILL, 128 + signal.SIGHUP)
        assert terminal.is_restored()


def test_each_stream_by_itself(machine, Terminal):
    """What is no terminal goes in as it is; an answer on the terminal does not end up in data."""
    name = machine()
    with Terminal("exec", name, "sh", "-c", "[ -t 0 ] && [ -t 2 ] && ! [ -t 1 ] && echo data; echo prompt >&2; exit 3",
                  stdout="pipe") as terminal:
        terminal.expect("prompt")
        assert terminal.wait() == 3
        assert terminal.process.stdout.read() == b"data\n"


def test_asking_for_a_terminal_and_for_none(machine, run, Terminal):
    name = machine()
    assert run("exec", "-t", name, "tty").text.startswith("/dev/pts/")
    assert run("exec", "-it", name, "tty").text.startswith("/dev/pts/")
    with Terminal("exec", "-T", name, "sh", "-c", "tty; cat; echo error >&2; exit 8") as terminal:
        terminal.expect("not a tty")
        terminal.line("typed")
        terminal.expect("typed\r?\ntyped")
        terminal.send("\x04")
        terminal.expect("error")
        assert terminal.wait() == 8


def test_a_login_prompt(machine, Terminal):
    name = machine()
    with Terminal("login", name) as terminal:
        terminal.expect("login: ")
        terminal.send("\x1d\x1d\x1d")
        terminal.wait(10)
        assert terminal.is_restored()


def test_without_a_login_program_there_is_a_shell(machine, Terminal, system):
    root = system()
    (root / "bin/login").unlink()
    with Terminal("login", machine(root=root)) as terminal:
        terminal.expect("no login program")
        terminal.line("echo $HOME-$0")
        terminal.expect("/root--sh")
        terminal.line("exit 4")
        assert terminal.wait() == 4


# --- Hostile machines ---

EXE = "/proc/self/exe"


@pytest.mark.parametrize("shell", ["link", "script", "chain"])
def test_a_replaced_shell_does_not_lead_to_our_program(machine, run, system, shell):
    """CVE-2019-5736: a program of the machine that is our own executable, by way of procfs."""
    root = system()
    (root / "bin/sh").unlink()
    if shell == "link":
        (root / "bin/sh").symlink_to(EXE)
    else:
        (root / "bin/sh").write_text(f"#!{EXE}\n" if shell == "script" else "#!/bin/other\n")
        (root / "bin/sh").chmod(0o755)
        (root / "bin/other").write_text(f"#!{EXE}\n")
        (root / "bin/other").chmod(0o755)
    name = machine(root=root)
    for words in (["exec", name, "/bin/sh"], ["exec", name, "sh"], ["shell", name]):
        result = run(*words)
        if result.code == 127:  # who looks is in no /proc of the machine, where the link leads nowhere
            assert shell == "link" and ("in the tree: No such file" in result.complaint or "There is no shell in the tree" in result.complaint), result
        else:
            assert result.code == 126, result
            assert "leads through a link of /proc" in result.complaint or "interpreter or loader '/proc/self/exe' is not in the tree" in result.complaint, result


@pytest.mark.parametrize("entries", [
    {"dev/pts/ptmx": "", "etc/passwd/": None},
    {"etc/passwd=": "/proc/self/environ"},
    {"etc/passwd=": "/dev/zero"},
    {"etc/passwd=": "passwd"},
])
def test_files_that_are_none(machine, run, system, entries):
    root = system()
    for name in entries:
        path = root / name.rstrip("=/")
        if path.is_file() or path.is_symlink():
            path.unlink()
        if name.endswith("="):
            path.symlink_to(entries[name])
        elif name.endswith("/"):
            path.mkdir()
    name = machine(root=root)
    assert run("exec", name, "/payload", "exit", "3").code == 3
    assert run("exec", "-u", "alice", name, "/payload", "exit", "3").code == 125
    assert run("shell", name, "/payload", "exit", "4").code == 4


@pytest.mark.root_only("root of the machine mounts what it likes")
def test_a_machine_that_mounts_over_its_terminals(machine, run):
    """Only a multiplexer of the kernel's own is one."""
    name = machine("--capability=all", words=("/bin/sh", "-c", "mount -t tmpfs none /dev/pts 2>/dev/null || /bin/busybox mount -t "
                                              "tmpfs none /dev/pts; : >/dev/pts/ptmx; : >/tmp/done; exec sleep 600"))
    deadline = time.monotonic() + 10
    while run("exec", name, "cat", "/tmp/done").code:
        assert time.monotonic() < deadline
    result = run("exec", "-t", name, "true")
    assert result.code == 125 and "Cannot make a pseudo-terminal in the machine" in result.complaint


def test_nobody_looks_into_a_process_that_is_not_confined(machine, Running, run, system):
    """The machine's own root watches every process that appears and opens what it can of it: none of them has more
    descriptors than its streams and what is the machine's own."""
    watcher = r"""
while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) continue;; esac
for l in $p/fd/*; do t=$(readlink $l 2>/dev/null) && case $t in "$OUTSIDE"*|/sys/fs/cgroup*) echo "$l $t" >>/found;; esac; done
r=$(readlink $p/root 2>/dev/null) && [ "$r" != / ] && echo "$p $r" >>/found
w=$(readlink $p/cwd 2>/dev/null) && case $w in "$OUTSIDE"*) echo "$p $w" >>/found;; esac
done; done
"""
    root = system({"watch!": "#!/bin/sh\n" + watcher, "bin/readlink=": "busybox"})
    name = machine("-E", f"OUTSIDE={pathlib.Path.cwd()}", root=root, words=("/bin/sh", "/watch"))
    for _ in range(30):
        assert run("exec", name, "true").code == 0
    assert not (root / "found").exists(), (root / "found").read_text()


@pytest.fixture(scope="session")
def attack_join(tmp_path_factory):
    path = tmp_path_factory.mktemp("attack-join") / "attack-join"
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-static", "-w", "-o", path, TOP / "test/integration/attack-join.c"], check=True)
    return path


@pytest.mark.root_only("root of a machine with the host's ids, and a file that is root's")
@pytest.mark.host_ids_only("each case says whose ids it has")
@pytest.mark.parametrize("options, user", [([], []), ([], ["-u", "7"]), (["-U"], []), (["--private-users=identity"], [])],
                         ids=["host-ids", "host-ids-user", "own-ids", "identity"])
def test_root_of_the_machine_does_not_get_our_executable(machine, run, system, attack_join, options, user):
    """Who opens /proc/PID/exe before the exec, traces the process, or swaps the program after it was looked at, gets at a
    sealed copy only; and the caller's environment is not to be read anywhere."""
    executable = os.stat(shutil.which(program()[0]))
    secret = "".join(random.choices("abcdefghijkl", k=24))
    root = system({"attack!": attack_join, "swapped!": ""})
    name = machine(*options, root=root, words=("/attack", str(executable.st_dev), str(executable.st_ino), secret))
    found = root / "found"
    deadline = time.monotonic() + 60
    rounds = 0
    while not found.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # With ids of its own it may neither look nor write; who has the host's ids must have been close, or it proves nothing.
    while rounds < 40 or not options and not {"copy", "memory"} <= set(found.read_text().split("\n")):
        assert time.monotonic() < deadline, found.read_text()
        result = run("exec", *user, name, "/swapped", "exit", "3", env={"CALLERS": secret})
        assert result.code in (1, 3, 125, 126, 127, 128 + signal.SIGKILL), result
        rounds += 1
    seen = set(found.read_text().split("\n"))
    if options == ["-U"]:
        seen.discard("host executable")  # swapped in: it is executed there, and for no id there to write to
    assert not seen & {"host executable", "executable opened for writing", "copy written", "copy cut", "environment of the caller", "memory of the caller",
                       "cannot swap"}, seen


def test_a_preloaded_library_is_only_the_commands(machine, run):
    """/etc/ld.so.preload of the machine is the machine's: what joins it loads no library from there."""
    name = machine(entries={"etc/ld.so.preload": "/evil.so\n", "evil.so": "junk"})
    assert run("exec", name, "/payload", "exit", "6").code == 6


def test_typing_into_the_callers_terminal(machine, Terminal):
    """TIOCSTI: what is pushed goes into the machine's pty, and never to the caller's shell."""
    name = machine()
    with Terminal("exec", name, "/payload", "tiocsti") as terminal:
        terminal.wait()
        assert terminal.is_restored()
        assert not select.select([terminal.slave], [], [], 0.2)[0], terminal


def test_an_exec_while_it_starts_waits_for_the_tree(system, Running, run):
    """Before the tree is entered the machine's mounts are the host's: nothing may run there yet."""
    marker = system({"etc/marker": "machine"})
    for number in range(5):
        name = f"early{os.getpid()}x{number}"
        with Running("-q", "-P", "-M", name, "-D", marker, "/payload", "sleep", "600") as running:
            deadline = time.monotonic() + 20
            while True:
                result = run("exec", name, "cat", "/etc/marker")
                if result.code != 125:
                    break
                assert time.monotonic() < deadline, running
            assert (result.code, result.out) == (0, b"machine"), result
