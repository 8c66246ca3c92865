# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn list, status, show, top, poweroff, reboot, terminate, kill, pause and resume: machines seen and moved from outside."""
import contextlib
import json
import os
import pathlib
import re
import struct
import time

import pytest

from lab import probe
from lab.manager import Manager, Reader, message, put_text, texts
from lab.run import leader_of

pytestmark = pytest.mark.requires("root")

EVIL = 'ID=probe\nVERSION_ID="1\x1b[31m2"\nPRETTY_NAME="Probe\\x0a \u202e OS"\n'


def wait_until(what, timeout=5):
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def fields(result):
    return dict(line.split("=", 1) for line in result.text.splitlines())


@pytest.fixture
def sleeper(tree, Running):
    """A machine whose first process only waits."""
    with contextlib.ExitStack() as stack:
        def start(name, *options, entries=None, root=None, words=("/payload", "sleep", "60")):
            root = root or tree(entries)
            machine = stack.enter_context(Running("-q", "-P", "-D", root, "-M", name, *options, *words))
            wait_until(lambda: pathlib.Path(f"/run/nspawn/{name}/state.json").exists() and
                       pathlib.Path(f"/run/nspawn/{name}/state.json").read_text().endswith("\n"))
            machine.root, machine.leader = root, leader_of(machine.pid)
            # It is noted before its program is executed.
            wait_until(lambda: pathlib.Path(f"/proc/{machine.leader}/comm").read_text() != "nspawn\n")
            return machine
        yield start


@pytest.fixture
def booted(tree, Running):
    """A busybox system that is up."""
    if not os.path.exists("/bin/busybox"):
        pytest.skip("there is no busybox")
    root = tree(kind="busybox")
    with Running("-q", "-D", root, "--boot", "-M", "booted", "--console=read-only") as machine:
        machine.root = root
        machine.expect("login")
        yield machine


# --- list ---

def test_no_machines(run):
    assert run("list").text == "No machines.\n"
    assert run("list", "--no-legend").out == b""
    assert run("list", "--json").json == []


def test_list(run, sleeper):
    sleeper("web")
    sleeper("db", entries={"etc/os-release": EVIL})
    lines = run("list").text.splitlines()
    assert lines[0].split() == ["MACHINE", "CLASS", "SERVICE", "OS", "VERSION", "ADDRESSES"]
    assert lines[1].split() == ["db", "container", "nspawn", "probe", "-", "-"] or "\\x1b" in lines[1]
    assert lines[2].split() == ["web", "container", "nspawn", "probe", "-", "-"]
    assert lines[3:] == ["", "2 machines listed."]
    assert "\x1b" not in run("list").text
    found = run("list", "--json").json
    assert [machine["machine"] for machine in found] == ["db", "web"]
    assert found[1] == {"machine": "web", "class": "container", "service": "nspawn", "os": "probe", "version": None,
                        "addresses": None}
    host = run("list", "--all", "-o", "json").json
    assert len(run("list", "-o", "json").text.splitlines()) == 1
    assert [machine["class"] for machine in host if machine["machine"] == ".host"] == ["host"]


@pytest.mark.requires("netns")
def test_addresses_are_those_of_its_own_network(run, sleeper):
    machine = sleeper("net", "--private-network")
    enter = ["nsenter", "-t", str(machine.leader), "-n"]
    for words in ("link set lo up", "link add d0 type veth peer name d1", "link set d1 up", "address add 192.0.2.7/24 dev d0", "link set d0 up",
                  "address add 2001:db8::7/64 dev d0 nodad"):
        assert run(*words.split(), command=[*enter, "ip"]).code == 0
    shown = run("list", "--no-legend").text.split()
    assert shown[5:] == ["192.0.2.7…"]
    every = run("list", "--no-legend", "--max-addresses=all").text.split()
    assert every[5:7] == ["192.0.2.7", "2001:db8::7"]
    assert "127.0.0.1" not in every and "::1" not in every
    # For programs always all of them, in one text, as systemd's JSON has them.
    for option in ("--max-addresses=1", "--max-addresses=all", "--no-legend"):
        told = run("list", "--json", option).json[0]["addresses"].split("\n")
        assert told[:2] == ["192.0.2.7", "2001:db8::7"] and len(told) == 4 and all(text.startswith("fe80:") and "…" not in text for text in told[2:])
    assert "ADDRESSES" not in run("list", "--max-addresses=0").text and "addresses" not in run("list", "--json", "--max-addresses=0").json[0]


