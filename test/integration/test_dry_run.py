# SPDX-License-Identifier: LGPL-2.1-or-later
"""--dry-run shows the plan of a start and does nothing; nspawn syscalls tells which way a call goes."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from lab import probe
from lab.run import environment, program

SECTIONS = ["version", "would_start", "machine", "locks", "cgroup", "namespaces", "ids", "network", "mounts", "devices", "files",
            "journal", "credentials", "environment", "limits", "capabilities", "labels", "filter", "program",
            "console", "end", "unheeded", "warnings", "unseen", "failures"]

# What may stand in a trace of a dry run. Opening for writing is looked for besides; what is missing here changes
# something or starts something.
HARMLESS = set("""access arch_prctl brk capget close execve exit_group faccessat faccessat2 fcntl fstat fstatfs futex
getcwd getdents64 getegid geteuid getgid getpid getrandom getuid ioctl lseek lstat mmap mprotect mremap munmap
newfstatat openat openat2 poll prctl pread64 prlimit64 read readlink readlinkat rseq rt_sigaction rt_sigprocmask
set_robust_list set_tid_address stat statfs statx uname umask write writev""".split())


def row(plan, section, name):
    """The row of a plan with this name."""
    rows = [row for row in plan[section] if row["name"] == name]
    assert rows, f"no {name} in {[row['name'] for row in plan[section]]}"
    return rows[0]


@pytest.fixture
def plan(run):
    """The plan as JSON; 'fails' says what the exit status should be."""

    def make(*words, fails=False, **more):
        result = run("--dry-run=json", *words, **more)
        assert (result.code, result.complaint) == (int(fails), ""), repr(result)
        made = json.loads(result.out)
        assert list(made) == SECTIONS
        assert made["would_start"] != fails
        return made

    return make


@pytest.fixture
def as_nobody():
    """Runs a copy of nspawn as a user without rights, and has a folder that this user can pass."""
    probe.require("root")
    folder = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    copy = folder / "nspawn"
    shutil.copy(program()[-1], copy)
    copy.chmod(0o755)

    def call(*words):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, *map(str, words)],
                              capture_output=True, text=True, env=environment(), cwd="/", check=False, timeout=30)

    call.folder = folder
    yield call
    shutil.rmtree(folder)


def test_a_plan_goes_to_standard_output_and_nothing_runs(tree, run):
    root = tree()
    result = run("--dry-run", "-D", root, "/payload", "write", "/made")
    assert result.code == 0 and result.complaint == ""
    assert not (root / "made").exists()
    headings = [line for line in result.text.splitlines() if re.match(r"[A-Z]", line)]
    at = headings.index("Machine")
    assert headings[at:at + 4] == ["Machine", "Locks, held while the machine runs", "Control group", "Namespaces"]
    assert headings[-1] == "Nothing is known that would be in the way of this start."


@pytest.mark.parametrize("words", [["/payload", "exit", "0"], ["--boot"], ["-a", "--private-network", "/payload"],
                                   ["--bind=/usr:/mnt", "--tmpfs=/scratch", "--bind=:/empty", "/payload"]])
def test_nothing_is_made_and_nothing_is_started(tree, tmp_path, words):
    """The trace of the system calls has none that could."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    root = tree(kind="busybox")
    trace = tmp_path / "trace"
    before = sorted(path.name for path in root.parent.iterdir())
    subprocess.run(["strace", "-f", "-o", trace, *program(), "--dry-run", "-D", root, *words],
                   stdout=subprocess.DEVNULL, env=environment(), check=False, timeout=30)
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    calls = [re.match(r"\d+\s+(\w+)\(", line) for line in lines]
    assert len(calls) > 30
    assert {call.group(1) for call in calls if call} <= HARMLESS
    # Standard descriptors that are closed are filled from /dev/null before anything else.
    opened = [line for line in lines if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE", line)
              and '"/dev/null"' not in line]
    assert not opened
    assert not [line for line in lines if re.search(r"F_OFD_SETLK|F_SETLK|PR_CAPBSET_DROP|PR_SET_|TIOCS", line)
                and "PR_SET_VMA" not in line]
    assert sorted(path.name for path in root.parent.iterdir()) == before


