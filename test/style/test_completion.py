# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion in the real shells: a line is typed on a terminal, and what is offered is looked at."""
import os
import re
import shutil
import subprocess
import time

import pytest
from lab import run as lab_run
from lab.terminal import Terminal
from lab.tree import TOP
from lab.tree import fill

FOLDER = TOP / "shell-completion"
SHELLS = ("bash", "zsh", "fish")

BASH_SETUP = r"""
source FOLDER/bash/nspawn; complete -F _nspawn systemd-nspawn
bind 'set show-all-if-ambiguous on'; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
bind '"\C-xa": insert-completions'; bind '"\C-xc": complete'
bind -x '"\C-xd": printf "%s\n" "$READLINE_LINE" >OUTPUT.new; mv OUTPUT.new OUTPUT; READLINE_LINE='
"""
# Every match goes through compadd.
ZSH_SETUP = r"""
unsetopt auto_list auto_menu beep prompt_cr; setopt no_list_ambiguous
fpath=(FOLDER/zsh $fpath); autoload -Uz compinit; compinit -u -D; compdef _nspawn systemd-nspawn
compadd() { if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi; local -a hits; builtin compadd -A hits "$@"; print -rl -- $hits >>OUTPUT.hits; builtin compadd "$@" }
finish() { touch OUTPUT.hits; print -r -- $BUFFER >>OUTPUT.hits; mv OUTPUT.hits OUTPUT; BUFFER= }
zle -N finish; bindkey '^Xd' finish; bindkey '^Xa' complete-word; bindkey '^Xc' complete-word
"""