def test_a_guest_that_never_answers_costs_a_second(run, sleeper):
    """Its os-release is a FIFO, which nobody writes to, and then a link out of the tree."""
    machine = sleeper("slow")
    path = machine.root / "etc/os-release"
    path.unlink()
    os.mkfifo(path)
    begin = time.monotonic()
    assert run("list", "--no-legend").text.split() == ["slow", "container", "nspawn", "-", "-", "-"]
    assert time.monotonic() - begin < 5
    path.unlink()
    secret = machine.root.parent / "secret"
    secret.write_text("ID=secret\n")
    path.symlink_to(f"../../{secret.name}")
    assert "secret" not in run("list").text
    path.unlink()
    secret.unlink()
    path.write_text("ID=" + "x" * 100000)
    assert len(run("list").text) < 2000


# --- show and status ---

def test_show(run, sleeper):
    machine = sleeper("web", "--uuid=0123456789abcdef0123456789abcdef")
    found = fields(run("show", "web"))
    assert found["Name"] == "web" and found["Id"] == "0123456789abcdef0123456789abcdef"
    assert found["Leader"] == str(machine.leader) and found["Supervisor"] == str(machine.pid)
    assert found["RootDirectory"] == str(machine.root) and found["State"] == "running" and found["Class"] == "container"
    assert "Unit" not in found
    assert run("show", "web", "-p", "State", "--value").text == "running\n"
    assert run("show", "web", "-PLeader").text == f"{machine.leader}\n"
    assert run("show", "-p", "Unit,Name", "web").text == "Name=web\nUnit=\n"
    assert "Unit" in fields(run("show", "web", "--all"))
    assert run("show", "web", "--json").json[0]["Leader"] == machine.leader
    assert fields(run("show"))["PoolPath"] == "/var/lib/machines"


def test_show_of_several(run, sleeper):
    sleeper("one")
    sleeper("two")
    result = run("show", "two", "nix", "one", "-pName")
    assert result.code == 1 and result.text == "Name=two\n\nName=one\n" and "No machine named 'nix'" in result.complaint


@pytest.mark.requires("cgroup2")
def test_status(run, sleeper):
    machine = sleeper("web", entries={"etc/os-release": EVIL})
    text = run("status", "web").text
    assert text.startswith("web(") and "\x1b" not in text and "\u202e" not in text
    assert re.search(rf"^ +Leader: {machine.leader} \(payload\)$", text, re.M)
    assert re.search(rf"^ +Root: {re.escape(str(machine.root))}$", text, re.M)
    assert re.search(rf"└─{machine.leader} /payload sleep 60$", text, re.M)
    found = run("status", "web", "--json").json[0]
    assert found["Leader"] == machine.leader and found["Paused"] is False and found["Tasks"] == 1


def test_status_shows_what_the_console_said(run, booted):
    text = run("status", "booted", "--lines=3").text
    assert len(text.split("\n\n")[-1].splitlines()) <= 3 and "login" in text and booted.pid
    assert "login" not in run("status", "booted", "-n0").text.split("getty")[-1]
    assert run("exec", "booted", "sh", "-c", r"printf '\033[31mred\033[0m\n' >/dev/console").code == 0
    booted.expect("red")
    assert run("status", "booted").text.endswith("login: red\n")


def test_top(run, sleeper, Terminal):
    sleeper("web")
    text = run("top", "--once").text
    assert text.split()[:3] == ["MACHINE", "CPU%", "MEMORY"] and "web" in text
    assert run("top", "--json").json[0]["machine"] == "web"
    result = run("top", "--once", "web", "nobody")
    assert result.code == 1 and "No machine named 'nobody' is running" in result.complaint and not result.out
    with Terminal("top", "--delay=200ms") as screen:
        screen.expect(r"\x1b\[\?1049h.*web.*web")
        os.write(screen.master, b"q")
        screen.expect(r"\x1b\[\?1049l")
        assert screen.process.wait(timeout=5) == 0
        import termios
        assert termios.tcgetattr(screen.slave) == screen.before


