# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents agree with the program.

Examples are the lines that begin with "nspawn", or pipe into it, in .EX blocks of the man page and in fenced
blocks of README.md. In them /srv/tree stands for a tree and /srv/data for a directory of the host:

* every example must be understood: with a tree that does not exist, that is all it complains about;
* every example that names /srv/tree and a command must succeed in a busybox tree, or exit as its line says
  in a comment: "# exits 7". Those that boot, or wait for a person, are only parsed.
"""
import os
import re
import shlex
import shutil
import subprocess

import pytest
from lab import run as lab_run
from lab import tree as lab_tree

TOP = lab_tree.TOP
MAN = TOP / "man/nspawn.1"
README = TOP / "README.md"
ARCHITECTURE = TOP / "ARCHITECTURE.md"
EXAMPLE = re.compile(r"(\w[^|]*\| )?nspawn\b")


def roff_to_text(line):
    """A line of the man page without fonts and escapes."""
    line = re.sub(r"\\f[BIRP]", "", line)
    for escape, character in (("\\-", "-"), ("\\(aq", "'"), ("\\(bu", "*"), ("\\e", "\\"), ("\\|", ""), ("\\&", "")):
        line = line.replace(escape, character)
    return line


def man_lines():
    return [roff_to_text(line) for line in MAN.read_text(encoding="utf-8").splitlines()]


def man_options():
    """The tags of the OPTIONS section: a list of (group, tag)."""
    found, group, is_options, previous = [], None, False, ""
    for line in man_lines():
        if line.startswith(".SH "):
            is_options = line == ".SH OPTIONS"
        elif line.startswith(".SS "):
            group = line[4:]
        elif is_options and previous == ".TP" and line.startswith("-"):
            found.append((group, line))
        previous = line
    return found


def help_options():
    """The same out of --help, in the man page's notation."""
    text = subprocess.run([*lab_run.program(), "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found, group = [], "General"
    for line in text.splitlines():
        title = re.fullmatch(r"(\w[\w ]*):", line)
        row = re.match(r" {2}(?:-(\w)|  ) (?:--([\w-]+)(\[?=\S+)?)?", line)
        if title:
            group = title.group(1)
        elif row and (row.group(1) or row.group(2)):
            letter, name, value = row.group(1), row.group(2), row.group(3) or ""
            tags = []
            if letter:
                tags.append(f"-{letter}" + (f" {value[1:]}" if value.startswith("=") else ""))
            if name:
                tags.append(f"--{name}{value}")
            found.append((group, ", ".join(tags)))
    return found


def test_man_page_has_the_options_of_help():
    assert len(help_options()) > 20, "--help is not understood"
    assert man_options() == help_options()


def test_every_option_in_the_man_page_has_an_example():
    lacking, tag, has_example = [], None, True
    for previous, line in zip(man_lines(), man_lines()[1:]):
        if previous == ".TP" and line.startswith("-") or line.startswith((".SS ", ".SH ")):
            if not has_example:
                lacking.append(tag)
            tag, has_example = line, not line.startswith("-")
        has_example = has_example or bool(EXAMPLE.match(line))
    assert not lacking


@pytest.mark.parametrize("document", [MAN, README], ids=lambda path: path.name)
def test_named_options_exist(document, tmp_path):
    text = roff_to_text(document.read_text(encoding="utf-8"))
    names = set()
    for line in text.splitlines():
        # Options of other programs stand only in lines that call them.
        if not re.match(r"\s*(?!nspawn )(mmdebstrap|meson|ninja|tools/|apt)", line):
            names |= set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", line))
    unknown = []
    for name in sorted(names):
        ran = subprocess.run([*lab_run.program(), f"--{name}"], cwd=tmp_path, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if "unrecognized option" in ran.stderr:
            unknown.append(name)
    assert names and not unknown


def test_man_page_has_every_environment_variable():
    names = set()
    for source in (TOP / "src").rglob("*.c"):
        text = source.read_text(encoding="utf-8")
        names |= set(re.findall(r'getenv\("(\w+)"\)', text))
        if source.stem == "environment-variables":
            names |= set(re.findall(r'\{"([A-Z_]{5,})", ', text))
    text = "\n".join(man_lines())
    assert len(names) > 12
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)]


def test_man_page_is_well_formed():
    assert shutil.which("man"), "man is missing: tools/install-dependencies installs it"
    ran = subprocess.run(["man", "--warnings", "-l", MAN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=lab_run.environment({"MANWIDTH": "100"}), check=True)
    assert ran.stdout and not ran.stderr


def test_architecture_has_the_handshake_steps():
    header = (TOP / "src/run/handshake.h").read_text(encoding="utf-8")
    steps = re.findall(r"^\tHANDSHAKE_(\w+),", header, re.MULTILINE)
    rows = re.findall(r"^\| ([A-Z]+) \|", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    assert steps and rows == steps


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "HACKING.md", "README.md", "SECURITY.md"])
def test_named_files_exist(document):
    text = (TOP / document).read_text(encoding="utf-8")
    names = re.findall(r"`((?:src|test|tools|bench|man)/[\w./*-]+)`", text)
    names += [f"src/{name}" for name in re.findall(
        r"`((?:base|config|host|image|mount|confine|manager|run)/[\w./*-]+)`", text)]
    assert not [name for name in names if not list(TOP.glob(name.rstrip("/")))]


@pytest.mark.parametrize("document,lines", [("ARCHITECTURE.md", 200), ("HACKING.md", 120)])
def test_document_is_short(document, lines):
    assert len((TOP / document).read_text(encoding="utf-8").splitlines()) <= lines


def examples():
    """(document, line) of each example, comments included."""
    found, is_inside = [], False
    for line in man_lines():
        is_inside = line == ".EX" or (is_inside and line != ".EE")
        if is_inside:
            found.append(("man", line))
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            is_inside = not is_inside
        elif is_inside:
            found.append(("README", line))
    return [(where, line) for where, line in found if EXAMPLE.match(line)]


def words_of(line):
    """The words of the call of nspawn itself."""
    return shlex.split(re.sub(r"^.*\| (?=nspawn)", "", line), comments=True)


def can_run(line):
    """Ends by itself: names the tree, does not boot, and has a command after its options."""
    words = words_of(line)
    if "--boot" in words or "-b" in words or "/srv/tree" not in line:
        return False
    takes_word = {"-D", "-E", "-M", "-u"}
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        rest = rest[2 if rest[0] in takes_word else 1:]
    return bool(rest)


def shell(line, tree, data, cwd):
    """Runs an example with the program under test as "nspawn"."""
    for name, path in (("/srv/tree", tree), ("/srv/debian", tree), ("/srv/data", data)):
        line = line.replace(name, str(path))
    line = line.replace("--machine=web", f"--machine=documents-{os.getpid()}")  # surely not installed here
    program = " ".join(map(shlex.quote, lab_run.program()))
    script = f'nspawn() {{ {program} "$@"; }}\n{line}\n'
    return subprocess.run(["bash", "-c", script], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, env=lab_run.environment(), check=False)


def test_there_are_examples():
    assert {where for where, _ in examples()} == {"man", "README"}


@pytest.mark.parametrize("where,line", examples())
def test_example_is_understood(where, line, tmp_path):
    del where
    ran = shell(line, tmp_path / "missing", tmp_path, tmp_path)
    said = [text for text in ran.stderr.splitlines() if text.startswith("nspawn:")]
    if re.search(r"--help|--version|=help", line):
        assert ran.returncode == 0 and not said, ran.stderr
    else:
        assert said, "it ran without its tree"
        assert re.search(r"Cannot open the tree|No image for machine|has neither|has no /usr|needs root", said[0]), ran.stderr


@pytest.fixture(scope="module")
def little_tree(tmp_path_factory):
    """A busybox tree of our own."""
    root = tmp_path_factory.mktemp("documents") / "tree"
    subprocess.run(["cp", "-a", "--reflink=auto", lab_tree.cached("busybox"), root], check=True)
    yield root
    lab_tree.remove(root)


@pytest.mark.requires("root")
@pytest.mark.parametrize("where,line", [example for example in examples() if can_run(example[1])])
def test_example_works(where, line, little_tree, tmp_path):
    del where
    expected = int((re.search(r"# exits (\d+)", line) or [0, "0"])[1])
    (tmp_path / "file").write_text("content\n", encoding="utf-8")
    ran = shell(line, little_tree, tmp_path, tmp_path)
    assert ran.returncode == expected, ran.stderr
    assert os.listdir(tmp_path) != [], "an example removed the host's files"
