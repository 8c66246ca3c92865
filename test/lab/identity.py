# SPDX-License-Identifier: LGPL-2.1-or-later
"""As whom nspawn runs in the tests: $NSPAWN_TEST_AS.

root     the default: what the suite's own process is
userns   root, but every machine has a user namespace: each command line begins with -U
user     an ordinary user with ranges in /etc/subuid, who exists only in the bed

The last two run only the files in THREE_WAYS, less the tests that carry a mark: root_only("why") is for
what takes root by nature, host_ids_only("why") for what a user namespace changes by nature.
"""
import os
import pathlib
import re
import shutil
import subprocess

AS = os.environ.get("NSPAWN_TEST_AS", "root")
assert AS in ("root", "userns", "user"), f"NSPAWN_TEST_AS is root, userns or user, not {AS!r}"
IS_USER = AS == "user"

# What a payload finds differs with who runs it; how words are parsed does not.
THREE_WAYS = ("test_as_user", "test_credentials", "test_custom_mounts", "test_exec", "test_exit", "test_lifecycle", "test_locks",
              "test_mounts", "test_overlay", "test_pipe", "test_run_host", "test_start", "test_verbs_owned", "test_volatile")

NAME, UID = "nspawn-test", 47110
HOME, RUNTIME = pathlib.Path("/tmp/nspawn-test-home"), pathlib.Path(f"/run/user/{UID}")
MACHINES = RUNTIME / "nspawn" if IS_USER else pathlib.Path("/run/nspawn")
SUBIDS, SUBID_COUNT = 0x60000000, 65536
# Of src/verbs.c, with other words for them.
VERBS = re.findall(r'^\t\{(?:\.word = )?"([a-z-]+)"', (pathlib.Path(__file__).parents[2] / "src/verbs.c").read_text(encoding="utf-8"), re.M)


def make():
    """Makes the user, in a mount namespace of the bed's own: nothing of it is on the host."""
    etc = pathlib.Path("/tmp/nspawn-test-etc")
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    for name, line in (("passwd", f"{NAME}:x:{UID}:{UID}::{HOME}:/bin/sh"), ("group", f"{NAME}:x:{UID}:"),
                       ("subuid", f"{NAME}:{SUBIDS}:{SUBID_COUNT}"), ("subgid", f"{NAME}:{SUBIDS}:{SUBID_COUNT}")):
        path = etc / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        kept = [text for text in before.splitlines() if not text.startswith(NAME + ":")]
        path.write_text("\n".join([*kept, line, ""]), encoding="utf-8")
    subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
    HOME.mkdir(mode=0o700)
    os.chown(HOME, UID, UID)
    os.makedirs("/run/user", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "nspawn-test", "/run/user"], check=True)
    RUNTIME.mkdir(mode=0o700)
    os.chown(RUNTIME, UID, UID)


def unmake():
    for path in ("/run/user", "/etc"):
        subprocess.run(["umount", "--lazy", path], check=True)
    for path in (HOME, "/tmp/nspawn-test-etc"):
        shutil.rmtree(path)


def share_program():
    """A program below somebody's home is out of the user's reach: a copy is run then."""
    words = os.environ.get("NSPAWN", "").split() or [str(pathlib.Path(__file__).parents[2] / "build/nspawn")]
    folder = pathlib.Path("/tmp/nspawn-test-program")
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    if len(words) == 1 and os.path.exists(words[0]):
        os.environ["NSPAWN"] = str(shutil.copy(words[0], folder / "nspawn"))


def popen():
    """Arguments of Popen that make a program run as the user."""
    return {"user": UID, "group": UID, "extra_groups": []} if IS_USER else {}


def environment():
    """What is other for the user than for root."""
    return {"HOME": str(HOME), "XDG_RUNTIME_DIR": str(RUNTIME), "USER": NAME, "LOGNAME": NAME} if IS_USER else {}


def words(program, given):
    """The command line, in the mode's words."""
    given = [str(word) for word in given]
    extra = ["-U"] if AS == "userns" and (not given or given[0] not in VERBS) else []
    return [*program, *extra, *given]


# Inside, what belongs to root of the host is nobody's unless a mapping is asked for; what is the user's is root's.
MAPPED = ":rootidmap" if AS == "userns" else ""
# What is read-only anyway is refused for want of rights first, where root has none.
READ_ONLY = {30} if AS == "root" else {30, 13}


def outside(number):
    """An id of a machine of the user's, as the host has it."""
    return of_user(number) if IS_USER else number


def of_user(number):
    return UID if number == 0 else SUBIDS + number - 1


def give(path):
    """Makes a tree the user's own: root of it is the user, everybody else is in the user's ranges."""
    if IS_USER:
        give_to_user(path)


def give_to_user(path):
    todo = [str(path)]
    for folder, folders, files in os.walk(path):
        todo += [os.path.join(folder, name) for name in (*folders, *files)]
    for name in todo:
        status = os.lstat(name)
        ids = [of_user(number) if number < SUBID_COUNT and number != UID else -1 for number in (status.st_uid, status.st_gid)]
        os.chown(name, *ids, follow_symlinks=False)
        # Who owns a file may have lost a bit of it.
        if not os.path.islink(name):
            os.chmod(name, status.st_mode & 0o7777)


def open_up(path):
    """Lets the user through the folders that pytest makes for itself, and own the last one."""
    if not IS_USER:
        return path
    path = pathlib.Path(path)
    for folder in (path, *path.parents):
        if folder == pathlib.Path("/tmp"):
            break
        folder.chmod(0o755)
    os.chown(path, UID, UID)
    return path
