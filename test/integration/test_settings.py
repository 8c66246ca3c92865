# SPDX-License-Identifier: LGPL-2.1-or-later
"""Settings files, by what a payload finds: those of the administrator, those beside the tree, and the command line."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lab import run as lab_run
from lab.tree import TOP, fill

pytestmark = pytest.mark.requires("root")

TRUSTED = pathlib.Path("/run/systemd/nspawn")
CAP_SYS_TIME, CAP_CHOWN = 25, 0


@pytest.fixture(name="write")
def fixture_write():
    """Writes settings of the machine of a tree: write(root, text), beside the tree with trusted=False, a drop-in by its
    name. Returns the path."""
    made = []

    def write(root, text, trusted=True, drop_in=None):
        folder = TRUSTED if trusted else root.parent
        path = folder / f"{root.name}.nspawn"
        if drop_in:
            path = folder / f"{root.name}.nspawn.d" / drop_in
            made.append(path.parent)
        made.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    yield write
    for path in made:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            path.unlink()


def env(answer):
    return dict(line.split("=", 1) for line in answer["env"])


def has(mask, number):
    return bool((int(mask, 16) if isinstance(mask, str) else mask) >> number & 1)


def test_keys_change_what_the_payload_finds(tree, write, run):
    root = tree({"mnt/": None, "etc/passwd": "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/srv:/bin/sh\n", "srv/": None,
                 "etc/group": "www:x:33:\n"})
    write(root, f"""
        # A whole machine
        [Exec]
        Boot=no
        Parameters=/payload env limits \\
                   caps 'ids' system argv
        Environment=A=1 "B=two words"
        Environment=C=3
        User=www
        Hostname=other
        LimitNOFILE=1000:2000
        Capability=CAP_SYS_TIME CAP_NO_SUCH
        DropCapability=CAP_CHOWN
        ; the rest
        [Files]
        Bind={root.parent}:/mnt
        TemporaryFileSystem=/scratch:size=1M
        [Network]
        Private=yes
        """)
    ran = run("-D", root, "-P")
    answer = ran.json
    assert {key: env(answer).get(key) for key in ("A", "B", "C", "USER")} == {
        "A": "1", "B": "two words", "C": "3", "USER": "www"}
    assert answer["limits"]["NOFILE"] == [1000, 2000]
    assert f"{root.name}.nspawn:12: Key 'Exec.Capability' does not know the capability 'CAP_NO_SUCH', ignoring it" \
        in ran.complaint
    assert len(ran.complaint.splitlines()) == 1
    assert has(answer["caps"]["bounding"], CAP_SYS_TIME) and not has(answer["caps"]["bounding"], CAP_CHOWN)
    assert answer["argv"] == ["/payload", "env", "limits", "caps", "ids", "system", "argv"]
    assert answer["system"]["hostname"] == "other"


def test_mounts_of_a_file(tree, write, ask):
    root = tree({"mnt/": None})
    write(root, f"[Files]\nBindReadOnly={root.parent}:/mnt\nTemporaryFileSystem=/scratch\nInaccessible=/usr\n"
                "[Network]\nPrivate=yes\n")
    answer = ask(root, "mounts", "links")
    targets = {mount["target"] for mount in answer["mounts"]}
    assert {"/mnt", "/scratch", "/usr"} <= targets
    assert [link if isinstance(link, str) else link["name"] for link in answer["links"]] == ["lo"]


def test_an_empty_file_changes_nothing(tree, write, ask):
    questions = ("caps", "env", "limits", "ids", "argv", "links", "signals")
    root = tree()

    def found():
        answer = ask(root, *questions, options=["-E", "A=1"])
        answer["env"] = [line for line in answer["env"] if not line.startswith("container_uuid=")]
        return answer

    before = found()
    write(root, "")
    assert found() == before
    write(root, "[Exec]\n# Boot=yes\n[Files]\nBind=\n[Network]\nPrivate=\n")
    assert found() == before


def test_the_command_line_beats_a_file(tree, write, ask):
    root = tree()
    write(root, "[Exec]\nBoot=yes\nEnvironment=A=file\nHostname=file\n")
    answer = ask(root, "env", "system", options=["-E", "B=line"])
    assert "A" not in env(answer) and env(answer)["B"] == "line"
    assert answer["system"]["hostname"] == "file"


def test_override_beats_boot(tree, write, run):
    """As the unit that starts machines calls it."""
    root = tree()
    write(root, "[Exec]\nBoot=no\nParameters=/payload argv\n")
    answer = run("-q", "-D", root, "-P", "--keep-unit", "--boot", "--settings=override").json
    assert answer["argv"] == ["/payload", "argv"]


def test_settings_no_reads_nothing(tree, write, run):
    root = tree()
    path = write(root, "[Exec]\nUser=nobody-there\n")
    assert run("-D", root, "-P", "--settings=no", "/payload", "exit", "3").code == 3
    path.unlink()
    os.mkfifo(path)  # would hang, or be complained of
    ran = run("-D", root, "-P", "--settings=no", "/payload", "exit", "3")
    assert (ran.code, ran.complaint) == (3, "")
    ran = run("-D", root, "-P", "/payload", "exit", "3")
    assert ran.code == 1 and ran.complaint == f"nspawn: The settings file '{path}' is no regular file\n"


def test_drop_ins_add_up(tree, write, ask):
    root = tree()
    write(root, "[Exec]\nEnvironment=A=main B=main\nHostname=main\n")
    write(root, "[Exec]\nEnvironment=B=twenty\n", drop_in="20-more.conf")
    write(root, "[Exec]\nHostname=ten\nUser=0\n", drop_in="10-name.conf")
    write(root, "[Exec]\nHostname=not-read\n", drop_in="30-name.conf.orig")
    write(root, "[Exec]\nEnvironment+=D=beside\nHostname=beside\n", trusted=False, drop_in="90-last.conf")
    write(root, "[Exec]\nHostname=beside\n", trusted=False, drop_in="10-name.conf")
    answer = ask(root, "env", "system", options=["--setenv+=C=line"])
    assert {key: env(answer).get(key) for key in "ABCD"} == {"A": "main", "B": "twenty", "C": "line", "D": None}
    assert answer["system"]["hostname"] == "ten"


def test_warnings_name_file_and_line(tree, write, do):
    root = tree()
    path = write(root, "Boot=yes\n[Exec]\nboot=yes\nBind=/x\nKillSignal=\\\n  SIGNONE\nBindUser=x\n[Files]\nBind=a:/b\n"
                       "BindUser=7\n[Other]\nBoot=yes\n[Exec]\nUser=a\x1bb\nHostname=h\nHostname+=x\n")
    ran = do(root, "exit", "0")
    assert ran.code == 0
    assert ran.complaint.replace(f"nspawn: {path}:", "").splitlines() == [
        "1: Key 'Boot' is in no section, ignoring it",
        "3: There is no key 'boot' in section '[Exec]', ignoring it",
        "4: Key 'Bind' belongs into section '[Files]', ignoring it",
        "7: Key 'BindUser' belongs into section '[Files]', ignoring it",
        "11: There is no section '[Other]', ignoring all that is in it",
        "14: The line has control characters in it, ignoring it",
        "16: Key 'Exec.Hostname' has one value, nothing can be added to it, ignoring it",
        "5: Key 'Exec.KillSignal' takes a signal such as SIGTERM, SIGRTMIN+3 or 15, not 'SIGNONE', ignoring it",
        "9: Key 'Files.Bind' needs an absolute path in a file, as 'a' could be anywhere, ignoring it",
        "10: Key 'Files.BindUser' takes the name of a user of the host, not '7', ignoring it",
    ]


def test_a_file_beside_the_tree_has_only_what_is_harmless(tree, write, ask, do, beside):
    canary = beside / "canary"
    canary.write_text("alive", encoding="utf-8")
    root = tree({"mnt/": None})
    path = write(root, f"[Exec]\nEnvironment=A=1\nEphemeral=yes\nPivotRoot=/mnt\nCapability=all\nMachineID={'1' * 32}\n"
                       f"LimitNOFILE=10\nOOMScoreAdjust=-1000\nPrivateUsers=no\nSystemCallFilter=@mount\n"
                       f"[Files]\nBind={beside}:/mnt\nBindUser=root\nTemporaryFileSystem=/usr\n[Network]\nPrivate=yes\n",
                 trusted=False)
    answer = ask(root, "env", "caps", "mounts")
    assert env(answer)["A"] == "1" and env(answer)["container_uuid"].replace("-", "") != "1" * 32
    assert not {"/mnt", "/usr"} & {mount["target"] for mount in answer["mounts"]}
    assert not has(answer["caps"]["bounding"], CAP_SYS_TIME)
    complaint = do(root, "exit", "0").complaint.replace(f"nspawn: {path}:", "")
    assert [line.split(":")[0] for line in complaint.splitlines()] == ["10", *"3456789", "12", "13", "14", "16"]
    assert complaint.splitlines()[1] == "3: Key 'Exec.Ephemeral' counts only in a trusted file, ignoring it"
    assert canary.read_text(encoding="utf-8") == "alive"
    canary.unlink()


def test_a_file_beside_the_tree_can_be_trusted(tree, write, ask):
    root = tree({"mnt/": None})
    write(root, "[Files]\nTemporaryFileSystem=/mnt\n", trusted=False)
    targets = [mount["target"] for mount in ask(root, "mounts", options=["--settings=trusted"])["mounts"]]
    assert "/mnt" in targets


def test_a_link_beside_the_tree_is_not_followed(tree, write, do):
    root = tree()
    path = write(root, "", trusted=False)
    path.unlink()
    path.symlink_to("/etc/shadow")
    ran = do(root, "exit", "0")
    assert (ran.code, ran.complaint) == (0, f"nspawn: The settings file '{path}' is no regular file, ignoring it\n")


def test_isolation_that_is_misspelt_stops_the_start(tree, write, do):
    root = tree()
    write(root, "[Network]\nVirtualEthernet=perhaps\n")
    ran = do(root, "exit", "0")
    assert ran.code == 1 and "the machine would use the host's network: not starting it" in ran.complaint


def test_a_user_namespace_that_is_misspelt_stops_the_start(tree, write, do):
    root = tree()
    path = write(root, "[Exec]\nPrivateUsers=pcik\n")
    ran = do(root, "exit", "0")
    assert ran.code == 1 and "the machine's root would be the host's: not starting it" in ran.complaint
    assert f"Correct line 2 of '{path}'" in ran.complaint


# --- nspawn config ---


def shown(run, *words):
    return json.loads(run("config", "--json", *words).text)


def setting(report, key):
    found = [row for row in report["settings"] if key in (row["key"], row["option"])]
    assert len(found) == 1
    return found[0]["values"]


def test_config_names_each_origin(tree, write, run):
    root = tree()
    path = write(root, "[Exec]\nEnvironment=A=1\nUser=www\nHostname=h\n")
    other = write(root, "[Exec]\nEnvironment=B=2\n[Files]\nBind=/x\n", trusted=False, drop_in="x.conf")
    extra = write(root, "[Exec]\nHostname=\nHostname=i\n[Files]\nReadOnly=yes\n", drop_in="y.conf")
    report = shown(run, "-D", root, "-u", "0", "--setenv+=C=3", "--", "word")
    assert report["machine"] == root.name and report["directory"] == str(root)
    assert setting(report, "Exec.Environment") == [
        {"value": "A=1", "origin": "file", "file": str(path), "line": 2, "trusted": True},
        {"value": "C=3", "origin": "option"}]
    assert setting(report, "--uid") == [{"value": "0", "origin": "option"}]
    assert setting(report, "Exec.Boot") == [{"value": "no", "origin": "default"}]
    assert setting(report, "Exec.Parameters") == [{"value": "word", "origin": "option"}]
    assert setting(report, "Exec.Hostname")[0]["line"] == 3
    assert setting(report, "Files.ReadOnly")[0]["file"] == str(extra)
    assert setting(report, "Exec.Capability") == []
    reasons = {(row["key"], row["values"][0]["value"]): row["reason"] for row in report["unheeded"]}
    assert reasons == {
        ("Files.Bind", "/x"): "counts only in a trusted file",
        ("Exec.Environment", "B=2"): "a trusted file speaks of this",
        ("Exec.Hostname", "h"): f"taken back by {extra}:2",
        ("Exec.User", "www"): "gives way to the command line"}
    assert other.name == "x.conf"


@pytest.fixture(name="vendor_image")
def fixture_vendor_image(payload):
    """An image that is found by its name where a distribution keeps its own, which nobody writes to."""
    root = pathlib.Path(f"/usr/local/lib/machines/settings{os.getpid()}")
    had_folder = root.parent.exists()
    root.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", root], check=True)
    try:
        folders = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var")  # nothing can be made there later
        fill(root, {**{f"{name}/": None for name in folders}, "payload!": payload})
        yield root
    finally:
        subprocess.run(["umount", root], check=True)
        root.rmdir()
        if not had_folder:
            root.parent.rmdir()


def test_a_file_does_not_make_a_read_only_image_writable(vendor_image, write, run):
    name = vendor_image.name
    path = write(vendor_image, "[Exec]\nEnvironment=A=1\n[Files]\nReadOnly=no\n")
    answer = run("-M", name, "-P", "/payload", "mounts", "env").json
    root = [mount for mount in answer["mounts"] if mount["target"] == "/"]
    assert env(answer)["A"] == "1" and "ro" in root[-1]["options"].split(",")
    report = shown(run, name)
    assert setting(report, "Files.ReadOnly") == [{"value": "yes", "origin": "default"}]
    assert [(row["values"][0]["file"], row["reason"]) for row in report["unheeded"]] == [
        (str(path), "the image itself is read-only")]


def test_config_in_text(tree, write, run):
    root = tree()
    path = write(root, "[Exec]\nEnvironment=A=1\nEnvironment=B=2\nUser=www\n")
    lines = [line.split() for line in run("config", "-D", root, "-b", "-u", "root").text.splitlines()]
    assert lines[0] == ["Machine", f"'{root.name}'", "in", f"'{root}'"]
    assert ["Exec.Environment", "A=1", f"{path}:2"] in lines and ["B=2", f"{path}:3"] in lines
    assert ["Exec.Boot", "yes", "command", "line"] in lines and ["Files.ReadOnly", "no", "default"] in lines
    assert lines[-1] == ["Exec.User", "www", f"{path}:4:", "gives", "way", "to", "the", "command", "line"]


def test_config_shows_letters_as_the_option_they_stand_for(tree, run):
    root = tree()
    lines = [line.split() for line in run("config", "-D", root, "--private-users=no", "-UjP").text.splitlines()]
    for line in (["Exec.PrivateUsers", "pick"], ["Exec.LinkJournal", "try-guest"], ["--console", "pipe"]):
        assert [*line, "command", "line"] in lines
    assert ["Exec.PrivateUsers", "no", "command", "line:", "said", "again", "later"] in lines


def test_config_is_a_verb_only_as_first_word(tree, run):
    root = tree({"bin/config=": "/payload"})
    answer = run("-D", root, "-P", "config", "argv").json
    assert answer["argv"] == ["config", "argv"]
    assert "SETTING" in run("config", "-D", root).text
    assert run("config", "--help").text.startswith("Usage: nspawn config ")
    # That program has no verbs: the word is a command, here of a tree that is none.
    ran = run("config", "-D", root, command=["bash", "-c", 'exec -a systemd-nspawn "$0" "$@"', *lab_run.program()],
              cwd=root.parent)
    assert ran.code == 1 and "SETTING" not in ran.text


def test_config_reports_what_is_wrong(tree, run):
    root = tree()
    ran = run("config", "-D", root, "--boot", "--as-pid2")
    assert ran.code == 1 and "cannot be combined" in ran.complaint and "SETTING" in ran.text
    assert run("config", "no-such-machine-anywhere").code == 1
    assert run("config", "-D", "/no-such-tree").code == 0


def test_config_needs_no_root(write, run):
    """Nor the tree, which an ordinary user may not be allowed to look into."""
    folder = pathlib.Path("/var/tmp/settings-test")
    folder.mkdir(mode=0o755)
    try:
        path = write(folder / "somewhere", "[Exec]\nBoot=yes\n", trusted=False)
        program = shutil.copy(lab_run.program()[0], folder / "nspawn")
        ran = run("config", "-D", folder / "somewhere", "--json",
                  command=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program])
        assert setting(ran.json, "Exec.Boot")[0]["file"] == str(path)
    finally:
        shutil.rmtree(folder)


# --- The manual ---

MANUAL = TOP / "man/nspawn.nspawn.5"


def roff_to_text(line):
    for escape, character in (("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\e", "\\")):
        line = line.replace(escape, character)
    return line


def manual_blocks():
    """The examples that are settings files."""
    text = MANUAL.read_text(encoding="utf-8")
    blocks = [roff_to_text(block) for block in re.findall(r"^\.EX\n(.*?)^\.EE", text, re.S | re.M)]
    return [block for block in blocks if block.startswith(("[", "#"))]


def manual_keys():
    """The tags of the manual with the section each is in."""
    found, section = [], None
    for line in MANUAL.read_text(encoding="utf-8").splitlines():
        title = re.fullmatch(r"\.SH KEYS OF \[(\w+)\]", line)
        tag = re.fullmatch(r"\.B (\w+)=", line)
        if line.startswith(".SH"):
            section = title.group(1).capitalize() if title else None
        elif tag and section:
            found.append(f"{section}.{tag.group(1)}")
    return found


def test_the_manual_has_every_key():
    text = (TOP / "src/config/settings.c").read_text(encoding="utf-8")
    limits = [f"Exec.Limit{name}" for name in re.findall(r'LIMIT\("(\w+)"\)', text)]
    keys = [key for key in re.findall(r'"((?:Exec|Files|Network)\.\w+)"', text) if key != "Exec.Limit"]
    assert len(limits) == 16 and sorted(manual_keys()) == sorted(keys + limits)


def test_there_are_examples_of_all_keys():
    used = {line.split("=")[0] for block in manual_blocks() for line in block.splitlines()}
    assert {key.split(".")[1] for key in manual_keys()} <= used


@pytest.mark.parametrize("block", manual_blocks())
def test_example_of_the_manual(block, tmp_path, run):
    (tmp_path / "example.nspawn").write_text(block, encoding="utf-8")
    ran = run("config", "-D", tmp_path / "example", "--settings=trusted")
    assert (ran.code, ran.complaint) == (0, "")
    assert "does not count" not in ran.text
