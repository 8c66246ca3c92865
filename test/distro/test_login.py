# SPDX-License-Identifier: LGPL-2.1-or-later
"""nspawn exec, shell and login in a real system."""
import os
import re

import pytest

from lab.run import run
from lab.terminal import Terminal

pytestmark = pytest.mark.requires("root", "mirror")


def test_systemd_gives_a_prompt(system, guest):
    """Its own container-getty on a terminal of ours, and a command beside it that its manager keeps out of."""
    view = system("bookworm")
    name = f"login{os.getpid()}"
    with guest(view, "-M", name) as booted:
        booted.login()
        with Terminal("login", name) as terminal:
            terminal.expect("login: ", timeout=60)
            terminal.line("root")
            terminal.expect(r"# ", timeout=60)
            terminal.line("tty; systemctl is-active container-getty@$(tty | tr -dc 0-9).service")
            terminal.expect(r"/dev/pts/\d+")
            terminal.expect(r"[\r\n]active\r")
            # The next one has nobody but systemd itself to ask.
            terminal.line("systemctl stop dbus.socket dbus.service; echo no-$((40 + 2))-bus")
            terminal.expect("no-42-bus", timeout=60)
            terminal.send("\x1d\x1d\x1d")
            assert terminal.wait(20) == 0 and terminal.is_restored()
        with Terminal("login", name) as terminal:
            terminal.expect("login: ", timeout=60)
            terminal.line("root")
            terminal.expect(r"# ", timeout=60)
            terminal.line("systemctl is-active container-getty@$(tty | tr -dc 0-9).service")
            terminal.expect(r"[\r\n]active\r", timeout=60)
            terminal.send("\x1d\x1d\x1d")
            assert terminal.wait(20) == 0
        result = run("exec", name, "systemctl", "show", "-P", "Version", timeout=60)
        assert result.code == 0 and re.match(r"\d+", result.text), result
        assert run("shell", name, "/bin/sh", "-c", "echo $HOME; exit 3", timeout=60).code == 3
        assert run("poweroff", name, timeout=100).code == 0
        booted.ends()
