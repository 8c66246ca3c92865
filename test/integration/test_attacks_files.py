# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attacks by files: names and contents that somebody else chose, where nspawn or a shell only looks."""
import json
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from lab.tree import TOP

pytestmark = pytest.mark.requires("root")

EVIL = "\x1b]0;owned\x07"
SECRET = "ID=hosts-secret-5309"


@pytest.fixture
def clean(beside):
    """What lies beside trees belongs to the test that put it there."""
    before = set(beside.iterdir())
    yield
    for path in set(beside.iterdir()) - before:
        if ".nspawn" in path.name:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


# --- Only looking ---


class Waiting:
    """Opens a FIFO for writing, which waits until somebody opens it for reading: so one sees that nobody does."""

    def __init__(self, path):
        self.path, self.was_opened = path, threading.Event()
        os.mkfifo(path)

    def _write(self):
        fd = os.open(self.path, os.O_WRONLY)
        if not self.is_over:
            self.was_opened.set()
        os.close(fd)

    def __enter__(self):
        self.is_over = False
        self.thread = threading.Thread(target=self._write)
        self.thread.start()
        return self

    def __exit__(self, *_):
        opened = self.was_opened.wait(0.1)
        self.is_over = True
        while self.thread.is_alive():
            os.close(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK))
            self.thread.join(0.05)
        os.unlink(self.path)
        assert not opened, "somebody opened it"


@pytest.mark.parametrize("words", [["--dry-run"], ["config"], ["-q", "-P"]])
@pytest.mark.parametrize("place", ["etc/os-release", "etc/machine-id", ".nspawn", ".nspawn.d/x.conf"])
def test_what_is_no_file_is_not_even_opened(tree, run, clean, words, place):
    """A device can act when it is opened: a watchdog, a tape. A FIFO shows whether it was."""
    root = tree()
    if not place.startswith("."):
        (root / place).unlink(missing_ok=True)
        path = root / place
    else:
        path = pathlib.Path(f"{root}{place}")
        path.parent.mkdir(exist_ok=True)
    with Waiting(path):
        run(*words, "-b", "-D", root, "/payload", timeout=10)


@pytest.mark.parametrize("kind", ["link", "up", "magic", "fifo", "device", "giant", "directory", "loop"])
@pytest.mark.parametrize("place", ["etc/os-release", "usr/lib/os-release", "etc/machine-id", "etc/passwd", "sbin/init", "usr"])
@pytest.mark.parametrize("words", [["-a"], ["-b"]])
def test_a_look_at_a_hostile_tree(tree, run, tmp_path, kind, place, words):
    """Nothing of the host is told, nothing waits, nothing changes."""
    root, secret = tree(), tmp_path / "secret"
    secret.write_text(SECRET + "\nPRETTY_NAME=" + SECRET + "\n")
    secret.chmod(0o755)
    path = root / place
    if place == "usr":
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    targets = {"link": secret, "up": "../" * 30 + str(secret)[1:], "magic": f"/proc/self/root{secret}", "loop": path.name}
    if kind in targets:
        path.symlink_to(targets[kind])
    elif kind == "fifo":
        os.mkfifo(path, 0o755)
    elif kind == "device":
        os.mknod(path, 0o20777, os.makedev(1, 5))
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    before = sorted((str(name), name.lstat().st_mtime_ns, name.lstat().st_mode) for name in root.rglob("*"))
    for form in ("--dry-run", "--dry-run=json"):
        result = run(form, *words, "-D", root, "-u", "somebody", timeout=10)
        assert "5309" not in result.text + result.complaint, result
        assert result.code in (0, 1)
    assert before == sorted((str(name), name.lstat().st_mtime_ns, name.lstat().st_mode) for name in root.rglob("*"))


# --- Words that reach a terminal or a program ---


def test_names_of_drop_ins_do_not_reach_the_terminal(tree, run, clean):
    root = tree()
    folder = pathlib.Path(f"{root}.nspawn.d")
    folder.mkdir()
    (folder / "1.conf").write_text("[Exec]\nEnvironment=A=1\nBoot=maybe\n[Files]\nBind=/etc\n")
    (folder / f"2{EVIL}.conf").write_text(f"[Exec]\nEnvironment=\nBoot=maybe\nKillSignal={EVIL}\nNo{EVIL}=x\n[{EVIL}]\nX=y\n[Files]\nBind=/{EVIL}\n")
    for words in (["config"], ["--dry-run"], ["-P"]):
        result = run(*words, "-D", root, "/payload", "exit", "0")
        assert result.code == 0 and "owned" in result.text + result.complaint, result
        assert not set("\x1b\x07") & set(result.text + result.complaint), result
    result = run("config", "--json", "-D", root)
    assert "taken back by" in result.text and "\x1b" not in result.text and json.loads(result.out)


