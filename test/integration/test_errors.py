# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs get to read when something is wrong, and what nobody's terminal gets to read: see nspawn-errors(7)."""
import json
import os
import pathlib
import shlex
import signal
import subprocess

import pytest

from lab.run import program
from lab.run import run as run_now
from lab.tree import TOP

pytestmark = pytest.mark.requires("root")

TREE, BOOT = object(), object()
ONE = ["/payload", "exit", "0"]

# (words, identifier, errno or None); TREE stands for a tree as most commands of this suite have it.
BAD = {
    # the command line
    "unknown option": (["--no-such-option", "-D", TREE], "option-unknown", None),
    "unknown letter": (["-D", TREE, "-qy"], "option-unknown", None),
    "ambiguous option": (["-D", TREE, "--pri"], "option-ambiguous", None),
    "no value": (["-D", TREE, "--kill-signal"], "value-missing", None),
    "empty value": (["-D", TREE, "--uuid=", *ONE], "value-missing", None),
    "too many values": (["-D", TREE, "--help=x"], "value-unexpected", None),
    "capability": (["-D", TREE, "--capability=CAP_NOSUCH", *ONE], "value-invalid", None),
    "signal": (["-D", TREE, "--kill-signal=NOSUCH", *ONE], "value-invalid", None),
    "limit": (["-D", TREE, "--rlimit=NOFILE", *ONE], "value-invalid", None),
    "limits in the wrong order": (["-D", TREE, "--rlimit=NOFILE=2:1", *ONE], "value-invalid", None),
    "boolean": (["-D", TREE, "--boot=perhaps", *ONE], "value-invalid", None),
    "adds to one value": (["-D", TREE, "--uuid+=x", *ONE], "value-invalid", None),
    "relative target": (["-D", TREE, "--bind=/usr:relative", *ONE], "value-invalid", None),
    "mount option": (["-D", TREE, "--bind=/usr:/usr:nosuch", *ONE], "value-invalid", None),
    "api file system": (["-D", TREE, "--chdir=/proc/x", *ONE], "value-invalid", None),
    "out of range": (["-D", TREE, "--oom-score-adjust=1001", *ONE], "value-invalid", None),
    "system call": (["-D", TREE, "--system-call-filter=@nosuch", *ONE], "value-invalid", None),
    "address family": (["-D", TREE, "--restrict-address-families=AF_NOSUCH", *ONE], "value-invalid", None),
    "image": (["--image=/x", *ONE], "not-available", None),
    "image by its letter": (["-i", "/no/such/image", *ONE], "not-available", None),
    "idmap": (["-D", TREE, "--bind=/usr:/usr:idmap", *ONE], "settings-conflict", None),
    "owner": (["-D", TREE, "--bind=/usr:/usr:owner=1", *ONE], "value-invalid", None),
    "owners twice": (["-D", TREE, "--bind=/usr:/usr:owner=1>2,owner=3>2", *ONE], "owners-ambiguous", None),
    "owner unknown": (["-D", TREE, "--bind=/usr:/usr:owner=nobody-here>2", *ONE], "user-missing", None),
    "file system without owners": (["-D", TREE, "--bind=/sys/fs:/mnt:norbind,owner=0>2", *ONE], "owners-unsupported", None),
    "bound user": (["-D", TREE, "--bind-user=nobody-here", *ONE], "user-missing", None),
    "bound root": (["-D", TREE, "--bind-user=root", *ONE], "user-unfit", None),
    "shell of nobody": (["-D", TREE, "--bind-user-shell=/bin/sh", *ONE], "settings-conflict", None),
    "two starts": (["-D", TREE, "--boot", "--as-pid2"], "settings-conflict", None),
    "ambient and boot": (["-D", TREE, "--boot", "--ambient-capability=CAP_CHOWN"], "settings-conflict", None),
    "ambient not retained": (["-D", TREE, "--ambient-capability=CAP_SYS_TIME", *ONE], "settings-conflict", None),
    # the tree
    "no tree": (["-D", "/no/such/tree", *ONE], "tree-open", "ENOENT"),
    "a file": (["-D", "/etc/passwd", *ONE], "tree-open", "ENOTDIR"),
    "the host": (["-D", "/", *ONE], "tree-is-host", None),
    "no image": (["-M", "no-such-machine", *ONE], "image-missing", None),
    "no operating system": (["-D", TREE, "--boot"], "tree-no-os", None),
    "no init": (["-D", BOOT, "--boot"], "program-missing", None),
    # what is known only inside
    "bind source": (["-D", TREE, "--bind=/no/such/source", *ONE], "bind-source-open", "ENOENT"),
    "file on directory": (["-D", TREE, "--bind=/etc/passwd:/usr", *ONE], "mount-failed", "EINVAL"),
    "options of a tmpfs": (["-D", TREE, "--tmpfs=/x:size=nonsense", *ONE], "mount-options", "EINVAL"),
    "nothing to cover": (["-D", TREE, "--inaccessible=/not/there", *ONE], "mount-failed", "ENOENT"),
    "user": (["-D", TREE, "-u", "nobody-here", *ONE], "user-missing", None),
    "directory inside": (["-D", TREE, "--chdir=/no/where", *ONE], "chdir-failed", "ENOENT"),
    "program": (["-D", TREE, "/no/program"], "program-missing", "ENOENT"),
    "program, below the stub": (["-D", TREE, "-a", "/no/program"], "program-missing", "ENOENT"),
    "program by name": (["-D", TREE, "no-program"], "program-missing", "ENOENT"),
    "interpreter": (["-D", TREE, "/script"], "program-missing", "ENOEXEC"),
    "no program at all": (["-D", TREE, "/text"], "program-run", "ENOEXEC"),
    "through /proc": (["-D", TREE, "/evil"], "program-unsafe", None),
    "killed": (["-D", TREE, "/payload", "kill-self", str(int(signal.SIGSEGV))], "payload-killed", None),
}


