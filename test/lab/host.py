# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real host with systemd, as a machine of ours with all rights: what a service manager, machinectl and busctl do with machines is asked there.

The host is a throw-away view of the tree 'host' of tools/make-tree. In it
  /usr/bin/nspawn                       is the executable that is tested, and so is /usr/bin/systemd-nspawn
  /opt/nspawn/machinectl                is a link to it, /usr/bin/machinectl is systemd's own
  /opt/reference/systemd-nspawn         is systemd's
  /trees/KIND                           are the cached trees, read only
  /usr/local/lib/systemd/               has our units
  /var/lib/machines                     is empty, and from here host.machines: host.machine("one") makes a tree there
  /exchange                             is a directory that is host.exchange here
"""
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import time

from lab import leaks, probe
from lab import tree as lab_tree
from lab.run import Result, Running, environment, leader_of, program
from lab.terminal import Terminal

TREES = ("busybox", "trixie")
SPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")

# What a machine could leave behind, a line each.
INVENTORY = r"""
machinectl --no-legend --all list | awk '$1 != ".host" { print "machine", $1 }'
for top in /run/nspawn /run/systemd/nspawn /run/systemd/machines /run/user/*/nspawn; do
	[ ! -d $top ] || find $top -not -type d -printf 'file %p\n' -o -mindepth 1 -type d -empty -not -path '*/locks' -not -path '*/.locks' -not -path '*/.addresses' \
		-not -name propagate -not -name unix-export -printf 'directory %p\n'
