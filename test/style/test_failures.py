# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each sentence of a failure has an identifier, and nspawn-errors(7) says what each identifier means."""
import collections
import re

import pytest

from lab.tree import TOP
from test_layers import sources

TABLE = TOP / "src/base/failures.c"
MAN = TOP / "man/nspawn-errors.7"
STRING = r'"(?:[^"\\\n]|\\.)*"'
# Where the sentence is a table's: its row is the format "%s".
PASSES_ON = {"src/config/check.c"}
# Where the verbs are made, and programs of the build.
LEFT_OUT = re.compile(r"log\.c|generate-.*\.c")


def without_comments(text):
    return re.sub(rf"({STRING})|/\*.*?\*/|//[^\n]*", lambda match: match.group(1) or " ", text, flags=re.S)


def arguments(text, start):
    """The arguments of a call whose parenthesis is at 'start', as text."""
    found, depth, last = [], 0, start + 1
    for match in re.finditer(rf"{STRING}|'(?:[^'\\]|\\.)+'|[()\[\]{{}},]", text[start:]):
        at, token = start + match.start(), match.group(0)
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
            if depth == 0:
                return [*found, text[last:at].strip()]
        elif token == "," and depth == 1:
            found.append(text[last:at].strip())
            last = at + 1
    raise AssertionError("a call without end")


def calls():
    """(path, call, format) of each fail() and refuse(); the format is None if it is no string."""
    found = []
    for path in sources(".c"):
        if LEFT_OUT.fullmatch(path.name):
            continue
        text = without_comments(path.read_text(encoding="utf-8"))
        for match in re.finditer(r"(?<![\w.>])(?:fail|refuse)\s*\(", text):
            words = arguments(text, match.end() - 1)
            is_string = len(words) > 1 and re.fullmatch(rf"(?:{STRING}\s*)+", words[1])
            joined = "".join(word[1:-1] for word in re.findall(STRING, words[1])) if is_string else None
            found.append((str(path.relative_to(TOP)), f"{match.group(0)}{', '.join(words)})", joined))
    return found


def rows():
    """(area, identifier, format) of each row of the table, in its order."""
    found, area = [], None
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        title = re.fullmatch(r"\t/\* --- (.*) --- \*/", line)
        row = re.fullmatch(rf'\t\{{"([^"]*)", ((?:{STRING}\s*)+)\}},', line)
        if title:
            area = title.group(1)
        elif row:
            found.append((area, row.group(1), "".join(word[1:-1] for word in re.findall(STRING, row.group(2)))))
        else:
            assert not line.startswith("\t{"), f"a row that this test cannot read: {line}"
    return found


def test_there_are_failures():
    assert len(calls()) > 140 and len(rows()) > 130


@pytest.mark.parametrize("path, call, format", calls(), ids=lambda value: str(value)[:60])
def test_each_sentence_has_a_row(path, call, format):
    assert format is not None, f"{path}: the format of '{call}' is not a string: programs could not tell what failed"
    if format == "%s":
        assert path in PASSES_ON, f"{path}: '{call}' hides its sentence from the table of identifiers"
    found = [identifier for _, identifier, known in rows() if known == format]
    assert len(found) == 1, (f'{path}: src/base/failures.c has {len(found)} rows for this sentence, add\n'
                             f'\t{{"area-what-failed", "{format}"}},\nwith an identifier that is there already if a '
                             f'program would do the same about it; a new one goes into man/nspawn-errors.7 too')


def test_each_row_is_a_sentence():
    said = {format for _, _, format in calls()}
    unused = [(identifier, format) for _, identifier, format in rows() if format not in said]
    assert not unused, "these rows of src/base/failures.c are of no fail() or refuse() (any more)"


def test_formats_are_unique():
    assert [format for format, count in collections.Counter(row[2] for row in rows()).items() if count > 1] == []


def test_identifiers_are_words_with_hyphens():
    assert [row[1] for row in rows() if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", row[1]) or len(row[1]) > 31] == []


def test_rows_are_sorted_within_their_area():
    """And an identifier has one area."""
    areas = collections.defaultdict(list)
    for area, identifier, _ in rows():
        areas[area].append(identifier)
    assert None not in areas
    for area, identifiers in areas.items():
        assert identifiers == sorted(identifiers), area
    counts = collections.Counter(identifier for identifiers in areas.values() for identifier in set(identifiers))
    assert [identifier for identifier, count in counts.items() if count > 1] == []


def page_identifiers():
    """(section, identifier) in the manual page: tags of the subsections of IDENTIFIERS."""
    found, section, previous, is_inside = [], None, "", False
    for line in MAN.read_text(encoding="utf-8").replace("\\-", "-").splitlines():
        if line.startswith(".SH "):
            is_inside = line == ".SH IDENTIFIERS"
        elif line.startswith(".SS "):
            section = line[4:]
        elif is_inside and previous == ".TP":
            found.append((section, re.fullmatch(r"\.B (\S+)", line).group(1)))
        previous = line
    return found


def test_the_manual_page_has_each_identifier():
    expected = list(dict.fromkeys((area, identifier) for area, identifier, _ in rows()))
    assert page_identifiers() == expected


def test_the_manual_page_explains_each():
    text = MAN.read_text(encoding="utf-8").split(".SH IDENTIFIERS")[1].split(".SH ")[0]
    entries = re.findall(r"\.TP\n\.B \S+\n((?:(?!\.TP|\.SS).*\n)+)", text)
    assert len(entries) == len(page_identifiers())
    assert all(len(entry) > 20 for entry in entries)


@pytest.mark.parametrize("path", [str(path.relative_to(TOP)) for path in sources(".c")])
def test_nobody_dies_too_early(path):
    """A sentence names the cause, not that something did not come to its end."""
    assert not re.search(r"too early|Oops|internal error|should not happen", (TOP / path).read_text(encoding="utf-8"))
