# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad values of every option: one sentence, exit 1, nothing made, nothing left."""
import os
import re
import subprocess

import pytest

from lab.run import environment, program, run as run_now

# What a junk value makes is nobody else's to see: links of some names are made.
pytestmark = [pytest.mark.requires("root"), pytest.mark.usefixtures("own_network")]

# Options with a value, and values that none of them could mean. An empty value that means "reset" is not among them.
VALUED = {
    "directory": ["/no/such/tree"], "chdir": ["relative"], "setenv": ["=x", "1x=y"], "uid": ["no-such-user"],
    "kill-signal": ["", "NOSUCH"], "notify-ready": ["", "maybe"], "ready": ["", "soon", "exec:", "port:0", "port:http"], "suppress-sync": ["", "2"], "machine": ["a_b", "-"],
    "hostname": ["a_b", "."], "uuid": ["", "zz"], "property": ["novalue"], "register": ["", "perhaps"],
    "capability": ["CAP_NOSUCH"], "drop-capability": ["CAP_NOSUCH"], "ambient-capability": ["CAP_NOSUCH"],
    "no-new-privileges": ["", "x"], "system-call-filter": ["@nosuch"], "restrict-address-families": ["AF_NOSUCH"],
    "memory": ["", "0", "x"], "cpus": ["", "0", "1,5", "0.001"], "tasks": ["", "0", "many"], "io-weight": ["", "0", "10001"],
    "rlimit": ["NOSUCH=1", "NOFILE"], "oom-score-adjust": ["", "x", "1001", "-1001", "1.5"],
    "cpu-affinity": ["x", "1-", "5-2", "-1", "99999999"], "personality": ["", "pdp11"], "resolv-conf": ["", "x"],
    "timezone": ["", "x"], "link-journal": ["x"], "bind": ["/x:relative", "/no/such/source"], "bind-ro": ["/x:relative"],
    "tmpfs": ["relative"], "inaccessible": ["relative", "/not/there"], "console": ["", "x"], "settings": ["x"],
    "slice": ["a/b"], "background": ["x", "31", "48;5;256"],
    "set-credential": ["x", ":x", "a/b:x", "a:\\q"], "load-credential": ["x", ":/x", "a:", "a:.", "a:/no/such/file"],
    "forward-journal": [""], "forward-journal-max-use": ["", "x", "0", "-1"], "forward-journal-keep-free": ["", "1.5M"],
    "private-users": ["", "pcik", "65536:", ":1", "1:0", "4294967295", "65536:4294901760", "-1", "0x10000", "00"],
    "private-users-ownership": ["", "mpa", "Map"], "private-users-chown": ["2"], "private-users-delegate": ["", "17", "-1", "x"],
    "port": ["0", "65536", "80:0", "http", "80:81:82", "1.2.3:80", "[1.2.3.4]:80", "::1:80", "sctp:80", "1-4097", "2-1", "1-2:3", "-1", " 80", "80\n"],
    "host-port": ["0", "65536", "80:80", "127.0.0.1:80", "1-2", "tcp:", "x" * 300],
    "forward-journal-max-file-size": ["", "1Q"], "forward-journal-max-files": ["", "1K", "0"],
}

# What other parts of the tool will bring. They are known, and say that they are not there yet.
LATER = [["--image=/x"], ["-i", "/x"], ["--mstack=/x"], ["--image-policy=root=verity"],
         ["--oci-bundle=/x"], ["--root-hash=" + "a" * 64], ["--root-hash-sig=/x"],
         ["--verity-data=/x"]]


def options_of_help():
    """{long option: whether it takes a value} as --help tells."""
    text = subprocess.run([*program(), "--help"], capture_output=True, text=True, env=environment(), check=False).stdout
    found = re.findall(r"^\s+(?:-\w,?\s+)?--([a-z0-9-]+)(\[?=\S*| [A-Z\[]\S*)?", text, re.M)
    return {name: "[" not in value[:1] and bool(value.strip()) for name, value in found}


def is_one_sentence(result):
    """The complaint: one line, and at most one more that says what to do."""
    lines = result.complaint.strip().splitlines()
    return 1 <= len(lines) <= 2 and result.out == b"" and all(character.isprintable() for character in "".join(lines))