done
find /sys/fs/cgroup/machine.slice -mindepth 1 -type d -not -path '*/payload/*' -printf 'cgroup %p\n' 2>/dev/null
find /etc/systemd /run/systemd/system /run/systemd/transient -name '*nspawn*' -printf 'unit file %p\n' 2>/dev/null
find /var/tmp /tmp -maxdepth 1 -name '*nspawn*' -printf 'file %p\n'
awk '{ print "mount", $5 }' /proc/self/mountinfo | grep -v -e /run/credentials -e /run/user
ip -oneline link | awk '{ sub("[@:].*", "", $2); print "link", $2 }'
ps -C nspawn,systemd-nspawn -o comm= | sed 's/^/process /'
systemctl --failed --plain --no-legend | awk '{ print "failed", $1 }'
"""


class Host:
    """Started by the session's fixture; everything else is asked with run()."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.machines, self.exchange, self.changes = (self.folder / name for name in ("machines", "exchange", "changes"))
        for path in (self.machines, self.exchange, self.changes):
            path.mkdir(parents=True)
        self.changes.chmod(0o1777)
        self.machines.chmod(0o700)
        self.program = self.folder / "nspawn"  # not the file itself: a build may replace that meanwhile
        shutil.copy(shutil.which(program()[0]) or program()[0], self.program)
        self.tree = lab_tree.cached("host")
        binds = [f"--bind-ro={self.program}:/usr/bin/nspawn", f"--bind-ro={self.program}:/usr/bin/systemd-nspawn",
                 f"--bind-ro={self.tree}/usr/bin/systemd-nspawn:/opt/reference/systemd-nspawn",
                 f"--bind={self.machines}:/var/lib/machines", f"--bind={self.exchange}:/exchange", f"--bind={self.changes}:/var/tmp"]
        binds += [f"--bind-ro={lab_tree.cached(kind)}:/trees/{kind}" for kind in TREES]
        self.process = Running("-q", "-x", "-D", self.tree, "-M", f"bed{os.getpid()}", "--capability=all", "--private-network",
                               "--register=no", *binds, "-b", env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"})
        try:
            self.leader = leader_of(self.process.pid)
            self.boot()
        except BaseException:
            self.process.__exit__()
            raise

    # --- Its life ---

    def boot(self):
        """Waits for the end of its start, and makes what the tests need there."""
        deadline = time.monotonic() + 90
        while True:
            state = self._enter("systemctl", "is-system-running", "--wait", timeout=90).text.strip()
            if state in ("running", "degraded"):
                break
            assert time.monotonic() < deadline and self.process.process.poll() is None, f"the host is '{state}': {self.process!r}"
            time.sleep(0.1)
        assert state == "running", self._enter("systemctl", "--failed").text
        self.check("mkdir -p /opt/nspawn && ln -s /usr/bin/nspawn /opt/nspawn/machinectl")
        # What covers a file of procfs here would keep a user namespace from mounting one: no host has that.
        self.check("umount /proc/kmsg /proc/sys/kernel/random/boot_id")
        self.install_units()
        # Terminals belong to a unit too, or what they start would be nobody's.
        self.check("systemd-run -q --unit=terminals -p Delegate=yes -p Type=exec sleep infinity")
        self.terminals = self.group_of(self.leader) + self.check("systemctl show -P ControlGroup terminals").text.strip()

    def install_units(self):
        """As installing would, below /usr/local. machines.target of the system is the host's own."""
        for folder, target in (("", "system"), ("user", "user")):
            for source in (lab_tree.TOP / "units" / folder).iterdir():
                if source.name in ("nspawn@.service.in", "machines.target") and (target, source.name) != ("system", "machines.target"):
                    text = source.read_text(encoding="utf-8").replace("@NSPAWN@", "/usr/bin/nspawn")
                    self.check(f"mkdir -p /usr/local/lib/systemd/{target} && cat >/usr/local/lib/systemd/{target}/{source.name.removesuffix('.in')}", stdin=text.encode())
        self.check("systemctl daemon-reload")
        self.check("systemctl --user daemon-reload", user="eva")

    @staticmethod
    def group_of(leader):
        """The directory here that is the root of the host's own cgroups: its manager is in init.scope."""
        with open(f"/proc/{leader}/cgroup", encoding="utf-8") as lines:
            path = next(line[3:].rstrip("\n") for line in lines if line.startswith("0::"))
        return probe.cgroup2_mount() + path.removesuffix("/init.scope")

    def power_off(self):
        """As its administrator would. Returns nspawn's exit code."""
        self._enter("systemctl", "poweroff")
        deadline = time.monotonic() + 60
        try:
            while self.process.process.poll() is None and time.monotonic() < deadline:
                leaks.reap()  # a dead process that entered keeps that host from ending until somebody has asked for it
                self.process.collect(0.1)
            return self.process.wait(timeout=1).code
        finally:
            self.process.__exit__()

    # --- What one does there ---

    def _enter(self, *words, stdin=b"", timeout=60, setup=()):
        command = ["nsenter", "-t", str(self.leader), *SPACES, *setup, *map(str, words)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                                   cwd="/", start_new_session=True)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as over:
            leaks.kill_all_below(process)
            process.wait()
            # A service that it started may hold the pipes still: nobody waits for their end.
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()
            result = Result(command, None, over.stdout or b"", over.stderr or b"")
            raise AssertionError(f"not over after {timeout} s: {result!r}\n{self.journal()}") from None
        return Result(command, process.returncode, out, err)

    def run(self, command, stdin=b"", timeout=60, user=None, setup=()):
        """Runs a shell command in a service of its own, which ends with all that it left running. With user: of that user's manager.

        Returns a Result: code, text, complaint."""
        as_user = []
        if user is not None:
            number = self.user_id(user)
            as_user = ["setpriv", f"--reuid={number}", f"--regid={number}", "--init-groups", "env", f"XDG_RUNTIME_DIR=/run/user/{number}",
                       f"HOME=/home/{user}", f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{number}/bus"]
        unit = f"bed-{os.getpid()}-{time.monotonic_ns()}.service"
        options = ["--user"] if user else []
        words = [*as_user, "systemd-run", *options, "--quiet", "--pipe", "--expand-environment=no", "--wait", "--collect", f"--unit={unit}", "-p", "KillMode=control-group",
                 "-p", "TimeoutStopSec=5", *setup, "/bin/sh", "-c", command]
        try:
            return self._enter(*words, stdin=stdin, timeout=timeout)
        except AssertionError:
            self._enter(*as_user, "systemctl", *options, "kill", "--signal=KILL", unit)
            raise

    def check(self, command, **more):
        """The same, for what has to succeed."""
        result = self.run(command, **more)
        assert result.code == 0, f"{result!r}\n{self.journal()}"
        return result

    def user_id(self, user):
        with open(self.tree / "etc/passwd", encoding="utf-8") as lines:
            return next(int(line.split(":")[2]) for line in lines if line.startswith(user + ":"))

    def terminal(self, *words):
        """A program on a terminal there; use as a context."""
        enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.terminals, "nsenter", "-t", str(self.leader), *SPACES,
                 "setsid", "--ctty", "--wait"]  # a session of that host: a shell asks for its group
        return Terminal(*words, command=enter, cwd="/")

    def wait_until(self, command, timeout=30):
        """Until the shell command succeeds: asked there, so that it costs one entering."""
        deadline = int(timeout * 10)
        loop = f"n=0; until {command}; do n=$((n + 1)); [ $n -lt {deadline} ] || exit 99; sleep 0.1; done"
        result = self.run(loop, timeout=timeout * 3 + 20)
        assert result.code == 0, f"never true after {timeout} s: {command}: {result!r}\n{self.journal()}"

    def journal(self, lines=60):
        """What happened there last, for a failed test's report."""
        return self._enter("journalctl", "--no-pager", "-q", "-n", lines, "-o", "short-monotonic").text

    # --- Machines ---

    def machine(self, name, kind="busybox", entries=None):
        """A tree /var/lib/machines/NAME, from here self.machines / NAME."""
        root = self.machines / name
        subprocess.run(["cp", "-a", "--reflink=auto", lab_tree.cached(kind), root], check=True)
        lab_tree.fill(root, entries or {})
        return root

    def remove(self, name):
        lab_tree.remove(self.machines / name)

    @contextlib.contextmanager
    def boots(self, name, *options, ready="machinectl show {0} -P State 2>/dev/null | grep -q running", command="nspawn"):
        """A machine that runs during the context, in a unit as a service of one's own would be."""
        words = shlex.join([command, "-q", "--keep-unit", "-b", "-M", name, *map(str, options)])
        self.check(f"systemd-run -q --unit=run-{name} -p Type=notify -p Delegate=yes -p KillMode=mixed -p TimeoutStopSec=20 --slice=machine.slice --collect {words}")
        try:
            if ready:
                self.wait_until(ready.format(shlex.quote(name)))
            yield
        finally:
            self.run(f"systemctl stop run-{name}; systemctl reset-failed run-{name} 2>/dev/null")

    # --- What is left ---

    def inventory(self):
        return sorted(self._enter("sh", "-c", INVENTORY).text.splitlines())

    def left(self, before, patience=8.0):
        """What is there now and was not, or the other way round; waits a little for it to go away."""
        deadline = time.monotonic() + patience
        while True:
            now = self.inventory()
            if now == before:
                return []
            if time.monotonic() > deadline:
                appeared, gone = [line for line in now if line not in before], [line for line in before if line not in now]
                return [f"left behind: {line}" for line in appeared] + [f"gone: {line}" for line in gone] or ["counts differ: " + str(set(now))]
            time.sleep(0.1)

    def tidy(self):
        """Ends what a failed test left, so that it is not the next one's failure too."""
        self._enter("sh", "-c", "systemctl kill --signal=KILL machine.slice 2>/dev/null; sleep 0.5; systemctl reset-failed")
        for path in self.machines.iterdir():
            lab_tree.remove(path)
