# SPDX-License-Identifier: LGPL-2.1-or-later
"""System calls that fail: each ends the start with a sentence and exit 1, and the leak fixture finds nothing left."""
import errno
import shutil
import subprocess

import pytest

from lab.run import program
from lab.tree import TOP

pytestmark = [pytest.mark.requires("root"), pytest.mark.usefixtures("own_network")]

# Numbers of x86-64. What a start cannot do without…
FATAL = {
    "clone3": 435, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "move_mount": 429, "open_tree": 428,
    "mount_setattr": 442, "openat2": 437, "pivot_root": 155, "umount2": 166, "mount": 165, "mknodat": 259,
    "symlinkat": 266, "mkdirat": 258, "sethostname": 170, "unshare": 272, "setsid": 112, "socketpair": 53,
    "bind": 49, "capset": 126, "setresuid": 117, "setresgid": 119, "setgroups": 116, "close_range": 436,
    "signalfd4": 289, "fchdir": 81, "getrandom": 318, "poll": 7, "waitid": 247,
}
# …and what it goes on without.
SURVIVED = {"keyctl": 250, "prlimit64": 302}


@pytest.fixture(scope="session")
def fault(tmp_path_factory):
    path = tmp_path_factory.mktemp("fault") / "fault"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", path, TOP / "test/integration/fault.c"], check=True)
    return path


@pytest.fixture
def faulty(tree, run, fault):
    def start(number, error, *words, skip="-"):
        executable = shutil.which(program()[0])
        return run("-D", tree(), *words, "/payload", "exit", "0",
                   command=[str(fault), str(number), str(error), skip, executable])

    return start


def complaints(result):
    lines = result.complaint.splitlines()
    assert all(line.startswith("nspawn: ") for line in lines), repr(result)
    return lines


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS, errno.ENOSPC], ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("call", FATAL)
def test_what_a_start_needs(faulty, call, error):
    result = faulty(FATAL[call], error, "-q", "-P")
    assert result.code == 1, repr(result)
    assert 1 <= len(complaints(result)) <= 2, repr(result)
    assert "ended while it was set up" not in result.complaint, repr(result)


@pytest.mark.parametrize("call", SURVIVED)
def test_what_a_start_does_without(faulty, call):
    assert faulty(SURVIVED[call], errno.EPERM, "-q", "-P").code == 0


def test_a_kernel_without_filters(faulty):
    """The filter's own load must not be taken for granted: 317 is seccomp(2)."""
    result = faulty(317, errno.EINVAL, "-q", "-P")
    assert result.code == 1 and "filter" in result.complaint


def test_no_pseudo_terminal(faulty):
    result = faulty(16, errno.ENOSPC, "-q")  # ioctl(2)
    assert result.code == 1 and "terminal" in result.complaint, repr(result)


def test_a_full_disk(tree, run, tmp_path, request):
    """A tree that lacks its directories on a file system without room for them."""
    root = tmp_path / "full"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=2", "full", root], check=True)
    request.addfinalizer(lambda: subprocess.run(["umount", root], check=True))
    (root / "usr").mkdir()
    result = run("-q", "-D", root, "/bin/true")
    assert result.code == 1 and "No space left on device" in result.complaint, repr(result)


@pytest.mark.parametrize("call", ["setresuid", "setresgid"])
def test_ids_that_are_not_switched(faulty, call):
    """A call that only says it worked is not believed: who was to be somebody else must not run as root."""
    result = faulty(FATAL[call], 0, "-q", "-P", "--uid=1000")
    assert result.code == 1 and "become the user" in result.complaint, repr(result)


@pytest.mark.requires("netns")
@pytest.mark.parametrize("options", [("-n",), ("-n", "-U")], ids=" ".join)
def test_who_dies_before_its_cable_is_there_says_why(faulty, options):
    """Not that its network cannot be entered: which of us is first is chance."""
    for _ in range(4):
        result = faulty(FATAL["pivot_root"], errno.EPERM, "-q", "-P", *options)
        assert result.code == 1 and "network of the machine" not in result.complaint and complaints(result), repr(result)
        result = faulty(FATAL["fsopen"], errno.EPERM, "-q", "-P", *options)
        assert result.code == 1 and "network of the machine" not in result.complaint and complaints(result), repr(result)
