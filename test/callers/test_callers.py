# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every caller's command lines, replayed, and what came of them compared with the caller's record.

lines.py     the command lines
caller.py    how one is run
record.py    what is recorded, and what is not
records/     a file for each caller; --update-records writes them anew: look at what changed, it is what callers see change
contract.py  what callers rely on, and which tests look after it
"""
import difflib
import json
import pathlib
import platform

import caller
import pytest
import record
from lines import FILES, LINES

pytestmark = [pytest.mark.requires("root", "cgroup2", "netns"),
              pytest.mark.skipif(platform.machine() != "x86_64", reason="some callers run programs of 32-bit x86"),
              pytest.mark.usefixtures("known_host", "known_network")]
RECORDS = pathlib.Path(__file__).parent / "records"
CALLERS = list(dict.fromkeys(name for name, _ in LINES))


@pytest.fixture
def place(tree, work, folder):
    def make(line):
        asks = f"{line.asks} {'limits' if any('rlimit' in str(word) for word in line.words) else ''} exit={line.exits}"
        return caller.Place(tree({**(line.files or FILES), "payload.report": asks}), work, folder)

    return make


def replay(line, place):
    before = record.of_tree(place.root)
    code, out, err = caller.run(line, place)
    assert code == line.exits and line.starts == (b'"argv"' in out), f"{line.caller}, {line.name}: {code} {out!r} {err!r}"
    return record.of_run(line, line.run_words(), place.names, code, out, err, before, record.of_tree(place.root))


@pytest.mark.parametrize("name", CALLERS)
def test_the_record_of_a_caller(name, place, updates_records):
    found = {line.name: replay(line, place(line)) for (whose, _), line in LINES.items() if whose == name}
    path = RECORDS / f"{name}.json"
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if updates_records:
        path.write_text(text, encoding="utf-8")
    recorded = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = list(difflib.unified_diff(recorded.splitlines(), text.splitlines(), "the record", "what came of it", lineterm=""))
    assert not difference, "\n" + "\n".join(difference)


def test_no_record_is_left_over():
    assert sorted(path.stem for path in RECORDS.glob("*.json")) == sorted(CALLERS)


@pytest.mark.parametrize("words", sorted({words.words for line in LINES.values() for words in line.words if hasattr(words, "instead")}),
                         ids=" ".join)
def test_what_is_not_there_yet_is_refused_by_name(words, tree, work, folder, run, search_path):
    """Whoever makes it work takes its mark out of lines.py, and gets a record that shows it."""
    place = caller.Place(tree(), work, folder)
    option = words[0].partition("=")[0]
    result = run("-q", "-D", place.root, *map(place.fill_in, words), "/payload", "exit", "0", command=["systemd-nspawn"], env=search_path)
    assert result.code == 1 and result.out == b"", result
    assert option in result.complaint and "not available yet" in result.complaint, result