# --- Deeds ---

def test_poweroff_and_reboot(run, booted):
    before = fields(run("show", "booted"))
    result = run("reboot", "booted")
    assert result.code == 0, result
    after = fields(run("show", "booted"))
    assert after["Leader"] != before["Leader"] and after["Supervisor"] == before["Supervisor"]
    booted.out.clear()
    booted.expect("login")
    result = run("poweroff", "booted")
    assert result.code == 0, result
    assert booted.wait(5).code == 0
    assert not os.path.exists("/run/nspawn/booted")


def test_poweroff_ends_a_command(run, sleeper):
    machine = sleeper("web")
    result = run("reboot", "web")
    assert result.code == 1 and "does not know how to reboot" in result.complaint
    assert run("stop", "web").code == 0
    machine.wait(5)


def test_no_wait_and_a_time_that_is_too_short(run, booted):
    os.kill(booted.pid, 19)  # its supervisor is stopped: nothing ends
    try:
        result = run("poweroff", "booted", "--timeout=300ms", timeout=10)
        assert result.code == 1 and "did not end within 300ms" in result.complaint
        assert "nspawn terminate booted" in result.complaint
        assert run("poweroff", "booted", "--no-wait", timeout=10).code == 0
    finally:
        os.kill(booted.pid, 18)
    booted.wait(20)


@pytest.mark.requires("cgroup2")
def test_terminate_kills_all_at_once(run, sleeper):
    first, second = sleeper("one"), sleeper("two")
    assert run("pause", "two").code == 0
    result = run("terminate", "one", "two", "three")
    assert result.code == 1 and result.complaint.count("\n") == 1 and "'three'" in result.complaint
    for machine in (first, second):
        machine.wait(5)
    assert run("list").text == "No machines.\n"


@pytest.mark.requires("cgroup2")
def test_pause_and_resume(run, sleeper):
    machine = sleeper("web")
    events = pathlib.Path(fields(run("show", "web"))["ControlGroup"]) / "cgroup.events"
    assert run("pause", "web").code == 0 and "frozen 1" in events.read_text()
    assert "State: paused" in run("status", "web").text
    result = run("poweroff", "web")
    assert result.code == 1 and "is paused" in result.complaint and "nspawn resume web" in result.complaint
    for words, code in ((["exec", "web", "true"], 125), (["shell", "web"], 125), (["login", "web"], 1)):
        result = run(*words)
        assert result.code == code and "nothing can begin to run" in result.complaint and "nspawn resume web" in result.complaint
    assert run("resume", "web").code == 0 and "frozen 0" in events.read_text()
    assert machine.process.poll() is None


def test_without_a_cgroup_there_is_no_pause(run, sleeper):
    """As a machine that a user started without one; its line in the registry says so."""
    machine = sleeper("web")
    path = pathlib.Path("/run/nspawn/web/state.json")
    entry = json.loads(path.read_text())
    with open(path, "r+", encoding="utf-8") as file:  # the lock is on this very file
        file.write(json.dumps({**entry, "cgroup": ""}, separators=(",", ":")) + "\n")
        file.truncate()
    result = run("pause", "web")
    assert result.code == 1 and "no cgroup of its own" in result.complaint
    assert run("kill", "web", "-s", "KILL").code == 0
    assert machine.wait(5).code != 0


@pytest.mark.requires("cgroup2")
def test_kill(run, sleeper):
    """Its leader ignores what has no handler, as the kernel has it for process 1; others do not."""
    machine = sleeper("web", "--as-pid2", words=("/payload", "sleep", "60"))
    assert run("kill", "web", "--kill-whom=leader", "-s", "USR1").code == 0
    assert machine.process.poll() is None
    assert run("kill", "web", "--signal=KILL").code == 0
    machine.wait(5)


def test_kill_hits_everybody_but_only_there(run, sleeper):
    machine, other = sleeper("web", "--as-pid2"), sleeper("other")
    assert run("kill", "web", "-s", "9").code == 0
    machine.wait(5)
    assert other.process.poll() is None


