# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels of security modules on a kernel that has none. With them: test/vm/test_apparmor.py and test_selinux.py."""
import os

import pytest

pytestmark = pytest.mark.requires("root")

CONTEXT = "system_u:system_r:svirt_t:s0:c1,c2"


def has(module):
    try:
        with open(f"/sys/module/{module}/parameters/enabled", encoding="utf-8") as file:
            return file.read().strip() == "Y"
    except OSError:
        return False


without_apparmor = pytest.mark.skipif(has("apparmor"), reason="this kernel has AppArmor")
without_selinux = pytest.mark.skipif(os.path.exists("/sys/fs/selinux/enforce"), reason="this kernel has SELinux")


@without_apparmor
@pytest.mark.parametrize("mode", [[], ["-a"]])
def test_a_profile_that_cannot_be_had_is_no_start(tree, run, mode):
    """Never unconfined in silence."""
    result = run("-P", "-D", tree(), *mode, "--apparmor-profile=box", "/payload", "env")
    assert result.code == 1 and result.out == b""
    assert "The AppArmor profile 'box'" in result.complaint and "runs no AppArmor" in result.complaint


@without_selinux
@pytest.mark.parametrize("options", [["-Z", CONTEXT], [f"--selinux-context={CONTEXT}"], ["-L", CONTEXT],
                                     [f"--selinux-apifs-context={CONTEXT}"], ["-Z", CONTEXT, "-L", CONTEXT]])
def test_contexts_are_ignored_without_selinux(tree, run, options):
    result = run("--console=read-only", "-D", tree(), *options, "/payload", "exit", "5")
    assert result.code == 5 and "runs no SELinux" in result.complaint and "has no effect" in result.complaint
    result = run("-P", "-D", tree(), *options, "/payload", "mounts")
    assert result.complaint == "" and b"context=" not in result.out


@pytest.mark.parametrize("option", ["--selinux-context", "--selinux-apifs-context", "--apparmor-profile"])
@pytest.mark.parametrize("junk", ["", " ", "\n", "box\n", "\x1b[31m", " box", "x" * 5000])
def test_what_is_no_label_is_refused(tree, run, option, junk):
    result = run("-P", "-D", tree(), f"{option}={junk}", "/payload", "env")
    assert result.code == 1 and result.out == b"" and f"'{option}'" in result.complaint
    assert "\x1b" not in result.complaint


def test_there_is_no_key_for_a_label(tree, run):
    """A file beside the tree could else weaken what an administrator has in mind."""
    root = tree()
    beside = root.parent / f"{root.name}.nspawn"
    beside.write_text("[Exec]\nApparmorProfile=unconfined\nSELinuxContext=u:r:t\n")
    try:
        result = run("-D", root, "--settings=trusted", "--console=read-only", "/payload", "exit", "0")
    finally:
        beside.unlink()
    assert result.code == 0 and "ApparmorProfile" in result.complaint and "SELinuxContext" in result.complaint