@pytest.mark.parametrize("option, value", [(option, value) for option, values in VALUED.items() for value in values])
def test_a_bad_value_is_refused(tree, run, option, value):
    root = tree()
    before = sorted(root.rglob("*"))
    directory = [] if option == "directory" else ["-D", root]
    result = run("-q", *directory, f"--{option}={value}", "/payload", "exit", "0")
    assert result.code == 1 and is_one_sentence(result), result
    # What is looked up in the tree itself is known to be missing only once the tree is set up.
    assert value in ("/not/there", "no-such-user") or sorted(root.rglob("*")) == before, "it made something first"


@pytest.mark.parametrize("option", sorted((set(VALUED) - {"private-users", "private-users-chown"}) | {"image", "overlay", "template", "network-bridge"}))
def test_a_missing_value_is_refused(tree, run, option):
    result = run("-D", tree(), f"--{option}")
    assert result.code == 1 and option in result.complaint and is_one_sentence(result), result


def test_every_option_of_the_help_with_junk_does_no_harm(tree, run, tmp_path):
    """Whatever the value: it runs, or says why not in one sentence; never a crash, never something left."""
    # Some of it is a path, and what is asked for there is made there.
    below = tmp_path / "a/b/c"
    below.mkdir(parents=True)
    options = options_of_help()
    assert len(options) > 40
    bad = []
    for option, takes_value in options.items():
        root = tree()
        for value in ("", "\x01\x1b[31m", "%s%n%s", "x" * 5000, "a:b:c:d:e", "../../..", "-1", "☃"):
            words = [f"--{option}={value}"]
            result = run("-q", "-D", root, *words, "--", "/payload", "exit", "0", cwd=below)
            fine = result.code == 0 or (result.code == 1 and is_one_sentence(result))
            if not fine or (not takes_value and option in ("boot", "quiet", "read-only") and result.code == 0):
                bad.append((words, result))
    assert not bad, bad


def test_an_empty_value_takes_a_list_back(tree, run, do):
    root = tree()
    options = ["--setenv=X=1", "--setenv=", "--setenv=Y=2", "--bind=/no/such/source", "--bind="]
    result = do(root, "env", options=options)
    assert result.code == 0 and "Y=2" in result.json["env"] and "X=1" not in result.json["env"], result


@pytest.mark.parametrize("words", LATER, ids=" ".join)
def test_what_is_not_there_yet_says_so(tree, run, words):
    directory = [] if words[0].split("=")[0] in ("--image", "-i", "--mstack", "--oci-bundle") else ["-D", tree()]
    result = run(*directory, *words, "/payload", "exit", "0")
    assert result.code == 1 and is_one_sentence(result), result
    assert "not available yet" in result.complaint


@pytest.mark.parametrize("words", [["--no-such-option"], ["--no-such=x"], ["-y"], ["-qy"], ["--bo=x"], ["--pipe=yes"], ["--jobs=1"]])
def test_unknown_options_are_refused(tree, run, words):
    result = run("-D", tree(), *words, "/payload", "exit", "0")
    assert result.code == 1 and is_one_sentence(result)


def test_the_words_that_programs_look_for_in_it(run):
    """mkosi finds out what there is by this very sentence."""
    assert "unrecognized option" in run("--no-such-option", "--directory", "/dev/null", "--image", "/dev/null").complaint
    for option in ("--console=pipe", "--console=interactive", "--rlimit"):
        assert "unrecognized option" not in run(option, "--directory", "/dev/null", "--image", "/dev/null").complaint


def test_abbreviations(tree, run):
    root = tree()
    assert run("--qui", "--direct", root, "--consol=pipe", "/payload", "exit", "7").code == 7
    result = run("-D", root, "--private", "/payload", "exit", "7")
    assert result.code == 1 and "--private-network" in result.complaint and "--private-users" in result.complaint


@pytest.mark.parametrize("value, code", [("1", 7), ("YES", 7), ("y", 7), ("True", 7), ("t", 7), ("on", 7), ("0", 7), ("No", 7), ("n", 7),
                                         ("FALSE", 7), ("f", 7), ("off", 7), ("2", 1), ("yess", 1), (" yes", 1)])
def test_booleans(tree, run, value, code):
    assert run("-q", "-D", tree(), f"--no-new-privileges={value}", "/payload", "exit", "7").code == code


def test_what_callers_pass_that_has_no_effect_here(tree, run):
    """Without a manager a slice and properties mean nothing, and that is no failure."""
    words = ["--register=no", "--keep-unit", "--slice=devtools-user", "--property=MemoryMax=1G", "--property", "DeviceAllow=block-* rwm",
             "-S", "x.slice", "--link-journal=no", "--private-users=no", "--settings=no", "--settings=false", "--no-ask-password",
             "--register", "auto", "--no-pager", "--system"]
    assert run("-q", "-D", tree(), *words, "/payload", "exit", "7").code == 7