def objects(result):
    """Every line of standard error, which must be an object."""
    found = [json.loads(line) for line in result.err.decode().splitlines()]
    assert all(isinstance(item, dict) and item["level"] in ("error", "warning", "note", "debug") and item["message"] and
               set(item) <= {"level", "id", "message", "errno", "hint", "file", "line"} for item in found), result
    return found


def the_error(result):
    """The one error, at the end."""
    found = objects(result)
    assert [item["level"] for item in found].count("error") == 1 and found[-1]["level"] == "error", result
    return found[-1]


@pytest.fixture
def some_tree(tree):
    return tree({"script!": "#!/no/interpreter\n", "text!": "just text\n", "evil!": "#!/proc/self/exe\n",
                 "etc/passwd": "root:x:0:0::/root:/bin/sh\n"}, )


@pytest.fixture
def fault(tmp_path_factory):
    path = tmp_path_factory.mktemp("errors") / "fault"
    subprocess.run(["gcc", "-O1", "-o", path, TOP / "test/integration/fault.c"], check=True)
    return path


@pytest.fixture
def words_with(tree, some_tree):
    def put(words):
        if TREE in words and "--boot" in words:
            (some_tree / "etc/os-release").unlink()
        return [some_tree if word is TREE else tree(kind=None) if word is BOOT else word for word in words]

    return put


def manifest(root):
    return sorted((str(path), path.lstat().st_mode) for path in root.rglob("*"))


@pytest.mark.parametrize("name", BAD)
def test_each_error_is_one_object_with_its_identifier(run, some_tree, words_with, name):
    words, identifier, error = BAD[name]
    words = words_with(words)
    before = manifest(some_tree)
    result = run("--json-errors", "-q", *words)
    assert result.code == 1 and result.out == b"", result
    found = the_error(result)
    assert found["id"] == identifier and found.get("errno") == error, result
    assert found["message"].startswith(("unrecognized option", "Option", "Cannot", "The", "There", "Machine", "No", "'--", "Key", "Image")), result
    assert manifest(some_tree) == before or identifier in ("mount-failed", "mount-options", "user-missing", "chdir-failed", "program-missing", "program-run",
                                                           "program-unsafe", "payload-killed"), "it made something first"