def test_the_plan_says_what_was_found(tree, plan):
    made = plan("-b", "-D", tree(kind="busybox"), fails=False)
    assert row(made, "machine", "init")["kind"] == "busybox"
    assert row(made, "end", "stop")["value"] == "SIGUSR2"


def test_origins(tree, plan):
    made = plan("-D", tree(), "--bind-ro=/usr:/mnt", "--hostname=www", "/payload",
                env={"SYSTEMD_NSPAWN_TMPFS_TMP": "0"})
    assert row(made, "mounts", "/mnt")["origin"] == {"source": "option", "name": "--bind-ro"}
    assert row(made, "machine", "host name")["origin"] == {"source": "option", "name": "--hostname"}
    assert row(made, "mounts", "/tmp")["origin"] == {"source": "environment", "name": "$SYSTEMD_NSPAWN_TMPFS_TMP"}
    assert row(made, "mounts", "/proc")["origin"] == {"source": "default"}


def test_a_settings_file_is_named_with_its_line(tree, plan):
    root = tree()
    beside = root.parent / f"{root.name}.nspawn"
    beside.write_text("[Exec]\nEnvironment=A=B\nCapability=all\n", encoding="utf-8")
    try:
        made = plan("-D", root, "/payload")
    finally:
        beside.unlink()
    assert row(made, "environment", "A")["origin"] == {
        "source": "file", "name": "Exec.Environment", "file": str(beside), "line": 2}
    assert [row["name"] for row in made["unheeded"]] == ["Exec.Capability"]
    assert "CAP_SYS_MODULE" not in row(made, "capabilities", "kept")["capabilities"]


def test_the_plan_is_what_happens(tree, plan, ask):
    """Capabilities, environment, mounts and limits of a payload are those that were announced."""
    root = tree()
    words = ["--drop-capability=CAP_MKNOD", "--rlimit=NOFILE=100:200", "--setenv=A=B", "--tmpfs=/scratch"]
    made = plan("-P", "-D", root, *words, "/payload", "env")
    inside = ask(root, "caps", "env", "mounts", "limits", options=words)
    kept = row(made, "capabilities", "kept")["capabilities"]
    assert "CAP_MKNOD" not in kept and len(kept) == inside["caps"]["bounding"].bit_count()
    announced = {f"{row['name']}={row['value']}" for row in made["environment"]
                 if row["name"] not in ("container_uuid", "HOME, USER, LOGNAME")}
    others = [line.split("=")[0] for line in inside["env"] if line not in announced]
    assert announced < set(inside["env"]) and sorted(others) == ["HOME", "LOGNAME", "USER", "container_uuid"]
    assert (row(made, "limits", "NOFILE")["soft"], row(made, "limits", "NOFILE")["hard"]) == ("100", "200")


@pytest.mark.parametrize("words, sentence", [
    (["--network-bridge=nonesuch"], "The host has no interface 'nonesuch'"),
    (["--network-interface=nonesuch:lan"], "The host has no interface 'nonesuch'"),
    (["--network-interface=lo"], "The loopback interface 'lo' cannot be moved"),
    (["--network-bridge=lo"], "Nothing can be plugged into 'lo': it is no bridge"),
    (["--network-macvlan=lo:lo"], "Two interfaces of the machine would be called 'lo'"),
    (["--network-veth-extra=lo:x"], "The host has an interface 'lo' already"),
    (["--network-namespace-path=/proc/self/ns/mnt"], "'/proc/self/ns/mnt' is no network namespace"),
    (["--network-namespace-path=/run/netns/nonesuch"], "Cannot open the network namespace '/run/netns/nonesuch'"),
])
@pytest.mark.requires("root")
def test_what_the_host_would_lack_for_a_link_is_said(tree, plan, words, sentence):
    before = time.monotonic()
    made = plan("-D", tree(), *words, "/payload", fails=True)
    assert [failure["name"].partition(": No such")[0] for failure in made["failures"]] == [sentence]
    assert time.monotonic() - before < 2, "nothing is waited for"


@pytest.mark.requires("root")
@pytest.mark.parametrize("options", [[], ["--read-only"]], ids=" ".join)
def test_files_that_are_made_have_their_text_in_the_plan(tree, run, plan, options):
    words = ["-D", tree(), "-n", *options, "/payload"]
    made = plan(*words)
    assert row(made, "files", "/etc/hosts")["text"].startswith(row(made, "network", "IPv4")["host_address"].split("/")[0])
    assert row(made, "files", "/etc/hosts")["source"] is None
    assert "links" in row(made, "end", "taken back")["value"]
    assert "(null)" not in run("--dry-run", *words).text


