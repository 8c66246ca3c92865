# SPDX-License-Identifier: LGPL-2.1-or-later
"""Users of the host that are there for a test only: its account files are covered in the mount namespace of the bed."""
import contextlib
import pathlib
import subprocess
import tempfile


@contextlib.contextmanager
def on_host(passwd="", group="", shadow=""):
    """Lines that /etc/passwd, /etc/group and /etc/shadow have at their end meanwhile."""
    covered = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, lines in (("passwd", passwd), ("group", group), ("shadow", shadow)):
                path, cover = pathlib.Path("/etc") / name, pathlib.Path(folder) / name
                if not lines or not path.exists():
                    continue
                cover.write_bytes(path.read_bytes() + lines.encode())
                cover.chmod(path.stat().st_mode & 0o777)
                subprocess.run(["mount", "--bind", cover, path], check=True)
                covered.append(path)
            yield
        finally:
            for path in covered:
                subprocess.run(["umount", path], check=True)
