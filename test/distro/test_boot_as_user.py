# SPDX-License-Identifier: LGPL-2.1-or-later
"""An ordinary user with a line in /etc/subuid boots real systems out of a directory of his own."""
import os
import pathlib
import shutil
import signal
import subprocess
import types

import pytest

from lab import identity, probe
from lab import tree as lab_tree
from lab.run import program

pytestmark = [pytest.mark.requires("root", "cgroup2", "userns", "newuidmap", "mirror"),
              pytest.mark.skipif(identity.AS != "root", reason="makes the user itself")]

SLOW = 180  # seconds, on a loaded machine


@pytest.fixture
def user(tmp_path):
    """How a program is started as that user, in a cgroup that was left to the user."""
    identity.make()
    group = pathlib.Path(probe.own_cgroup()) / "of-user"
    group.mkdir()
    for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
        os.chown(group / name, identity.UID, identity.UID)
    copy = identity.HOME / "nspawn"
    shutil.copy(program()[0], copy)
    script = f'echo $$ >{group}/cgroup.procs && exec setpriv --reuid={identity.UID} --regid={identity.UID} --clear-groups "$@"'
    yield ["sh", "-c", script, "sh", str(copy)]
    identity.unmake()
    for folder, _, _ in os.walk(group, topdown=False):
        os.rmdir(folder)


ENVIRONMENT = {"HOME": str(identity.HOME), "XDG_RUNTIME_DIR": str(identity.RUNTIME), "USER": identity.NAME}


@pytest.fixture
def owned(user):
    def make(kind):
        root = identity.HOME / kind
        subprocess.run(["cp", "-a", lab_tree.cached(kind), root], check=True)
        identity.give_to_user(root)
        return root

    return make


def test_login_reboot_poweroff(owned, user, guest):
    root = owned("trixie")
    with guest(types.SimpleNamespace(root=root, options=[]), command=user, env=ENVIRONMENT) as screen:
        screen.login()
        code, text = screen.run("id -u; cat /proc/self/uid_map; touch /root/mine && chown 1:1 /root/mine; tty")
        assert code == 0 and text.startswith("0\n") and text.endswith("/dev/pts/0"), text
        assert screen.run("systemctl is-system-running --wait", timeout=SLOW) == (0, "running")
        assert screen.run("systemd-run -q --wait --pipe -p DynamicUser=yes -p PrivateTmp=yes /bin/echo worked </dev/null") == (0, "worked")
        screen.line("reboot")
        screen.expect("login: ", timeout=SLOW)
        screen.line("root")
        screen.expect("# ", timeout=60)
        screen.line("poweroff")
        assert screen.ends() == 0
        assert screen.is_restored()
    status = os.stat(root / "root/mine")
    assert (status.st_uid, status.st_gid) == (identity.of_user(1), identity.of_user(1))


def test_a_throw_away_boot_ends_by_a_signal(owned, user, guest):
    """Whoever of the machine's users its changes belong to: nothing of them stays."""
    root = owned("trixie")
    with guest(types.SimpleNamespace(root=root, options=[]), "-x", command=user, env=ENVIRONMENT) as screen:
        screen.login()
        assert screen.run("mkdir -m 700 /srv/a && touch /srv/a/b && chown -R daemon:daemon /srv/a")[0] == 0
        assert list(pathlib.Path("/var/tmp").glob(".nspawn-ephemeral-*"))
        screen.signal(signal.SIGTERM)
        assert screen.ends() == 0
    assert not list(pathlib.Path("/var/tmp").glob(".nspawn-ephemeral-*")) and not (root / "srv/a").exists()