@pytest.mark.parametrize("words, sentence", [
    (["/no/such/program"], "Cannot run '/no/such/program' in the tree"),
    (["--bind=/no/such/source", "/payload"], "Cannot open the bind source '/no/such/source'"),
    (["--load-credential=token:/no/such/file", "/payload"], "Cannot read the credential 'token'"),
    (["--boot"], "is no operating system|There is no init in the tree"),
])
def test_what_would_fail_is_said(tree, plan, words, sentence):
    made = plan("-D", tree(), *words, fails=True)
    assert re.search(sentence, made["failures"][0]["name"])


def test_a_tree_that_is_not_there(plan):
    made = plan("-D", "/no/such/tree", "/bin/true", fails=True)
    assert [row["name"] for row in made["failures"]] == ["Cannot open the tree '/no/such/tree': No such file or directory"]


@pytest.mark.requires("root")
def test_a_tree_in_use_is_busy(tree, plan, run, Running):
    root = tree()
    with Running("-D", root, "-M", "busy-here", "-P", "/payload", "sleep", "30"):
        for _ in range(200):
            if (root.parent / f".#{root.name}.lck").exists():
                break
            time.sleep(0.05)
        made = plan("-D", root, "-M", "busy-here", "/payload", fails=True)
        names = [row["name"] for row in made["failures"]]
        assert "A machine named 'busy-here' is running already" in names
        assert f"Tree '{root}' is in use by another machine" in names
        assert "Stop machine 'busy-here', or" in " ".join(run("-D", root, "-M", "other", "/payload").complaint.split())


def test_options_that_are_wrong_make_no_plan(tree, run):
    result = run("--dry-run", "-D", tree(), "--boot", "--as-pid2")
    assert result.code == 1 and result.out == b"" and "cannot be combined" in result.complaint
    for value in ("", "xml"):
        result = run(f"--dry-run={value}", "-D", tree())
        assert result.code == 1 and result.out == b"" and "--dry-run" in result.complaint


@pytest.mark.requires("root")
def test_without_rights_the_plan_says_what_it_could_not_see(as_nobody):
    """The start that is shown is the user's own, which could not see it either."""
    root = as_nobody.folder / "secret"
    (root / "usr").mkdir(parents=True)
    root.chmod(0o700)
    result = as_nobody("--dry-run=json", "-b", "-D", root)
    assert (result.returncode, result.stderr) == (1, ""), result
    made = json.loads(result.stdout)
    assert made["would_start"] is False and row(made, "machine", "scope")["is_user"] is True
    told = [row["name"] for row in made["failures"] if f"the tree '{root}'" in row["name"]]
    assert len(told) == 1 and "Permission denied" in told[0]
    assert row(made, "machine", "init")["value"] == "unknown"
    assert len(row(made, "capabilities", "kept")["capabilities"]) > 20


@pytest.mark.requires("root")
def test_a_start_of_the_system_is_not_shown_to_others(as_nobody):
    result = as_nobody("--dry-run=json", "--system", "-D", as_nobody.folder, "/payload")
    assert result.returncode == 1 and result.stdout == ""
    assert "'--system' needs root privileges" in result.stderr


@pytest.mark.requires("root")
def test_a_start_without_a_runtime_directory_is_not_shown(as_nobody):
    made_by_another = pathlib.Path("/tmp/nspawn-65534")
    made_by_another.mkdir(mode=0o755)
    try:
        result = as_nobody("--dry-run=json", "-D", as_nobody.folder, "/payload")
    finally:
        made_by_another.rmdir()
    assert result.returncode == 1 and result.stdout == ""
    assert "no runtime directory" in result.stderr


@pytest.mark.requires("root", "userns")
@pytest.mark.parametrize("options", [["-U"], ["--private-users=131072:70000", "--private-users-ownership=off"]])
def test_the_ids_that_are_shown_are_those_of_the_start(tree, run, plan, options):
    root = tree()
    made = plan(*options, "-D", root, "/payload", "exit", "0")
    assert row(made, "namespaces", "user")["is_new"] and row(made, "ids", "maps by")["writer"] == "root"
    shown = [row(made, "ids", name) for name in ("users", "groups")]
    for name, part in zip(("uid_map", "gid_map"), shown):
        result = run("-q", "-P", *options, "-D", root, "/payload", "read", f"/proc/self/{name}")
        assert [int(word) for word in result.text.split()] == [part["inside"], part["outside"], part["count"]]


