# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shape of the source: which folder may use which, the handshake's pairs, what each file must say."""
import collections
import re
import subprocess

import pytest

from lab.tree import TOP

SOURCE = TOP / "src"

# The folders in the order of the story: information flows from left to right, includes go from right to left.
MIDDLE = ["host", "image", "ids", "mount", "net", "confine", "manager"]
MAY_USE = {
    "base": ["base"],
    "config": ["base", "config"],
    **{folder: ["base", "config", *MIDDLE[:number + 1]] for number, folder in enumerate(MIDDLE)},
    "run": ["base", "config", *MIDDLE, "run"],
    "control": ["base", "config", *MIDDLE, "control"],
}
# Steps that may come instead of any other: every hear knows them.
AT_ANY_TIME = {"HANDSHAKE_FAILED", "HANDSHAKE_SPOKEN"}
# What the verbs may see of a running machine.
CONTROL_OF_RUN = ["run/cleanup.h", "run/console-keys.h", "run/console-log.h", "run/console-terminal.h",
                  "run/console.h", "run/control.h", "run/environment.h", "run/facts.h", "run/join-copy.h", "run/join.h", "run/owners.h",
                  "run/power.h"]
# What stands above the folders, beside main.c, and what it may use. The header tells what there is and needs nothing,
# so that --help may list it.
ABOVE = {"main.c": ("base/", "host/host.h", "run/run.h", "verbs.h"), "verbs.c": ("base/", "config/", "control/", "verbs.h"),
         "verbs.h": ()}


def sources(*suffixes):
    return sorted(path for path in SOURCE.rglob("*") if path.suffix in (suffixes or (".c", ".h")))


def tracked():
    """The files of the project: what git has or would add; in a copy without git, all but builds."""
    command = ["git", "-C", TOP, "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return [path for path in sorted(TOP.rglob("*")) if path.is_file() and "__pycache__" not in path.parts
                and not path.relative_to(TOP).parts[0].startswith(("build", ".git"))]
    listing = result.stdout
    return [TOP / line for line in listing.splitlines() if (TOP / line).is_file()]


def includes(path):
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(encoding="utf-8"), re.M)


def test_there_are_sources():
    assert len(sources()) > 20


def test_every_folder_is_known():
    assert {path.name for path in SOURCE.iterdir() if path.is_dir()} <= set(MAY_USE)


def test_each_folder_uses_only_earlier_ones():
    wrong = []
    for path in sources():
        if path.parent == SOURCE:
            continue
        folder = path.relative_to(SOURCE).parts[0]
        for name in includes(path):
            used = name.split("/")[0]
            if "/" not in name:
                continue
            allowed = used in MAY_USE[folder] or folder == "control" and name in CONTROL_OF_RUN
            if not allowed:
                wrong.append(f"{path.relative_to(TOP)} includes {name}")
    assert not wrong, "\n".join(wrong)


def test_what_stands_above_the_folders():
    found = {path.name for path in SOURCE.iterdir() if path.suffix in (".c", ".h")}
    assert {name for name in found if not name.startswith("generate-")} == set(ABOVE)  # those run during the build
    wrong = [f"{name} includes {used}" for name, allowed in ABOVE.items() for used in includes(SOURCE / name)
             if not used.startswith(allowed)]
    assert not wrong, "\n".join(wrong)


def test_includes_name_their_folder():
    """So that the rule above can see it. Generated files and those beside main.c have none."""
    wrong = [f"{path.relative_to(TOP)} includes {name}" for path in sources() for name in includes(path)
             if "/" not in name and (path.parent / name).exists() and path.parent != SOURCE]
    assert not wrong, "\n".join(wrong)


def test_a_plan_touches_nothing():
    """What decides is pure: it includes nothing by which it could act, and no part that acts."""
    forbidden = re.compile(r'#\s*include\s+["<](sys/mount\.h|sys/socket\.h|sched\.h|[^">]*-apply\.h)[">]')
    wrong = [str(path.relative_to(TOP)) for path in sources() if re.search(r"-plan\.[ch]$", path.name)
             and forbidden.search(path.read_text(encoding="utf-8"))]
    assert not wrong


def test_no_file_is_called_after_nothing():
    bad = {"utils", "util", "misc", "common", "helpers", "nspawn"}
    assert [path for path in sources() if path.stem in bad] == []