class Shell:
    """One shell that stays, so that it is started and set up once."""

    def __init__(self, name, folder):
        self.name, self.output = name, folder / "output"
        self.terminal = None
        if name == "fish":
            (folder / "systemd-nspawn.fish").symlink_to(FOLDER / "fish/nspawn.fish")
            return
        command = ["bash", "--norc", "--noprofile", "-i"] if name == "bash" else ["zsh", "-f", "-i"]
        self.terminal = Terminal(command=command, cwd=folder, columns=200, env={"HOME": str(folder), "PS1": "$ ", "HISTFILE": None})
        setup = (BASH_SETUP if name == "bash" else ZSH_SETUP).replace("FOLDER", str(FOLDER)).replace("OUTPUT", str(self.output))
        (folder / "setup").write_text(setup, encoding="utf-8")
        self.terminal.send(f". {folder}/setup; echo rea''dy\n")
        self.terminal.expect("ready")

    def _type(self, line, key):
        self.terminal.send(line + "\x18" + key + "\x18d")
        deadline = time.monotonic() + 20
        while not self.output.exists():
            assert time.monotonic() < deadline, self.terminal.text[-2000:]
            self.terminal._read(0.02)
        text = self.output.read_text(encoding="utf-8")
        self.output.unlink()
        return text.splitlines()

    def offers(self, line):
        """The words that may complete the line, and for zsh the line itself."""
        if self.name == "fish":
            script = f"source {FOLDER}/fish/nspawn.fish; source {self.output.parent}/systemd-nspawn.fish; complete -C {fish_quote(line)}"
            ran = subprocess.run(["fish", "--no-config", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 cwd=self.output.parent, env=lab_run.environment({"HOME": str(self.output.parent)}), check=True)
            assert not ran.stderr
            return [text.split("\t")[0] for text in ran.stdout.splitlines()]
        got = self._type(line, "a")
        if self.name == "zsh":
            return got
        kept = line[:line.rindex(" ") + 1]
        return got[0].removeprefix(kept).split() if got[0] != line else []

    def completed(self, line):
        """The line with what completion puts there."""
        return self._type(line, "c")[-1]


def fish_quote(line):
    return "'" + line.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.fixture(scope="module", params=SHELLS)
def shell(request, tmp_path_factory):
    assert shutil.which(request.param), f"{request.param} is missing: tools/install-dependencies installs it"
    folder = tmp_path_factory.mktemp(request.param)
    fill(folder, {"tree/bin/inner!": "", "tree/usr/bin/intern!": "", "tree/etc/passwd": "root:x:0:0::/:\nguest:x:1:1::/:\n",
                  "tree/srv/inside/": None, "data/": None, "data file": "", "other/": None})
    made = Shell(request.param, folder)
    yield made
    if made.terminal:
        made.terminal.__exit__()


# What is typed; what must be among the offers; what must not. A value is offered alone or with its option.
CASES = [
    ("nspawn --bo", ["--boot"], ["--bind="]),
    ("nspawn --bi", ["--bind", "--bind-ro"], ["--boot"]),
    ("nspawn -q --no-p", ["--no-pager"], []),
    ("nspawn --mst", [], ["--mstack"]),
    ("nspawn --network-v", ["--network-veth", "--network-veth-extra"], ["--network-zone"]),
    ("nspawn --console=", ["interactive", "read-only", "passive", "pipe", "autopipe"], ["data"]),
    ("nspawn --console p", ["passive", "pipe"], ["interactive"]),
    ("nspawn --volatile=", ["no", "yes", "state", "overlay"], ["data"]),
    ("nspawn --volatile=o", ["overlay"], ["state"]),
    ("nspawn --settings tr", ["trusted"], ["yes"]),
    ("nspawn --notify-ready=", ["yes", "no"], []),
    ("nspawn --resolv-conf=replace-", ["replace-host", "replace-stub"], ["copy-host"]),
    ("nspawn --timezone sym", ["symlink"], ["copy"]),
    ("nspawn --drop-capability=CAP_SYS_T", ["CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG"], ["CAP_KILL"]),
    ("nspawn --capability=CAP_KILL,CAP_SYS_TT", ["CAP_SYS_TTY_CONFIG"], ["CAP_SYS_TIME"]),
    ("nspawn --system-call-filter=@mo", ["@module", "@mount"], ["@clock"]),
    ("nspawn --restrict-address-families AF_INE", ["AF_INET", "AF_INET6"], ["AF_UNIX"]),
    ("nspawn --rlimit=NO", ["NOFILE"], ["NPROC"]),
    ("nspawn --kill-signal=SIGRT", ["SIGRTMIN+3", "SIGRTMIN+4"], ["SIGTERM"]),
    ("nspawn -D ", ["tree", "data", "other"], ["file"]),
    ("nspawn --directory=tr", ["tree"], ["data"]),
    ("nspawn --bind=da", ["data"], ["tree"]),
    ("nspawn -D tree --uid=g", ["guest"], ["root"]),
    ("nspawn -D tree -u gu", ["guest"], ["root"]),
    ("nspawn -D tree --machine=tr", ["tree"], []),
    ("nspawn -D tree --chdir=/s", ["/srv/"], ["/etc/"]),
    ("nspawn -D tree --bind=data:/sr", ["/srv/"], ["data"]),
    ("nspawn -D tree in", ["inner", "intern"], ["tree"]),
    ("nspawn -qaD tree in", ["inner", "intern"], ["tree"]),
    ("nspawn --directory=tree -- in", ["inner", "intern"], ["tree"]),
    ("nspawn -D tree cat da", ["data"], ["tree"]),
    ("nspawn -D tree cat --bo", [], ["--boot"]),
    ("nspawn -D tree cat /sr", ["/srv/"], []),
    ("nspawn con", ["config"], []),
    ("nspawn config --js", ["--json"], []),
    ("nspawn list --", ["--all", "--json", "--max-addresses"], ["--boot", "--directory"]),
    ("nspawn status web --l", ["--lines"], ["--link-journal"]),
    ("nspawn copy-to web da", ["data"], ["tree"]),
    ("nspawn bind web da", ["data"], ["tree"]),
    ("nspawn exec web uniq", ["uniq"], ["tree"]),
    ("nspawn exec web uniq da", ["data"], ["tree"]),
    ("nspawn exec --us", ["--user"], ["--uid"]),
    ("nspawn wait da", [], ["data"]),
    ("nspawn config -D tree tr", ["tree"], ["data"]),
    ("nspawn syscalls @mo", ["@module", "@mount"], ["@clock"]),
    ("nspawn syscalls ptrace @cl", ["@clock"], ["@mount"]),
    ("nspawn syscalls --priv", ["--private-network", "--private-users"], ["--json"]),
    ("systemd-nspawn con", [], ["config"]),
    ("systemd-nspawn --bo", ["--boot"], []),
    ("systemd-nspawn -D tree in", ["inner", "intern"], []),
]


@pytest.fixture
def machines():
    """A machine in the search path. What is mounted is seen by the tests only."""
    folder = "/var/lib/machines"
    if not os.path.isdir(folder):
        pytest.skip("there is no folder for machines")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    fill(folder, {"webserver/usr/bin/weave!": ""})
    yield
    subprocess.run(["umount", folder], check=True)


@pytest.mark.requires("root")
@pytest.mark.parametrize("line,wanted", [("nspawn -M we", "webserver"), ("nspawn --machine=we", "webserver"),
                                         ("nspawn config we", "webserver"), ("nspawn -M webserver we", "weave")])
def test_machines_are_offered(shell, machines, line, wanted):
    del machines
    assert wanted in {bare(offer) for offer in shell.offers(line)}


def bare(offer):
    """Without the option that it is the value of, and the rest of the line."""
    return re.sub(r"^--[a-z-]+=(?=.)", "", offer).rstrip("=")


@pytest.mark.parametrize("line,wanted,unwanted", CASES, ids=[case[0] for case in CASES])
def test_offers(shell, line, wanted, unwanted):
    offers = set()
    for offer in shell.offers(line):
        text = bare(offer.replace("\\", ""))
        offers |= {text, text.rstrip("/"), text.split(",")[-1], text.split(":")[-1], f"/{text}", f"/{text}/", f"{text}/", f"@{text}"}
    assert not [word for word in wanted if word not in offers], sorted(offers)
    assert not [word for word in unwanted if word in offers], sorted(offers)


@pytest.mark.parametrize("line,wanted", [("nspawn --bind+=dat", "data"), ("nspawn --drop-capability+=CAP_SYS_TT", "CAP_SYS_TTY_CONFIG"),
                                         ("nspawn --system-call-filter+=@mo", "@mount")])
def test_lists_that_add_up(shell, line, wanted):
    offers = {re.sub(r"^.*[+]=(?=.)", "", offer).strip("/") for offer in shell.offers(line)}
    assert offers & {wanted, wanted.strip("@")}


LINES = [
    ("nspawn --as-p", "nspawn --as-pid2 "),
    ("nspawn --directory=tr", "nspawn --directory=tree/"),
    ("nspawn -D tr", "nspawn -D tree/"),
    ("nspawn --machi", "nspawn --machine="),
    ("nspawn --console=int", "nspawn --console=interactive "),
    ("nspawn --capability=CAP_KILL,CAP_SYS_TT", "nspawn --capability=CAP_KILL,CAP_SYS_TTY_CONFIG"),
    ("nspawn --bind=dat", "nspawn --bind=data"),
    ("nspawn -D tree --bind=data/:/sr", "nspawn -D tree --bind=data/:/srv/"),
    ("nspawn -D tree --chdir=/srv/in", "nspawn -D tree --chdir=/srv/inside/"),
    ("nspawn -D tree inn", "nspawn -D tree inner "),
    ("nspawn --system-call-filter=@mou", "nspawn --system-call-filter=@mount "),
    ("nspawn -D tree -u gue", "nspawn -D tree -u guest "),
    ("nspawn -D tree cat /sr", "nspawn -D tree cat /srv/"),
]


@pytest.mark.parametrize("line,expected", LINES, ids=[line for line, _ in LINES])
@pytest.mark.parametrize("shell", ["bash", "zsh"], indirect=True)
def test_line_is_completed(shell, line, expected):
    """Not fish, which tells its offers without a terminal and completes the line by itself."""
    # zsh adds a comma that goes when something else is typed.
    assert shell.completed(line).rstrip("/,") == expected.rstrip("/")


@pytest.mark.parametrize("name", ["bash/nspawn", "zsh/_nspawn", "fish/nspawn.fish"])
def test_shell_understands_the_file(name):
    command = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}[name.split("/", maxsplit=1)[0]]
    ran = subprocess.run([*command, FOLDER / name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr


def test_shellcheck_has_nothing_to_say():
    ran = subprocess.run(["shellcheck", "--shell=bash", FOLDER / "bash/nspawn"], stdout=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_every_option_is_completed():
    """Those of --help, which is made out of the same table; the build compares the rest."""
    text = subprocess.run([*lab_run.program(), "--help"], stdout=subprocess.PIPE, text=True, check=True,
                          env=lab_run.environment()).stdout
    names = re.findall(r"^ {2}(?:-\w| {2}) --([\w-]+)", text, re.MULTILINE)
    assert len(names) > 40
    bash = re.search(r"options='(.*)'", (FOLDER / "bash/nspawn").read_text(encoding="utf-8")).group(1).split()
    zsh = (FOLDER / "zsh/_nspawn").read_text(encoding="utf-8")
    fish = (FOLDER / "fish/nspawn.fish").read_text(encoding="utf-8")
    assert {word.strip("-=") for word in bash if word.startswith("--")} == set(names)
    assert set(re.findall(r"^\t\t'[^\[]*--([\w-]+)=?-?(?:\[|'\[|\}'\[)", zsh, re.MULTILINE)) == set(names)
    assert set(re.findall(r"^complete .*__nspawn_in_options.* -l ([\w-]+)", fish, re.MULTILINE)) == set(names)