@pytest.mark.requires("root", "userns")
def test_the_mounts_that_are_shown_as_locked_are(tree, run, plan):
    root, options = tree(), ["-U", "--tmpfs=/scratch", "--tmpfs=/proc/scratch"]
    made = plan(*options, "-D", root, "/payload", "exit", "0")
    locked = {row["target"]: row["is_locked"] for row in made["mounts"] if row.get("type") == "tmpfs" or row.get("target") == "/dev/mqueue"}
    assert {locked[target] for target in ("/tmp", "/dev/shm", "/scratch")} == {True} and locked["/dev/mqueue"] is False
    for target in ("/tmp", "/dev/shm", "/scratch", "/dev/mqueue"):
        result = run("-q", "-P", *options[:2], "-D", root, "/payload", "umount", target)
        assert (result.json["errno"] != 0) is locked[target], target


def test_which_range_is_not_known_before_the_name_is(tree, plan):
    made = plan("-xU", "-D", tree(), "/payload", "exit", "0")
    assert row(made, "ids", "users")["outside"] is None
    assert row(made, "ids", "the tree's owners")["ownership"] in ("map", "off")


def test_texts_of_the_tree_do_not_drive_the_terminal(tree, run):
    root = tree({"etc/os-release": 'ID=evil\nPRETTY_NAME="Evil\u202e \u009b31m"\n'}, name="esc\x1b[31m")
    for form in ("text", "json"):
        result = run(f"--dry-run={form}", "-b", "-M", "evil", "-D", root)
        text = result.out.decode()
        assert "\x1b" not in text and "\u202e" not in text and "\u009b" not in text
        assert "esc" in text
    assert json.loads(text)["machine"][1]["value"].endswith("esc\\x1b[31m")


def test_a_plan_is_the_same_each_time(tree, run):
    root = tree()
    first, second = (run("--dry-run", "-D", root, "/payload").out for _ in range(2))
    assert first == second


# --- nspawn syscalls ---


def syscalls(run, *words):
    result = run("syscalls", "--json", *words)
    return {call["name"]: call for call in json.loads(result.out)["calls"]}, result


@pytest.mark.parametrize("words, name, verdict, source", [
    (["mount"], "mount", "allowed", "always"),
    (["bpf"], "bpf", "EPERM", "capability-missing"),
    (["--capability=CAP_BPF", "--", "bpf"], "bpf", "allowed", "capability-kept"),
    (["--system-call-filter=~@mount", "mount"], "mount", "EPERM", "denied"),
    (["--system-call-filter=bpf", "bpf"], "bpf", "allowed", "asked"),
    (["@swap"], "swapon", "EPERM", "excluded"),
    (["--restrict-address-families=none", "io_uring_setup"], "io_uring_setup", "EPERM", "always"),
])
def test_a_call_goes_its_way(run, words, name, verdict, source):
    calls, result = syscalls(run, *words)
    assert result.code == 0
    assert (calls[name]["verdict"], calls[name]["source"]) == (verdict, source)


def test_a_call_by_number_and_an_unknown_one(run):
    calls, result = syscalls(run, "1", "no_such_call", "@no-such-group", "99999")
    assert len(calls) == 1 and 1 in next(iter(calls.values()))["numbers"].values()
    assert result.code == 1
    assert json.loads(result.out)["unknown"] == ["no_such_call", "@no-such-group", "99999"]


def test_arguments_decide(run):
    calls, _ = syscalls(run, "--suppress-sync=yes", "openat", "socket")
    assert "O_SYNC" in calls["openat"]["condition"] and calls["socket"]["condition"]
    assert re.search(r"^openat +by arguments +O_SYNC", run("syscalls", "--suppress-sync=yes", "openat").text)


def test_without_names_all_calls_are_listed(run):
    assert len(run("syscalls").text.splitlines()) > 300
    assert run("syscalls", "--system-call-filter=no_such_call").code == 1