def test_every_file_says_what_it_is_for():
    """SPDX, then a comment; a .c file also names its zone of failure."""
    wrong = []
    for path in sources():
        head = path.read_text(encoding="utf-8")[:2500]
        if not head.startswith("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"):
            wrong.append(f"{path.relative_to(TOP)}: no SPDX line at the top")
        if not re.match(r".*\n/\*", head):
            wrong.append(f"{path.relative_to(TOP)}: no comment that says what it is for")
        if path.suffix == ".c" and not re.search(r"\bZones?: (\w[^.]*\b)?(free|owing|doomed|none|all|any|either)\b", head):
            wrong.append(f"{path.relative_to(TOP)}: its zone of failure is not named")
        if path.suffix == ".h" and "#pragma once" not in head:
            wrong.append(f"{path.relative_to(TOP)}: no #pragma once")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK:"])
def test_nothing_is_left_for_later(word):
    found = []
    for path in tracked():
        if path.suffix in (".c", ".h", ".py", ".md", ".build", ".txt", "") and path.name != "LICENSE":
            text = path.read_text(encoding="utf-8", errors="replace")
            if re.search(rf"(?<![\w-]){re.escape(word)}(?!\w|\()", text):
                found.append(str(path.relative_to(TOP)))
    assert not found


def enum_steps():
    text = (SOURCE / "run/handshake.h").read_text(encoding="utf-8")
    body = re.search(r"enum handshake_step \{(.*?)\};", text, re.S).group(1)
    return [step for step in re.findall(r"^\s*(HANDSHAKE_\w+)", body, re.M)]


@pytest.mark.parametrize("step", enum_steps() if (SOURCE / "run/handshake.h").exists() else [])
def test_each_step_is_said_once_and_heard_once(step):
    """launch.c and payload.c tell one story from two sides. FAILED may be said anywhere and is heard by every hear."""
    said, heard = collections.Counter(), collections.Counter()
    for path in sources(".c"):
        text = path.read_text(encoding="utf-8")
        said[path.name] += len(re.findall(rf"handshake_say\([^,;]*,\s*{step}\b", text, re.S))
        heard[path.name] += len(re.findall(rf"handshake_hear\([^,;]*,\s*{step}\b", text, re.S))
    if step in AT_ANY_TIME:
        assert sum(heard.values()) == 0
        return
    assert sum(said.values()) == 1, f"said {dict(+said)}"
    assert sum(heard.values()) == 1, f"heard {dict(+heard)}"
    assert set(+said) != set(+heard), "said and heard by the same side"


def test_the_stories_have_the_same_paragraphs_in_the_same_order():
    """The steps appear in the order of the enum on both sides."""
    steps = enum_steps()
    for name in ("launch.c", "payload.c"):
        text = (SOURCE / "run" / name).read_text(encoding="utf-8")
        order = [steps.index(step) for step in re.findall(r"handshake_(?:say|hear)\([^,;]*,\s*(HANDSHAKE_\w+)", text)
                 if step not in AT_ANY_TIME]
        assert order == sorted(order), name


def test_files_keep_their_size():
    """A file of more than 500 lines is talked about; one of more than 650 does two things. Tables may be long."""
    wrong = []
    for path in sources():
        lines = path.read_text(encoding="utf-8").splitlines()
        is_table = any("clang-format off" in line for line in lines) or path.name.startswith("syscall")
        if len(lines) > 650 and not is_table:
            wrong.append(f"{path.relative_to(TOP)} has {len(lines)} lines")
    assert not wrong, "\n".join(wrong)


def test_there_is_no_unsafe_call():
    """Calls that this project never makes: strings into the guest, unbounded copies, ways to run a shell."""
    banned = re.compile(r"(?<![\w.>])(strcat|vsprintf|gets|system|popen|alloca|tmpnam|mktemp|strtok|getpwnam|getpwuid|"
                        r"getgrnam|getgrgid|getgrouplist|initgroups)\s*\(")
    wrong = []
    for path in sources(".c"):
        text = re.sub(r"/\*.*?\*/|//[^\n]*|\"(\\.|[^\"\\])*\"", "", path.read_text(encoding="utf-8"), flags=re.S)
        wrong += [f"{path.relative_to(TOP)}: {match.group(1)}" for match in banned.finditer(text)]
    assert not wrong, "\n".join(wrong)