@pytest.mark.parametrize("name", ["unknown option", "no tree", "program", "user"])
def test_it_is_the_same_sentence_without_json(run, words_with, name):
    words = words_with(BAD[name][0])
    found, plain = the_error(run("-q", "--json-errors", *words)), run("-q", *words).complaint
    lines = [f"nspawn: {found[member]}" for member in ("message", "hint") if member in found]
    assert plain.splitlines() == lines


@pytest.mark.parametrize("words", [["--no-such", "--json-errors"], ["-qy", "--json-err"], ["-D", "/x", "--bind", "/x", "--uuid=x", "--json-errors"],
                                   ["-E", "A=b", "--user", "x", "--nosuch", "--json-errors"], ["--pri", "--json-errors"],
                                   ["--json-errors", "--json-errors=yes"], ["-qE", "A=b", "--nosuch", "--json-errors"]], ids=" ".join)
def test_it_holds_wherever_it_stands(run, words):
    result = run(*words)
    assert result.code == 1 and the_error(result)["id"]


@pytest.mark.parametrize("words", [["-D", "/no/such", "true", "--json-errors"], ["-D", "/no/such", "--", "--json-errors"], ["-D", "--json-errors"],
                                   ["-D", "/no/such", "-E", "--json-errors"], ["--setenv", "--json-errors", "-D", "/no/such"],
                                   ["-qD", "/no/such", "-u", "--json-errors"]], ids=" ".join)
def test_it_does_not_hold_where_it_is_no_option(run, words):
    result = run(*words)
    assert result.code == 1 and result.complaint.startswith("nspawn: ")


def test_the_example_of_the_manual_page():
    """What it shows is what comes."""
    page = (TOP / "man/nspawn-errors.7").read_text(encoding="utf-8").replace("\\-", "-").replace("\\(aq", "'")
    line, shown = page.split(".EX\n")[1].split("\n.EE")[0].splitlines()
    words = shlex.split(line, comments=True)
    result = run_now(*words[1:])
    assert words[0] == "nspawn" and result.code == 1 and result.complaint == shown + "\n"


@pytest.mark.parametrize("content, identifier, line, word", [
    ("[Exec]\nNotifyReady=perhaps\n", "value-invalid", 2, "perhaps"),
    ("[Exec]\n\nKillSignal=NOSUCH\n", "value-invalid", 3, "NOSUCH"),
    ("[Exec]\nNoSuchKey=1\n", None, 2, "NoSuchKey"),
    ("[Exec]\nHostname=\x1b[31m\x07_\n", None, 2, "control"),
])
def test_a_settings_file(run, tree, beside, content, identifier, line, word):
    """A warning with the place in members of its own, and without it in the sentence."""
    root = tree()
    file = beside / f"{root.name}.nspawn"
    file.write_text(content)
    try:
        result = run("--json-errors", "--settings=trusted", "-D", root, "/payload", "exit", "7")
    finally:
        file.unlink()
    found = [item for item in objects(result) if item["level"] == "warning"]
    assert result.code == 7 and len(found) == 1, result
    assert (found[0].get("id"), found[0]["file"], found[0]["line"]) == (identifier, str(file), line)
    assert word in found[0]["message"] and str(file) not in found[0]["message"] and found[0]["message"].isprintable()


def test_a_good_run_has_no_error(run, tree):
    result = run("--json-errors", "-D", tree(), "/payload", "exit", "7")
    assert result.code == 7 and "error" not in [item["level"] for item in objects(result)]
    assert [item for item in objects(result) if "Spawning" in item["message"]]
    result = run("--json-errors", "-q", "-D", tree(), "/payload", "exit", "0")
    assert (result.code, result.err) == (0, b"")