def test_the_usual_command_lines(tree, run, tmp_path):
    """As build tools write them."""
    root = tree({"etc/passwd": "root:x:0:0::/root:/bin/sh\nb:x:1000:1000::/build:/bin/sh\n", "etc/group": "b:x:1000:\n", "build/": None})
    for words in (
        ["-q", "-M", "f" * 32, "-D", root, "-a", "-u", "b", "--capability=cap_ipc_lock", "--resolv-conf=off", "--console=pipe",
         "--setenv=PROMPT_COMMAND=printf \"\\033]0;<mock-chroot>\\007\"", "--private-network", "--chdir=/build"],
        ["--quiet", f"--directory={root}", "--setenv=PATH=/usr/bin", "--register=no", "--slice=devtools-root", "--machine=arch-nspawn-1",
         "--as-pid2", "--console=autopipe", "--timezone=off", f"--bind={tmp_path}", f"--bind-ro={tmp_path}:/x\\:y", "--tmpfs=/tmp:mode=1777"],
        ["--quiet", "--link-journal=no", "--suppress-sync=yes", "--resolv-conf=auto", "--rlimit=RLIMIT_CORE=infinity",
         "--console=autopipe", "--machine", "image", "--register", "no", "--directory", root, "--bind", f"{tmp_path}:/w:norbind", "--"],
        ["-qD", root, "--console", "pipe", "--setenv=SDMPT="],
    ):
        env = {"SYSTEMD_SECCOMP": "0", "SYSTEMD_TINT_BACKGROUND": "no", "SYSTEMD_COLORS": "false"}
        result = run(*words, "/payload", "exit", "7", env=env)
        assert (result.code, result.out, result.err) == (7, b"", b""), result


def test_version_and_help(run):
    version = run("--version")
    assert version.code == 0 and re.match(r"(systemd|nspawn) \d+ ?\(?", version.text)
    text = run("--help")
    assert text.code == 0 and text.err == b""
    for option in ("--pipe", "--console", "--resolv-conf", "--chdir", "--suppress-sync", "--boot", "--directory"):
        assert option in text.text
    assert run("-h").text == text.text


def test_under_the_other_name_it_answers_as_that(tmp_path):
    link = tmp_path / "systemd-nspawn"
    link.symlink_to(os.path.abspath(program()[0]) if "/" in program()[0] else f"/usr/bin/{program()[0]}")
    result = run_now("--version", command=[str(link)])
    assert result.code == 0 and re.match(r"systemd 2\d\d", result.text)


def test_a_full_disk_is_told(tree, run, tmp_path):
    """The tree is on a file system without room: one sentence, or it runs without writing."""
    root = tree(name=f"full{os.getpid()}")
    small = tmp_path / "small"
    small.mkdir()
    os.system(f"mount -t tmpfs -o size=1200k x {small} && cp -a {root}/. {small}/ && (cat /dev/zero >{small}/fill 2>/dev/null; true)")
    try:
        result = run("-q", "-P", "-D", small, "/payload", "exit", "7")
        assert result.code == 7 or (result.code == 1 and is_one_sentence(result)), result
    finally:
        os.system(f"umount {small}")


def test_a_tree_without_rights_says_so(tree, run):
    """Not root, or root without the right to make namespaces: one sentence."""
    root = tree()
    result = run("-q", "-D", root, "/payload", "exit", "0", command=["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin",
                                                                     "--reuid=65534", "--clear-groups", *program()])
    assert result.code == 1 and is_one_sentence(result), result


def test_a_read_only_file_system(tree, run, tmp_path):
    root = tree({f"{name}/": None for name in ("tmp", "var", "proc", "sys", "dev", "run", "root")})
    os.system(f"mount --bind {root} {root} && mount -o remount,bind,ro {root}")
    try:
        assert run("-q", "-P", "-D", root, "/payload", "exit", "7").code == 7
    finally:
        os.system(f"umount {root}")


def test_a_read_only_file_system_that_lacks_a_directory(tree, run, tmp_path):
    root = tree()
    os.system(f"mount --bind {root} {root} && mount -o remount,bind,ro {root}")
    try:
        result = run("-q", "-P", "-D", root, "/payload", "exit", "7")
        assert result.code == 7 or (result.code == 1 and is_one_sentence(result)), result
    finally:
        os.system(f"umount {root}")
