# SPDX-License-Identifier: LGPL-2.1-or-later
"""Format and lint, by the tools the project agrees on."""
import shutil
import subprocess

import pytest

from lab.tree import TOP
from test_layers import sources, tracked


def c_files():
    return [*sources(), *sorted((TOP / "test").rglob("*.[ch]"))]


def test_clang_format_has_nothing_to_say():
    assert shutil.which("clang-format"), "clang-format is missing: tools/install-dependencies installs it"
    assert (TOP / ".clang-format").exists(), "the project has no .clang-format"
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", *c_files()], capture_output=True, text=True, check=False)
    complaints = [line for line in result.stderr.splitlines() if " error: " in line]
    assert result.returncode == 0, "\n".join(complaints[:30])


def shell_scripts():
    found = []
    for path in tracked():
        if path.suffix in (".sh", ""):
            with open(path, "rb") as file:
                first = file.readline()
            if first.startswith(b"#!") and b"sh" in first and b"python" not in first:
                found.append(path)
    return found


@pytest.mark.parametrize("path", shell_scripts(), ids=lambda path: str(path.relative_to(TOP)))
def test_shellcheck_has_nothing_to_say(path):
    assert shutil.which("shellcheck"), "shellcheck is missing: tools/install-dependencies installs it"
    result = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def python_files():
    found = []
    for path in tracked():
        if path.suffix in (".py", ""):
            with open(path, "rb") as file:
                if path.suffix == ".py" or b"python" in file.readline():
                    found.append(path)
    return found


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(TOP)))
def test_python_compiles(path):
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_no_tracked_file_has_stray_blanks():
    wrong = []
    for path in tracked():
        if path.suffix in (".c", ".h", ".py", ".build", ".sh") or path.parent.name == "tools":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if line != line.rstrip():
                    wrong.append(f"{path.relative_to(TOP)}:{number}")
    assert not wrong, wrong
