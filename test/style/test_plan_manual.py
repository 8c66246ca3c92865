# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn-plan(7) quotes the golden plans: its commands are those of the cases, its lines those of the plans."""
import json
import re
import shlex

import pytest

from lab.tree import TOP
from test_documents import roff_to_text

PAGE = TOP / "man/nspawn-plan.7"
CASES = TOP / "test/golden/cases"


def quotes(kind):
    """(case, lines) of each block that a comment says to be the command or the plan of a case."""
    found, case, inside = [], None, None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        mark = re.fullmatch(rf'\.\\" {kind} of (\S+)', line)
        if mark:
            case = mark.group(1)
        elif line == ".EX" and case:
            inside = []
        elif line == ".EE" and inside is not None:
            found.append((case, inside))
            case = inside = None
        elif inside is not None:
            inside.append(roff_to_text(line))
    return found


def sections_of(case):
    """Headings and following [lines] of a case file."""
    found, heading = {}, None
    for line in (CASES / f"{case}.case").read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"\[(command|environment|found|end|(file|trusted) .*)\]", line):
            heading = line
            found[heading] = []
        elif heading and line:
            found[heading].append(line)
    return found


def test_there_are_eleven_examples():
    assert len(quotes("command")) == 11
    assert [case for case, _ in quotes("command")] == [case for case, _ in quotes("plan")]


@pytest.mark.parametrize("case, lines", quotes("command"))
def test_commands_are_those_of_the_cases(case, lines):
    sections = sections_of(case)
    shown = shlex.split(" ".join(line.removesuffix("\\") for line in lines))
    program, *rest = shlex.split(" ".join(sections["[command]"]))
    assert shown == [*sections.get("[environment]", []), program, "--dry-run", *rest]


@pytest.mark.parametrize("case, lines", quotes("plan"))
def test_lines_are_those_of_the_plans(case, lines):
    """In their order; what is left out between them is not marked."""
    rest = iter((CASES / f"{case}.txt").read_text(encoding="utf-8").splitlines())
    assert len(lines) > 5
    assert not [line for line in lines if line not in rest]


def test_every_section_and_member_of_json_is_documented():
    text = re.sub(r"\\(.)", r"\1", PAGE.read_text(encoding="utf-8").split(".SH JSON")[1])
    words = set(re.findall(r"[a-z_]+", text))
    members = set()
    for path in CASES.glob("*.json"):
        plan = json.loads(path.read_text(encoding="utf-8"))
        members |= set(plan)
        for section, rows in plan.items():
            if isinstance(rows, list):
                members |= {key for row in rows for key in row} | {key for row in rows for key in row["origin"]}
                assert section in words
    assert len(members) > 50
    assert not members - words
