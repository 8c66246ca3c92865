# SPDX-License-Identifier: LGPL-2.1-or-later
"""What asks for a manager, a scope or a terminal's looks: without them it is noted, documented or refused, never fatal by chance."""
import pytest

from lab import probe
from lab.run import program

pytestmark = pytest.mark.requires("root")

NO_UNIT = "'--slice' and '--property' have no effect"
NO_REGISTRATION = "'--register=yes' has no effect"
# What a cgroup can do without a manager is done, where it has the controller.
HAS_MEMORY = "memory" in open(f"{probe.own_cgroup()}/cgroup.controllers", encoding="utf-8").read().split() if probe.offers("cgroup2") else False
NO_CONTROLLER = "'--property=MemoryMax=' has no effect"

# As callers write them: their words, and the note about them.
NOTED = [
    (["--slice=devtools-root"], NO_UNIT),
    (["-S", "machine.slice"], NO_UNIT),
    (["-Ssystem-build"], NO_UNIT),
    (["--property=MemoryMax=1G"], None if HAS_MEMORY else NO_CONTROLLER),
    (["--property", "DeviceAllow=block-* rwm"], None),
    (["--property=DeviceAllow=/dev/loop-control rw", "--property=DeviceAllow=char-pts rwm"], None),
    (["--property=DeviceAllow=/dev/loop-control rw", "--property=MemoryMax=1G"], None if HAS_MEMORY else NO_CONTROLLER),
    (["--property=MemoryMax=1G", "--property=Nice=3"], NO_UNIT),
    (["--property=Delegate=yes"], NO_UNIT),
    (["--property=MemoryMax="], NO_UNIT),
    (["--property=Description=a b = c"], NO_UNIT),
    (["--register=yes"], NO_REGISTRATION),
    (["--register", "yes"], NO_REGISTRATION),
    (["--register=1"], NO_REGISTRATION),
    (["--register=yes", "--keep-unit"], NO_REGISTRATION),
    (["--register=no"], None),
    (["--register", "no"], None),
    (["--register=auto"], None),
    (["--keep-unit"], None),
    (["--keep-unit", "--register=no"], None),
    (["--register=yes", "--register=no"], None),
    (["--system"], None),
    (["--no-ask-password"], None),
]


@pytest.mark.parametrize("words, sentence", NOTED, ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_without_a_manager_it_is_no_failure(tree, run, words, sentence):
    root = tree()
    loud = run("-D", root, "--console=read-only", *words, "/payload", "exit", "7")
    quiet = run("-q", "-D", root, *words, "/payload", "exit", "7")
    assert loud.code == quiet.code == 7
    assert quiet.err == b"", quiet
    for known in (NO_UNIT, NO_REGISTRATION, NO_CONTROLLER):
        if known == NO_CONTROLLER and sentence == NO_UNIT:
            continue
        assert (known in loud.complaint) == (known == sentence), loud


@pytest.mark.parametrize("words", [
    ["--property=foo"], ["--property="], ["--property==x"], ["--property=a b=c"], ["--property=1x=y"], ["--property"],
    ["--slice="], ["--slice=a/b"], ["--slice=a b"], ["-S"], ["--register="], ["--register=maybe"], ["--keep-unit=perhaps"],
], ids=" ".join)
def test_what_is_malformed_is_refused(tree, run, words):
    # An empty property takes back what was said before, as it does with all lists.
    if words == ["--property="]:
        assert run("-q", "-D", tree(), "--property=A=b", *words, "/payload", "exit", "7").code == 7
        return
    result = run("-q", "-D", tree(), *words, *([] if len(words[0]) < 3 or "=" not in words[0] else ["/payload", "exit", "7"]))
    assert result.code == 1 and len(result.complaint.splitlines()) in (1, 2) and words[0].partition("=")[0] in result.complaint


@pytest.mark.root_only("asks as root")
def test_root_may_ask_for_a_scope_of_its_own(tree, run, tmp_path):
    """Its directories are those of the user root then; without a name no user of the tree is meant."""
    tmp_path.chmod(0o700)
    root = tree()
    plan = run("--user", "--dry-run=json", "-D", root, "/payload", env={"XDG_RUNTIME_DIR": str(tmp_path)}).json
    assert next(row for row in plan["machine"] if row["name"] == "scope")["is_user"] is True
    assert plan["locks"][0]["value"].startswith(str(tmp_path))
    result = run("--user", "-D", root, "-P", "/payload", "exit", "3", env={"XDG_RUNTIME_DIR": str(tmp_path)})
    assert result.code == 3, result
    assert list(tmp_path.iterdir()) == []


def test_the_system_s_scope_is_not_for_an_ordinary_user(run):
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *program()]
    result = run("-D", "/srv", "--system", "/bin/true", command=drop)
    assert result.code == 1 and "'--system' needs root" in result.complaint
    assert run("--help", command=drop).code == run("--version", command=drop).code == 0


