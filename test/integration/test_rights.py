# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file of nspawn that would give its caller rights does nothing at all."""
import os
import shutil
import struct
import subprocess

import pytest
from lab import run as lab_run

pytestmark = pytest.mark.requires("root")
NOBODY = 65534
# VFS_CAP_REVISION_2 and the effective bit, CAP_SYS_ADMIN permitted, nothing inheritable.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0)


@pytest.fixture
def start(tmp_path):
    """Runs a copy of the program, of this mode or with a capability, as an ordinary user."""
    def function(*words, mode=0o755, capability=None, user=NOBODY):
        path = tmp_path / "nspawn"
        shutil.copy(lab_run.program()[-1], path)
        os.chmod(path, mode)
        if capability:
            os.setxattr(path, "security.capability", capability)
        opened = os.open(path, os.O_PATH)
        try:
            return subprocess.run(["nspawn", *words], executable=f"/proc/self/fd/{opened}", pass_fds=[opened], cwd="/",
                                  user=user, group=user, extra_groups=[], capture_output=True, text=True, check=False)
        finally:
            os.close(opened)
    return function


@pytest.mark.parametrize("words", [["--version"], ["config", "-D", "/"], ["-D", "/", "true"], ["--help"]])
@pytest.mark.parametrize("rights", [{"mode": 0o4755}, {"mode": 0o2755}, {"capability": CAPABILITY}], ids=["setuid", "setgid", "capability"])
def test_a_file_with_rights_is_refused(start, rights, words):
    ran = start(*words, **rights)
    assert ran.returncode == 1 and "does not run set-user-id" in ran.stderr and not ran.stdout, ran


@pytest.mark.parametrize("rights", [{}, {"mode": 0o4755, "user": 0}, {"capability": CAPABILITY, "user": 0}])
def test_a_file_whose_rights_add_nothing_runs(start, rights):
    ran = start("--version", **rights)
    assert ran.returncode == 0 and not ran.stderr, ran