# --- Mistakes ---

NAMED = ["status", "show", "poweroff", "reboot", "terminate", "kill", "pause", "resume", "top", "limits", "login", "console", "wait"]


@pytest.mark.parametrize("verb", NAMED)
def test_no_such_machine(run, verb):
    for name in ("nonesuch", "../../etc", "a b", "x" * 300):
        result = run(verb, name)
        assert result.code == 1 and result.out == b"" and result.complaint.count("\n") == 1, result
        assert f"No machine named '{name}' is running" in result.complaint


@pytest.mark.parametrize("words, complaint", [
    (["list", "web"], "'list' does not take 'web'"),
    (["list", "--signal=9"], "'list' does not take '--signal=9'"),
    (["status"], "'status' needs the name of a machine"),
    (["kill", "web", "--kill-whom=me"], "Option '--kill-whom' takes all, leader or supervisor, not 'me'"),
    (["kill", "web", "-s", "NOSUCH"], "Option '-s' takes the name or number of a signal, not 'NOSUCH'"),
    (["list", "--max-addresses=-1"], "Option '--max-addresses' takes a number or 'all', not '-1'"),
    (["list", "-o", "xml"], "Option '-o' takes text, json"),
    (["poweroff", "web", "--timeout"], "Option '--timeout' requires an argument"),
    (["login"], "'login' needs the name of a machine"),
    (["limits", "web", "db"], "'limits' does not take 'db'"),
    (["poweroff", ".host"], "'poweroff' is not for the host itself"),
])
def test_mistakes(run, words, complaint):
    result = run(*words)
    assert result.code == 1 and complaint in result.complaint


def test_deeds_as_json(run, sleeper):
    """A line for each machine that was found, and the exit code and standard error as ever."""
    sleeper("web")
    result = run("kill", "web", "nonesuch", "--signal=CONT", "--json")
    assert result.code == 1 and json.loads(result.text) == [{"machine": "web", "done": True}] and "'nonesuch'" in result.complaint
    result = run("terminate", "web", "--json=short")
    assert result.code == 0 and result.text == '[{"machine":"web","done":true}]\n'


def test_what_came_of_a_deed_as_json(run, sleeper, tmp_path):
    """Of verbs that have nothing else to show."""
    sleeper("web")
    (tmp_path / "file").write_text("text")
    done = run("copy-to", "web", tmp_path / "file", "/file", "--json")
    assert (done.code, json.loads(done.text)) == (0, {"verb": "copy-to", "done": True, "error": None})
    failed = run("copy-from", "web", "/none", tmp_path / "x", "--json=short")
    assert failed.code == 1 and failed.text.startswith('{"verb":"copy-from","done":false,"error":"') and "/none" in failed.complaint
    for words, said in ((["copy-from", "web", "/file", "-", "--json"], "a stream for '-'"), (["clean", "--json=x"], "pretty, short or off, not 'x'")):
        refused = run(*words)
        assert refused.code == 1 and said in refused.complaint and not refused.out


def test_a_supervisor_that_was_killed_left_no_machine(run, sleeper):
    machine = sleeper("web")
    os.kill(machine.pid, 9)
    machine.process.wait(timeout=5)
    begin = time.monotonic()
    assert "No machine named 'web'" in run("status", "web").complaint
    assert "web" not in run("list").text and time.monotonic() - begin < 3
    status = pathlib.Path(f"/proc/{machine.leader}/status")
    wait_until(lambda: not status.exists() or "State:\tZ" in status.read_text())
    sleeper("web", root=machine.root)  # takes what is left


# --- The machine manager's machines ---

