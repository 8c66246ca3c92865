# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of a hostile tree that would have the kernel load our own executable beside them or in their place.

It is the one file of the host that the process still holds when it executes the payload, and /proc/self/exe leads to
it.
"""
import os
import struct

import pytest

from lab.tree import fill

pytestmark = pytest.mark.requires("root")

OURSELVES = b"/proc/self/exe\0"
LOADER = 3  # PT_INTERP
NOTE = 4


def elf64(loader, headers=1, word_size=2):
    """A header and a table whose last entry names the loader; 'word_size' is what the file says of itself (2: 64 bits)."""
    path_at = 64 + 56 * headers
    head = b"\x7fELF" + bytes([word_size, 1, 1]) + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, headers, 0, 0, 0)
    for number in range(headers):
        kind = LOADER if number == headers - 1 else NOTE
        head += struct.pack("<IIQQQQQQ", kind, 4, path_at, 0, 0, len(loader), len(loader), 1)
    return head + loader


def plant(root, name, content):
    (root / name).write_bytes(content)
    (root / name).chmod(0o755)


PROGRAMS = {
    "script": b"#!/proc/self/exe\n",
    "loader": elf64(OURSELVES),
    "a file that lies about its word size": elf64(OURSELVES, word_size=1),
    "the longest loader's path": elf64(OURSELVES.ljust(4096, b"\0")),
    "far down in the table": elf64(OURSELVES, headers=140),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_loads_ourselves(tree, run, program):
    root = tree()
    plant(root, "evil", program)
    result = run("-q", "-P", "-D", root, "/evil")
    assert (result.code, "leads through a link of /proc" in result.err.decode()) == (1, True), result.err.decode()


def test_as_many_scripts_as_the_kernel_follows(tree, run):
    root = tree({"s5=": "/proc/self/exe"})
    for number in range(5):
        plant(root, f"s{number}", f"#!/s{number + 1}\n".encode())
    result = run("-q", "-P", "-D", root, "/s0")
    assert (result.code, "'/s5': it leads through a link of /proc" in result.err.decode()) == (1, True), result.err.decode()


def test_an_interpreter_relative_to_the_working_directory(tree, run):
    root = tree({"folder/x=": "/proc/self/exe"})
    plant(root, "evil", b"#!x\n")
    result = run("-q", "-P", "-D", root, "--chdir=/folder", "/evil")
    assert (result.code, "'x': it leads through a link of /proc" in result.err.decode()) == (1, True), result.err.decode()


def test_a_script_that_only_the_kernel_can_read(tree, run):
    """What cannot be looked at is not run: it could lead anywhere."""
    root = tree({"hidden!": "#!/proc/self/exe\n"})
    (root / "hidden").chmod(0o111)
    result = run("-q", "-P", "-D", root, "--user=1000", "/hidden")
    assert (result.code, "'/hidden': it cannot be read" in result.err.decode()) == (1, True), result.err.decode()


def test_a_loader_need_not_be_readable(tree, run):
    root = tree({"ld!": "neither a program"})
    (root / "ld").chmod(0o111)
    plant(root, "program", elf64(b"/ld\0"))
    result = run("-q", "-P", "-D", root, "--user=1000", "/program")
    assert b"cannot be read" not in result.err and b"link of /proc" not in result.err, result.err


def test_scripts_that_name_scripts_work(tree, run):
    """The same depth and the same relative names, without malice."""
    root = tree({"folder/": None})
    os.link(root / "payload", root / "folder/x")
    fill(root, {"first!": "#!/second\n", "second!": "#!x\n"})
    result = run("-q", "-P", "-D", root, "--chdir=/folder", "/first")
    assert b"Cannot run" not in result.err and b"link of /proc" not in result.err, result.err
