# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a service manager hears from its services."""
import re
import socket
import time

from lab import identity


class Manager:
    """A service manager's end of sd_notify."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        identity.give(self.path)
        self.heard = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hear(self, wanted=None, timeout=10):
        """Collects messages until a line matches wanted, or for a moment if that is None."""
        deadline = time.monotonic() + (timeout if wanted else 0.3)
        while not (wanted and any(re.fullmatch(wanted, line) for line in self.lines)):
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except (TimeoutError, socket.timeout):
                if time.monotonic() >= deadline:
                    assert wanted is None, f"never heard {wanted}: {self.heard}"
                    break
        return self.lines

    @property
    def lines(self):
        return [line for message in self.heard for line in message.splitlines()]