@pytest.mark.parametrize("spelling", [["--user=alice"], ["--user", "alice"], ["--uid=alice"], ["-u", "alice"]], ids=" ".join)
def test_the_old_spelling_of_uid_is_taken_with_a_warning(tree, run, spelling):
    root = tree({"etc/passwd": "root:x:0:0::/root:/bin/sh\nalice:x:1234:1234::/:/bin/sh\n", "etc/group": "alice:x:1234:\n"})
    words = ["-D", root, "--console=read-only", *spelling, "/payload", "ids"]
    loud, quiet = run(*words), run("-q", *words)
    assert quiet.json["ids"]["uid"][0] == 1234 and quiet.err == b""
    assert ("old spelling" in loud.complaint) == spelling[0].startswith("--user")


# Every variable that systemd-nspawn reads: what becomes of it here. A value that works, and one that is refused if any is.
HARMLESS = {
    "SYSTEMD_NSPAWN_TMPFS_TMP": ("0", "maybe"),
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": ("network", "maybe"),
    "SYSTEMD_NSPAWN_USE_CGNS": ("0", "maybe"),
    "SYSTEMD_NSPAWN_CONTAINER_SERVICE": ("mine", "a/b"),
    "SYSTEMD_NSPAWN_LOCK": ("0", "maybe"),
    "SYSTEMD_NSPAWN_CHECK_OS_RELEASE": ("0", "maybe"),
    "SYSTEMD_SUPPRESS_SYNC": ("1", "maybe"),
    "SYSTEMD_SECCOMP": ("0", "maybe"),
    "SYSTEMD_TINT_BACKGROUND": ("0", None),
    "SYSTEMD_COLORS": ("16", None),
    "SYSTEMD_LOG_COLOR": ("0", None),
    "SYSTEMD_LOG_LEVEL": ("err", None),
    "NO_COLOR": ("1", None),
    "TERM": ("dumb", None),
    "COLORTERM": ("truecolor", None),
    "COLUMNS": ("132", None),
    "LINES": ("x", None),
    "LISTEN_FDS": ("1", None),
    "LISTEN_PID": ("1", None),
    "WATCHDOG_USEC": ("1000000", None),
    "SYSTEMD_NSPAWN_NETWORK_MAC": ("02:00:00:12:34:56", "1"),
}

# The same with those that mean nothing here, which only somebody who debugs is told.
IDLE = [
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "NET_NAMING_SCHEME", "SYSTEMD_DISSECT_VERITY_SIDECAR",
    "SYSTEMD_DISSECT_FILE_SYSTEMS", "SYSTEMD_VERITY_SHARING", "SYSTEMD_ADJUST_TERMINAL_TITLE", "SYSTEMD_LOG_TARGET",
    "SYSTEMD_LOG_SECCOMP", "FDSTORE", "RUNTIME_DIRECTORY",
]


@pytest.mark.parametrize("name", HARMLESS)
def test_variables_that_count(tree, run, name):
    good, bad = HARMLESS[name]
    root = tree()
    for value in (good, ""):
        result = run("-q", "-D", root, "/payload", "exit", "7", env={name: value})
        assert result.code == 7 and result.err == b"", (value, result)
    result = run("-q", "-D", root, "/payload", "exit", "7", env={name: bad or "junk\x1b[41m"})
    if bad:
        assert result.code == 1 and f"'${name}'" in result.complaint and len(result.complaint.splitlines()) == 1
    else:
        assert result.code == 7 and "\x1b" not in result.complaint


@pytest.mark.parametrize("name", IDLE)
def test_variables_without_effect(tree, run, name):
    root = tree()
    for value in ("1", "0", "", "junk"):
        result = run("-q", "-D", root, "/payload", "exit", "7", env={name: value})
        assert result.code == 7 and result.err == b"", (value, result)
    told = run("-D", root, "/payload", "exit", "7", env={name: "1", "SYSTEMD_LOG_LEVEL": "debug"})
    assert told.code == 7 and f"'${name}' has no effect" in told.complaint


def test_variables_do_not_go_in(tree, run):
    """They are the tool's, not the payload's."""
    env = {name: "1" for name in [*IDLE, *HARMLESS] if name not in ("TERM", "COLORTERM", "NO_COLOR", "SYSTEMD_LOG_LEVEL",
                                                                   "SYSTEMD_NSPAWN_CONTAINER_SERVICE")}
    env["SYSTEMD_NSPAWN_NETWORK_MAC"] = "02:00:00:12:34:56"
    inside = run("-q", "-P", "-D", tree(), "/payload", "env", env=env).json["env"]
    text = repr(inside)
    assert [name for name in env if f"{name}=" in text or f"'{name}'" in text] == []