def test_nothing_can_forge_a_message_of_json(tree, run, clean):
    root = tree(name='q"},{"level":"error","x":"\\')
    pathlib.Path(f"{root}.nspawn").write_text('[Exec]\nKillSignal="}\nA"}{"b":"c=1\n' + "Environment=" + '"' * 5000 + "\n")
    result = run("--json-errors", "-D", root, '--chdir=/"}\n{"level":"error","id":"forged"}', "/payload", "exit", "0")
    lines = [json.loads(line) for line in result.complaint.splitlines()]
    assert result.code == 1 and lines
    assert all(set(line) <= {"level", "id", "message", "errno", "hint", "file", "line"} for line in lines), lines
    assert "forged" not in [line.get("id") for line in lines] and [line["level"] for line in lines].count("error") == 1


# --- Completion ---

DRIVER = r"""
source "$1"/bash/nspawn
COMP_LINE=$2 COMP_POINT=${#2}
read -ra COMP_WORDS <<<"$2"
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_nspawn nspawn
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(line, cwd):
    return subprocess.run(["bash", "--norc", "-c", DRIVER, "bash", TOP / "shell-completion", line], cwd=cwd, timeout=10,
                          stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize("name", ["$(touch OWNED)", "`touch OWNED`", "$(touch${IFS}OWNED)", "${x[$(touch${IFS}OWNED)]}",
                                  "$((x[$(touch${IFS}OWNED)]))", "a;touch${IFS}OWNED", "'$(touch${IFS}OWNED)", '"$(touch${IFS}OWNED)"',
                                  "<(touch${IFS}OWNED)", "\\$(touch${IFS}OWNED)", "a|touch", "a&", "a\ttouch", f"a{EVIL}", "a\nb$(touch${IFS}OWNED)"])
def test_completion_runs_nothing_of_a_tree(tree, tmp_path, name):
    """Whoever types a tab has not asked for more than names. What is offered goes into a command line as it is."""
    root = tree({"etc/passwd": f"good:x:7:7::/:/bin/sh\n{name}:x:8:8::/:/bin/sh\n", "usr/bin/tool!": "x", f"usr/bin/{name}!": "x",
                 f"data/{name}": "x"})
    for line in (f"nspawn -D {root} -u ", f"nspawn -D {root} --uid=", f"nspawn -D {root} ", f"nspawn -D {root} /data/",
                 f"nspawn -D {root} --chdir=/data/", f"nspawn -D {root} --bind=/x:/data/", f"nspawn -D {root} /bin/x /data/"):
        offers = complete(line, tmp_path)
        assert not list(tmp_path.iterdir()) and not list(pathlib.Path.cwd().glob("OWNED")), line
        for offer in offers:
            typed = subprocess.run(["bash", "--norc", "-c", f"printf '%s\\0' {offer}"], cwd=tmp_path, stdout=subprocess.PIPE, check=False)
            assert not list(tmp_path.iterdir()), offer
            assert not set("\x1b\x07") & set(offer), offer
            if "/data/" not in line:
                assert typed.stdout == offer.encode() + b"\0", "goes in as it is"
    assert "good" in complete(f"nspawn -D {root} -u ", tmp_path) and "tool" in complete(f"nspawn -D {root} ", tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_does_not_wait_for_a_fifo(tree, tmp_path, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell}")
    root = tree()
    os.mkfifo(root / "etc/passwd")
    if shell == "bash":
        complete(f"nspawn -D {root} -u ", tmp_path)
    elif shell == "fish":
        script = f"source {TOP}/shell-completion/fish/nspawn.fish; complete -C 'nspawn -D {root} -u '"
        subprocess.run(["fish", "--no-config", "-c", script], timeout=20, stdout=subprocess.DEVNULL, check=True)
    else:
        text = (TOP / "shell-completion/zsh/_nspawn").read_text(encoding="utf-8").replace('_nspawn "$@"', "")
        script = text + f"\ntypeset -A opt_args=(-D {root}); _users() {{ :; }}; _wanted() {{ :; }}; _nspawn_users"
        subprocess.run(["zsh", "-f", "-c", script], timeout=20, check=True)


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish")
@pytest.mark.parametrize("name", ["$(touch OWNED)", "(touch OWNED)", "a;touch OWNED", "'(touch OWNED)", '"(touch OWNED)', "{$(touch OWNED)}"])
def test_fish_runs_nothing_of_a_tree(tree, tmp_path, name):
    root = tree({"etc/passwd": f"good:x:7:7::/:/bin/sh\n{name}:x:8:8::/:/bin/sh\n", f"usr/bin/{name}!": "x", f"data/{name}": "x"})
    for word in ("-u ", "", "/data/", "--bind=/x:/data/", "--uid+="):
        script = f"source {TOP}/shell-completion/fish/nspawn.fish; complete -C 'nspawn -D {root} {word}'"
        subprocess.run(["fish", "--no-config", "-c", script], cwd=tmp_path, timeout=20, stdout=subprocess.DEVNULL, check=True)
        assert not list(tmp_path.iterdir())