class Machined(Manager):
    """Knows one machine that is not ours."""

    def _answer(self, connection, data, fds):
        length, serial, _ = struct.unpack_from("=III", data, 4)
        found = dict(Reader(data, 12).value("a(yv)")[0])
        member, arguments = found[3], Reader(data[len(data) - length:]).all(found.get(8, ""))
        self.calls.append((member, *arguments))

        def reply(signature="", body=b"", kind=2, more=()):
            connection.sendall(message(kind, [(5, "u", serial), *more], signature, body))

        def array(body, alignment=8):
            return struct.pack("=I", len(body)) + b"\0" * (-4 % alignment) + body

        if self.manner == "garbage" and member != "Hello":
            connection.sendall(b"l\x02\x00\x01" + b"\xff" * 64)
        elif self.manner == "silent" and member != "Hello":
            return
        elif member == "Hello":
            reply("s", texts(":1.9"))
        elif member == "ListMachines":
            reply("a(ssso)", array(texts("alien", "vm", "libvirt\x1b", "/m/alien")))
        elif member in ("KillMachine", "TerminateMachine") and self.manner == "decline":
            reply("s", texts("Interactive authentication required."), 3, [(4, "s", "org.freedesktop.DBus.Error.X")])
        elif member == "GetMachine" and arguments == ["alien"] and ("TerminateMachine", "alien") not in self.calls:
            reply("o", texts("/m/alien"))
        elif member == "GetMachine":
            reply("s", texts("No machine"), 3, [(4, "s", "org.freedesktop.machine1.NoSuchMachine")])
        elif member == "GetMachineOSRelease":
            reply("a{ss}", array(texts("ID", "plan9")))
        elif member == "GetMachineAddresses":
            reply("a(iay)", array(struct.pack("=iI", 2, 4) + bytes([198, 51, 100, 4])))
        elif member == "GetAll":
            body = bytearray()
            for name, value in (("Name", "alien"), ("State", "running"), ("Class", "vm")):
                body += b"\0" * (-len(body) % 8)
                put_text(body, name)
                body += b"\x01s\0"
                put_text(body, value)
            reply("a{sv}", array(bytes(body)))
        else:
            reply()


@pytest.fixture
def machined(tmp_path):
    """A manager; /run/systemd/machines has its file."""
    folder = pathlib.Path("/run/systemd/machines")
    made = [path for path in (folder, folder.parent) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alien").write_text("")
    with contextlib.ExitStack() as stack:
        def start(manner=""):
            return stack.enter_context(Machined(tmp_path / "bus", 0, manner))
        start.env = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/bus"}
        yield start
    (folder / "alien").unlink()
    for path in made:
        path.rmdir()


def test_machines_of_the_manager(run, sleeper, machined):
    manager = machined()
    sleeper("web")
    found = {machine["machine"]: machine for machine in run("list", "--json", env=machined.env).json}
    assert sorted(found) == ["alien", "web"]
    assert found["alien"] == {"machine": "alien", "class": "vm", "service": "libvirt\x1b", "os": "plan9", "version": None,
                              "addresses": "198.51.100.4"}
    assert "\x1b" not in run("list", env=machined.env).text
    assert run("show", "alien", "-PState", env=machined.env).text == "running\n"
    assert run("status", "alien", env=machined.env).text.startswith("alien\n")
    assert run("kill", "alien", "-s", "HUP", "--kill-whom=leader", env=machined.env).code == 0
    assert ("KillMachine", "alien", "leader", 1) in manager.calls
    result = run("pause", "alien", env=machined.env)
    assert result.code == 1 and "which nspawn did not start" in result.complaint
    assert run("terminate", "alien", env=machined.env).code == 0
    assert ("TerminateMachine", "alien") in manager.calls


@pytest.mark.parametrize("manner, complaint", [("decline", "declines about 'alien': Interactive authentication required."),
                                               ("silent", "Machine 'alien' is not one"), ("garbage", "Machine 'alien' is not one")])
def test_a_manager_that_does_not_want_to(run, sleeper, machined, manner, complaint):
    machined(manner)
    sleeper("web")
    begin = time.monotonic()
    assert "web" in run("list", env=machined.env).text
    result = run("terminate", "alien", env=machined.env)
    assert result.code == 1 and complaint in result.complaint and time.monotonic() - begin < 8


def test_without_a_bus_only_ours_are_there(run, sleeper, machined):
    sleeper("web")
    result = run("list", "--no-legend", env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"})
    assert result.code == 0 and result.text.split()[0] == "web" and not result.err
    assert machined and probe
