# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documents agree with the program.

Examples are the lines that begin with "nspawn", or pipe into it, in .EX blocks of the manual pages and in fenced
blocks of README.md. In them /srv/tree stands for a tree and /srv/data for a directory of the host:

* every example must be understood: with a tree that does not exist, that is all it complains about;
* every example that names /srv/tree and a command must succeed in a busybox tree, or exit as its line says
  in a comment: "# exits 7". Those that boot, or wait for a person, are only parsed;
* every block that begins with [Exec], [Files] or [Network] is a settings file without a mistake.
"""
import os
import re
import shlex
import shutil
import subprocess

import pytest
from lab import network, probe
from lab import run as lab_run
from lab import tree as lab_tree

TOP = lab_tree.TOP
MAN = TOP / "man/nspawn.1"
FILE_MAN = TOP / "man/nspawn.nspawn.5"
MANUALS = sorted((TOP / "man").glob("*.[1-8]"))
README = TOP / "README.md"
ARCHITECTURE = TOP / "ARCHITECTURE.md"
LATER = "Not available yet."
EXAMPLE = re.compile(r"(\w[^|]*\| |Exec\w+=)?nspawn\b(?!:)")


def roff_to_text(line):
    """A line of the man page without fonts and escapes."""
    line = re.sub(r"\\f[BIRP]", "", line)
    for escape, character in (("\\-", "-"), ("\\(aq", "'"), ("\\(bu", "*"), ("\\e", "\\"), ("\\[u2026]", "…"), ("\\|", ""), ("\\&", "")):
        line = line.replace(escape, character)
    return line


def man_lines(manual=MAN):
    return [roff_to_text(line) for line in manual.read_text(encoding="utf-8").splitlines()]


def blocks(manual):
    """The lines of each .EX block of a manual page."""
    found, inside = [], None
    for line in man_lines(manual):
        if line == ".EX":
            inside = []
        elif line == ".EE":
            found.append(inside)
            inside = None
        elif inside is not None:
            inside.append(line)
    return found


@pytest.mark.parametrize("manual", MANUALS, ids=lambda path: path.name)
def test_examples_of_a_manual_end_where_the_text_goes_on(manual):
    before = ""
    inside = False
    for number, line in enumerate(manual.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{manual.name}:{number}"
        assert line not in (".EX", ".EE") or (line == ".EX") != inside, f"{where}: {line} in the wrong place"
        assert before != ".EE" or line.startswith("."), f"{where}: text in the indentation of the example before"
        inside = line == ".EX" or (inside and line != ".EE")
        before = line
    assert not inside


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "SECURITY.md", "HACKING.md"])
def test_fences_are_closed(document):
    inside = False
    for number, line in enumerate((TOP / document).read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            assert (line == "```") == inside, f"{document}:{number}: {line} in the wrong place"
            inside = not inside
    assert not inside


def without_files(text):
    """The text of a page but for settings files in it, whose lines have options of other programs."""
    return re.sub(r"^\.EX\n(?=[#\[]).*?^\.EE$", "", text, flags=re.MULTILINE | re.DOTALL)


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
    found, group = [], None
    for line in text.splitlines():
        title = re.fullmatch(r"(\w[\w /]*):", line)
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


def table():
    """The rows of the settings table: (option, letter, value, key, flags), None for what a row lacks."""
    for build in (os.path.dirname(lab_run.program()[-1]), *os.environ.get("NSPAWN_TEST_BUILDS", "build").split()):
        program = TOP / build / "shell-completion/generate-completion"
        if program.exists():
            break
    text = subprocess.run([program, "--table"], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = []
    for line in text.splitlines():
        option, letter, value, key, flags = line.split("\t")
        rows.append((None if option == "-" else option, None if letter == "-" else letter, value,
                     None if key == "-" else key, set(flags.split())))
    return rows


def shown():
    return [row for row in table() if not row[4] & {"later", "hidden"} and (row[0] or row[1])]


def test_help_has_the_options_of_the_table():
    wanted = []
    for option, letter, value, _, _ in shown():
        tags = [f"-{letter}" + (f" {value[1:]}" if value.startswith("=") else "")] if letter else []
        wanted.append(", ".join(tags + ([f"--{option}{value}"] if option else [])))
    assert len(wanted) > 50
    assert [tag for _, tag in help_options()] == wanted


def test_documents_say_what_is_not_available():
    """Options that are not are in no manual, but in paragraphs that say so; keys that are not have such a paragraph."""
    later = {row[0] for row in table() if "later" in row[4] and row[0]}
    assert later, "everything is available: this test has done its duty"
    for manual in MANUALS:
        for part in re.split(r"^\.(?:TP|SS .*|SH .*)$", without_files("\n".join(man_lines(manual))), flags=re.MULTILINE):
            named = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", part))
            assert not named & later or LATER in part, (manual.name, part)
    parts = re.split(r"^\.(?:TP|SS .*|SH .*)\n", "\n".join(man_lines(FILE_MAN)), flags=re.MULTILINE)
    marked = {row[3]: any(re.match(rf"(\.BR? )?{row[3].split('.')[1]}=", part) and LATER in part for part in parts)
              for row in table() if row[3]}
    assert marked == {row[3]: "later" in row[4] for row in table() if row[3]}


def test_manual_has_every_key():
    """nspawn(1) names the key of each of its options; nspawn.nspawn(5) has them all, each with a tag of its own."""
    text = "\n".join(man_lines())
    lacking = [key for _, _, _, key, _ in shown() if key and "[{}] {}=".format(*key.split(".")) not in text]
    assert not lacking
    tags = "\n".join(line for previous, line in zip(man_lines(FILE_MAN), man_lines(FILE_MAN)[1:]) if previous == ".TP")
    keys = [row[3] for row in table() if row[3] and "later" not in row[4]]
    assert len(keys) > 40
    assert not [key for key in keys if not re.search(rf"\b{key.split('.')[1]}=", tags)]


def test_man_page_has_the_options_of_help():
    assert len(help_options()) > 20, "--help is not understood"
    assert man_options() == help_options()


def test_man_page_has_the_verbs_of_help():
    text = subprocess.run([*lab_run.program(), "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    verbs = re.findall(r"^ {2}([a-z]\S.*?)(?: {2,}\S.*)?$", text.split("\nVerbs:\n")[1].split("\n\n")[0], re.MULTILINE)
    section = "\n".join(man_lines()).split("\n.SH VERBS\n")[1].split("\n.SH ")[0]
    tags = re.findall(r"^\.TP\n(.*)", section, re.MULTILINE)
    assert verbs and tags == [verb.replace("…", "...") for verb in verbs]
    assert [verb for verb in VERBS if re.search(rf"^nspawn {verb}\b", section, re.MULTILINE)] == VERBS


def test_every_option_in_the_man_page_has_an_example():
    lacking, tag, has_example = [], None, True
    for previous, line in zip(man_lines(), man_lines()[1:]):
        if previous == ".TP" and line.startswith("-") or line.startswith((".SS ", ".SH ")):
            if not has_example:
                lacking.append(tag)
            tag, has_example = line, not line.startswith("-")
        has_example = has_example or bool(EXAMPLE.match(line))
    assert not lacking


@pytest.mark.parametrize("document", [*MANUALS, README], ids=lambda path: path.name)
def test_named_options_exist(document, tmp_path):
    text = roff_to_text(document.read_text(encoding="utf-8"))
    if document != README:  # in a settings file they are a program's
        text = without_files(text)
    names = set()
    for line in text.splitlines():
        # Options of other programs stand only in lines that call them.
        if not re.match(r"\s*(?!nspawn )(busctl|mmdebstrap|meson|ninja|tools/|apt|jq|systemd-run)", line):
            names |= set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", line))
    unknown = []
    for name in sorted(names - {"login"} - VERB_OPTIONS):  # that is a shell's
        ran = subprocess.run([*lab_run.program(), f"--{name}"], cwd=tmp_path, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if "unrecognized option" in ran.stderr:
            unknown.append(name)
    assert not unknown


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


@pytest.mark.parametrize("manual", MANUALS, ids=lambda path: path.name)
def test_man_page_is_well_formed(manual):
    for program in ("man", "mandoc"):
        assert shutil.which(program), f"{program} is missing: tools/install-dependencies installs it"
    ran = subprocess.run(["man", "--warnings", "-l", manual], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=lab_run.environment({"MANWIDTH": "100"}), check=True)
    assert ran.stdout and not ran.stderr
    ran = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", manual], stdout=subprocess.PIPE, text=True, check=False)
    # Where one is not installed says nothing about the page.
    complaints = [line for line in ran.stdout.splitlines() if "referenced manual not found" not in line]
    assert not complaints


def test_manual_pages_name_each_other():
    """Each one is named in nspawn(1), is installed, and names only pages of ours that exist."""
    names = {f"{path.stem}({path.suffix[1:]})" for path in MANUALS}
    named = {path: {f"{name}({section})" for name, section in re.findall(
        r"(?<![\w.-])(nspawn[\w.-]*) ?\((\d)\)", "\n".join(man_lines(path)))} for path in MANUALS}
    assert names - named[MAN] <= {"nspawn(1)"}
    for path in MANUALS:
        assert named[path] <= names
        assert f"'man/{path.name}'" in (TOP / "meson.build").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("document,lines", [("ARCHITECTURE.md", 250), ("HACKING.md", 140)])
def test_document_is_short(document, lines):
    assert len((TOP / document).read_text(encoding="utf-8").splitlines()) <= lines


def examples():
    """(document, line) of each example, comments included."""
    found, is_inside = [], False
    for manual in MANUALS:
        found += [(manual.name, line) for block in blocks(manual) for line in block]
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            is_inside = not is_inside
        elif is_inside:
            found.append(("README", line))
    return [(where, re.sub(r"^Exec\w+=", "", line)) for where, line in found if EXAMPLE.match(line)]


def settings_blocks():
    """The .EX blocks that are settings files, and whether they are of a key that is available."""
    found = []
    for manual in MANUALS:
        for part in re.split(r"^\.(?:TP|SS .*|SH .*)$", "\n".join(man_lines(manual)), flags=re.MULTILINE):
            for block in re.findall(r"^\.EX\n(.*?)^\.EE$", part, re.MULTILINE | re.DOTALL):
                if re.search(r"^\[(Exec|Files|Network)\]$", block, re.MULTILINE):
                    found.append(pytest.param(block, LATER not in part, id=f"{manual.name}-{len(found)}"))
    return found


VERBS = re.findall(r'^\t\{"([a-z-]+)", "', (TOP / "src/verbs.c").read_text(encoding="utf-8"), re.MULTILINE)

# What verbs take besides: as their synopses say, and the tables of those that take many.
VERB_OPTIONS = {*re.findall(r"--([a-z-]+)", (TOP / "src/verbs.c").read_text(encoding="utf-8"))}
for table_of in ("request", "exec"):
    VERB_OPTIONS |= {*re.findall(r'^\t\{"([a-z-]+)", ', (TOP / f"src/control/{table_of}.c").read_text(encoding="utf-8"), re.MULTILINE)}


def words_of(line):
    """The words of the call of nspawn itself."""
    return shlex.split(re.sub(r"^.*\| (?=nspawn)", "", line), comments=True)


def can_run(line):
    """Ends by itself: names the tree, does not boot, and has a command after its options."""
    words = words_of(line)
    if words[1] == "syscalls":
        return True
    if "/srv/tree" not in line:
        return False
    if any(word.startswith("--dry-run") for word in words) or words[1] in VERBS:
        return True
    if "--boot" in words or "-b" in words:
        return False
    takes_word = {"-D", "-E", "-M", "-u", "-S", "-Z", "-L"}
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


# What they do outlives the test: test/host runs them.
CHANGE_THE_HOST = {"start", "enable", "disable"}


def test_there_are_examples():
    assert {where for where, _ in examples()} >= {"nspawn.1", "nspawn.nspawn.5", "README"}


@pytest.mark.parametrize("where,line", examples())
def test_example_is_understood(where, line, tmp_path):
    del where
    if len(words_of(line)) > 1 and words_of(line)[1] in CHANGE_THE_HOST:
        return  # the name is a verb's, which is all that can be told without starting anything
    ran = shell(line, tmp_path / "missing", tmp_path, tmp_path)
    said = [text for text in ran.stderr.splitlines() if text.startswith(("nspawn:", '{"level":"error"'))
            and "without a value takes back" not in text]
    if re.search(r"--help|--version|=help", line):
        assert ran.returncode == 0 and not said, ran.stderr
    elif words_of(line)[1] in VERBS or re.search(r"--dry-run|--cleanup", line):
        assert "unrecognized" not in ran.stderr and "ambiguous" not in ran.stderr and "Usage" not in ran.stderr, ran.stderr
    elif "# exits" in line:
        assert ran.returncode != 0 and "unrecognized" not in ran.stderr, ran.stderr
    else:
        assert said, "it ran without its tree"
        assert re.search(r"Cannot open the (tree|template)|No image for machine|has neither|has no /usr|needs root", said[0]), ran.stderr


@pytest.fixture(scope="module")
def little_tree(tmp_path_factory):
    """A busybox tree of our own."""
    root = tmp_path_factory.mktemp("documents") / "tree"
    subprocess.run(["cp", "-a", "--reflink=auto", lab_tree.cached("busybox"), root], check=True)
    yield root
    lab_tree.remove(root)


@pytest.fixture(scope="module")
def example_network(own_network):
    """Never the network of whoever runs the tests, and with the interfaces that examples name."""
    del own_network
    filtering = ["vlan_filtering", "1"] if probe.offers("vlans") else []
    for bridge in ("br0", "br1"):
        network.ip("link", "add", bridge, "type", "bridge", *filtering)
    network.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth0")


@pytest.mark.requires("root", "veth", "bridge", "macvlan")
@pytest.mark.usefixtures("example_network")
@pytest.mark.parametrize("where,line", [example for example in examples() if can_run(example[1])])
def test_example_works(where, line, little_tree, tmp_path):
    del where
    if "owner=" in line or "--bind-user" in line:
        probe.require("idmap")
    if re.search(r",(pvid|vlan)=", line):
        probe.require("vlans")
    expected = int((re.search(r"# exits (\d+)", line) or [0, "0"])[1])
    (tmp_path / "file").write_text("content\n", encoding="utf-8")
    ran = shell(line, little_tree, tmp_path, tmp_path)
    assert ran.returncode == expected, ran.stderr
    assert os.listdir(tmp_path) != [], "an example removed the host's files"


@pytest.mark.requires("root")
@pytest.mark.parametrize("text,counts", settings_blocks())
def test_settings_file_is_understood(text, counts, little_tree):
    """Beside a tree that is trusted. What would be done need not be possible."""
    path = little_tree.parent / "tree.nspawn"
    path.write_text(text, encoding="utf-8")
    try:
        ran = subprocess.run([*lab_run.program(), "config", "--settings=trusted", "-D", little_tree], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=lab_run.environment(), check=False)
    finally:
        path.unlink()
    if counts:
        assert ran.returncode == 0 and not ran.stderr, ran.stderr
        assert f"{path}:" in ran.stdout, "nothing of it counts"
    else:
        assert "not available yet" in ran.stderr or ran.returncode == 0, ran.stderr