def test_the_payload_is_not_touched(run, tree):
    """Its own streams are what they were."""
    result = run("--json-errors", "-P", "-D", tree(), "/payload", "split")
    assert result.code == 0 and (result.out, result.err) == (run("-P", "-D", tree(), "/payload", "split").out,
                                                            run("-P", "-D", tree(), "/payload", "split").err)


def test_a_hint_is_in_the_object_of_its_error(run, tree, Running):
    root = tree()
    with Running("-q", "-P", "-D", root, "/payload", "sleep", "30") as machine:
        machine.expect("sleeping")
        found = the_error(run("--json-errors", "-q", "-D", root, *ONE))
        assert found["id"] == "tree-busy" and "--read-only" in found["hint"]
        found = the_error(run("--json-errors", "-q", "-D", tree(), f"--machine={root.name}", *ONE))
        assert found["id"] == "machine-busy" and "--machine=" in found["hint"]
        machine.stop()


def test_a_machine_name_that_cannot_be(run, tree):
    found = the_error(run("--json-errors", "-q", "-D", tree(name="___"), *ONE))
    assert found["id"] == "machine-name-invalid"


def test_no_privileges(run, tree):
    """In a tree of somebody else's, where nothing can be made; once, though two places notice it."""
    root = tree()
    for parent in root.parents[:root.parents.index(pathlib.Path("/tmp"))]:
        parent.chmod(0o755)
    unprivileged = ["setpriv", "--bounding-set=-all", "--reuid=65534", "--regid=65534", "--clear-groups", *program()]
    found = the_error(run("--json-errors", "-q", "-D", root, *ONE, command=unprivileged))
    assert (found["id"], found["errno"]) == ("place-make", "EACCES")


@pytest.mark.parametrize("number, identifier", [(430, "mount-failed"), (435, "namespaces-make"), (155, "root-enter"), (259, "place-make"),
                                                (170, "hostname-set"), (126, "capabilities-apply"), (317, "filter-load")])
def test_a_system_call_that_fails(run, tree, fault, number, identifier):
    """In the container, too: what it says comes over the handshake with its identifier and errno."""
    found = the_error(run("--json-errors", "-q", "-D", tree(), *ONE, command=[str(fault), str(number), "1", "-", *program()]))
    assert (found["id"], found["errno"]) == (identifier, "EPERM")


@pytest.mark.parametrize("number", [46, 47], ids=["sendmsg", "recvmsg"])
def test_the_handshake_fails(run, tree, fault, number):
    """Even then there is a sentence."""
    found = the_error(run("--json-errors", "-q", "-P", "-D", tree(), *ONE, command=[str(fault), str(number), "105", "-", *program()]))
    assert (found["id"], found["errno"]) == ("payload-silent", "ENOBUFS")


@pytest.mark.parametrize("number", [9], ids=["mmap"])
def test_no_memory(run, tree, fault, number):
    result = run("--json-errors", "-q", "-D", tree(), *ONE, command=[str(fault), str(number), "12", "-", *program()])
    assert result.code != 0
    assert the_error(result)["errno"] == "ENOMEM"


@pytest.mark.parametrize("name, value", [("SYSTEMD_NSPAWN_LOCK", "perhaps"), ("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "perhaps"),
                                         ("SYSTEMD_SECCOMP", "perhaps"), ("SYSTEMD_SUPPRESS_SYNC", "perhaps"),
                                         ("SYSTEMD_NSPAWN_CONTAINER_SERVICE", "a/b")])
def test_variables(run, tree, name, value):
    found = the_error(run("--json-errors", "-q", "-D", tree(), *ONE, env={name: value}))
    assert found["id"] == "value-invalid" and name in found["message"] and value in found["message"]


# --- levels ---

@pytest.mark.parametrize("level, lowest", [("emerg", "error"), ("err", "error"), ("3", "error"), ("ERR", "error"), ("warning", "warning"),
                                           ("4", "warning"), ("notice", "note"), ("info", "note"), ("6", "note"), ("debug", "debug"),
                                           ("7", "debug"), (None, "note"), ("", "note"), ("8", "note"), ("-1", "note"), ("junk\x1b", "note")])
def test_log_levels(run, tree, level, lowest):
    """A run with a note, and a run with an error."""
    order = ["error", "warning", "note", "debug"]
    result = run("--json-errors", "-P", "--slice=x.slice", "-D", tree(), *ONE, env={"SYSTEMD_LOG_LEVEL": level})
    found = {item["level"] for item in objects(result)} - {"warning"}
    assert result.code == 0 and not [item for item in found if order.index(item) > order.index(lowest)], result
    result = run("--json-errors", "-D", "/no/such", *ONE, env={"SYSTEMD_LOG_LEVEL": level})
    assert "error" in [item["level"] for item in objects(result)]
    unknown = [item for item in objects(result) if item["level"] == "warning"]
    assert bool(unknown) == (level in ("8", "-1", "junk\x1b")), result
    assert not unknown or "SYSTEMD_LOG_LEVEL" in unknown[0]["message"]


def test_nothing_at_all(run):
    """Only by the level: a target is no reason to keep an error from its user."""
    result = run("-D", "/no/such", *ONE, env={"SYSTEMD_LOG_LEVEL": "null"})
    assert (result.code, result.err) == (1, b"")
    for target in ("console", "journal", "auto", "kmsg", "null", "junk", ""):
        assert "Cannot open" in run("-D", "/no/such", *ONE, env={"SYSTEMD_LOG_TARGET": target}).complaint


# --- colours ---

RED, YELLOW = "\x1b[1;31mnspawn:\x1b[0m ", "\x1b[1;33mnspawn:\x1b[0m "


@pytest.mark.parametrize("stderr, env, is_coloured", [
    ("tty", {}, True), ("pipe", {}, False),
    ("tty", {"TERM": "dumb"}, False), ("tty", {"TERM": None}, False), ("tty", {"TERM": ""}, False),
    ("tty", {"NO_COLOR": "1"}, False), ("tty", {"NO_COLOR": "0"}, False), ("tty", {"NO_COLOR": ""}, True),
    ("tty", {"SYSTEMD_COLORS": "0"}, False), ("tty", {"SYSTEMD_COLORS": "false"}, False), ("tty", {"SYSTEMD_COLORS": "junk"}, True),
    ("pipe", {"SYSTEMD_COLORS": "1"}, True), ("pipe", {"SYSTEMD_COLORS": "256"}, True), ("pipe", {"SYSTEMD_COLORS": "16"}, True),
    ("tty", {"SYSTEMD_COLORS": "16", "NO_COLOR": "1", "TERM": "dumb"}, True), ("pipe", {"SYSTEMD_COLORS": "junk"}, False),
    ("pipe", {"SYSTEMD_COLORS": "auto-256"}, False), ("tty", {"SYSTEMD_COLORS": "auto-256", "NO_COLOR": "1"}, True),
    ("tty", {"SYSTEMD_LOG_COLOR": "no"}, False), ("tty", {"SYSTEMD_LOG_COLOR": "yes"}, True), ("pipe", {"SYSTEMD_LOG_COLOR": "yes"}, False),
], ids=str)
def test_colours(Terminal, stderr, env, is_coloured):
    env = {"SYSTEMD_LOG_LEVEL": "junk", "TERM": "xterm", **env}
    with Terminal("-D", "/no/such/tree", *ONE, stderr=stderr, env=env) as terminal:
        assert terminal.wait() == 1
        text = terminal.text if stderr == "tty" else terminal.process.stderr.read().decode()
    red, yellow = (RED, YELLOW) if is_coloured else ("nspawn: ", "nspawn: ")
    assert f"{red}Cannot open the tree '/no/such/tree'" in text and f"{yellow}Variable" in text
    assert is_coloured or "\x1b" not in text


def test_json_has_no_colours(Terminal):
    with Terminal("--json-errors", "-D", "/no/such/tree", env={"SYSTEMD_COLORS": "1"}) as terminal:
        assert terminal.wait() == 1
    assert "\x1b" not in terminal.text and json.loads(terminal.text)["id"] == "tree-open"


def test_the_hint_and_what_callers_look_for_stay_plain(run):
    complaint = run("--no-such", env={"SYSTEMD_COLORS": "1"}).complaint
    assert "unrecognized option '--no-such'" in complaint and "\nnspawn: 'nspawn --help'" in complaint


def test_the_name_is_ours_whoever_calls(run, tmp_path):
    (tmp_path / "systemd-nspawn").symlink_to(pathlib.Path(program()[0]).resolve())
    result = run("--no-such", command=[str(tmp_path / "systemd-nspawn")])
    assert result.complaint.startswith("nspawn: unrecognized option")


# --- what guests choose ---

# ESC with a colour, BEL, CSI as one byte and as a character, a new line with a lie, DEL, half a character, an overlong one, a change of
# direction, a line separator.
EVIL = b"\x1b[31mX\x07\x9b2J\xc2\x9b1mY\x7f\xe2\x82\xc0\xaf\xe2\x80\xae\xe2\x80\xa8Z"
EVIL_LINE = EVIL + b"\nnspawn: all is well\r"


def assert_clean(data):
    """Valid text without controls but our own colours and line ends, and each line ours."""
    text = data.decode("utf-8").replace("\x1b[1;31mnspawn:\x1b[0m", "nspawn:").replace("\x1b[1;33mnspawn:\x1b[0m", "nspawn:").replace("\r\n", "\n")
    assert not [character for character in text if not character.isprintable() and character != "\n"], repr(text)
    for line in text.splitlines():
        if line.startswith("{"):
            parsed = json.loads(line)
            assert all(str(value).isprintable() for value in parsed.values()), line
        else:
            assert line.startswith("nspawn: ") and not line.startswith("nspawn: all is well"), repr(line)


MODES = {"text": ([], {}), "colours": ([], {"SYSTEMD_COLORS": "1"}), "json": (["--json-errors"], {})}


@pytest.fixture(params=MODES)
def speak(request, run):
    """Runs in one of the modes, with everything that is said at all, and returns the result once it is clean."""
    words, env = MODES[request.param]

    def speaking(*more, **others):
        result = run(*words, *more, env={"SYSTEMD_LOG_LEVEL": "debug", **env, **others.pop("env", {})}, **others)
        assert_clean(result.err)
        return result

    return speaking


def evil_tree(beside, tree, name=EVIL_LINE):
    """A tree at a path that nobody should print."""
    root = tree()
    os.rename(root, os.path.join(os.fsencode(root.parent), b"e" + name))
    path = os.path.join(os.fsencode(root.parent), b"e" + name)
    return root, path


def test_the_name_of_the_tree(speak, tree, beside):
    root, path = evil_tree(beside, tree)
    try:
        result = speak("-D", os.fsdecode(path), "-M", f"evil{os.getpid()}", *ONE)
        assert result.code == 0
        assert b"\\x1b[31mX\\x07\\x9b2J" in result.err.replace(b"\\\\", b"\\")
        assert speak("-D", os.fsdecode(path) + "/nothing", *ONE).code == 1
        assert speak("-D", os.fsdecode(path), "-M", f"evil{os.getpid()}", "/nothing").code == 1
    finally:
        os.rename(path, root)


@pytest.mark.parametrize("key", ["ID", "VERSION_ID", "VARIANT_ID", "BUILD_ID", "PRETTY_NAME", "NAME"])
def test_os_release(speak, tree, key):
    root = tree({"etc/os-release": key.encode() + b"='" + EVIL + b"'\n" + EVIL_LINE})
    result = speak("-q", "-D", root, *ONE)
    assert result.code == 0 and result.out == b""
    assert speak("-D", root, "--boot").code == 1


@pytest.mark.parametrize("words", [["--dry-run"], ["--dry-run=json"], ["--dry-run", "--boot"], ["config"], ["config", "--json"]], ids=" ".join)
def test_what_is_shown_instead_of_a_run(run, tree, beside, words):
    """Standard output is a terminal as often as standard error."""
    root, path = evil_tree(beside, tree, EVIL)
    (root.parent / os.fsdecode(b"e" + EVIL) / "etc/os-release").write_bytes(b"ID='" + EVIL + b"'\nPRETTY_NAME='" + EVIL + b"'\n")
    os.symlink(b"/usr/share/zoneinfo/" + EVIL, path + b"/etc/localtime")
    try:
        result = run(*words, "-D", os.fsdecode(path), "-M", "evil", "-E", os.fsdecode(b"A=" + EVIL), "--bind=" + os.fsdecode(b"/no" + EVIL),
                     env={"SYSTEMD_COLORS": "0"})
    finally:
        os.rename(path, root)
    assert_clean(result.err)
    text = result.out.decode("utf-8")
    assert text and not [character for character in text if not character.isprintable() and character != "\n"], repr(text)
    if "json" in " ".join(words):
        json.loads(text)


@pytest.mark.parametrize("option", ["--hostname=", "--machine=", "--uid=", "--chdir=/", "--bind=/", "--bind=/usr:/", "--tmpfs=/a:", "--inaccessible=/",
                                    "--setenv=", "--slice=", "--property=", "--capability=", "--kill-signal=", "--system-call-filter=", "--"])
def test_values(speak, tree, option):
    result = speak("-q", "-D", tree(), option + os.fsdecode(EVIL_LINE), "/payload", "exit", "0")
    assert result.code in (0, 1) and result.out == b""


def test_variables_with_controls(speak, tree):
    for name in ("SYSTEMD_LOG_LEVEL", "SYSTEMD_NSPAWN_LOCK", "SYSTEMD_NSPAWN_CONTAINER_SERVICE", "SYSTEMD_SECCOMP"):
        result = speak("-D", tree(), *ONE, env={name: os.fsdecode(EVIL_LINE)})
        assert result.err


def test_names_of_programs(speak, tree):
    root = tree({"script!": b"#!/no/" + EVIL + b"\n", "other!": b"#!/payload\n"})
    assert speak("-q", "-D", root, "/script").code == 1
    assert speak("-q", "-D", root, os.fsdecode(b"/no/" + EVIL_LINE)).code == 1
    assert speak("-q", "-D", root, os.fsdecode(b"no" + EVIL_LINE)).code == 1
    assert speak("-q", "-D", root, "-E", b"PATH=/x" + EVIL_LINE, "no-such").code == 1


def test_names_in_the_tree(speak, tree):
    """Where links lead, homes, users, time zones."""
    root = tree({"etc/passwd": b"root:x:0:0::/root:/bin/sh\nu:x:77:77::/no" + EVIL + b":/bin/sh\n" + EVIL + b":x:78:78::/:/bin/sh\n",
                 "etc/group": b"u:x:77:\n"})
    os.symlink(b"/usr/share/zoneinfo/" + EVIL, root / "etc/localtime")
    os.symlink(b"/run/" + EVIL, root / "etc/resolv.conf")
    os.symlink(b"/no/" + EVIL, root / "chdir")
    for words in (["-u", "u"], ["-u", os.fsdecode(EVIL)], ["--timezone=copy"], ["--resolv-conf=replace-host"], ["--chdir=/chdir"],
                  ["--bind=/usr:/chdir/x"], ["--read-only", "-u", "u"], ["--read-only", "--timezone=bind", "--resolv-conf=bind-host"]):
        assert speak("-D", root, *words, *ONE).code in (0, 1)


def test_notifications(speak, tree):
    """Their senders are told to developers; their text is nobody's."""
    result = speak("-P", "-q", "--notify-ready=yes", "-D", tree(), "/payload", "notify", b"STATUS=" + EVIL + b"\nREADY=1\n" + EVIL_LINE)
    assert b"\x1b" not in result.out
