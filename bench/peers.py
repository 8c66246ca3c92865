# SPDX-License-Identifier: LGPL-2.1-or-later
"""How each program runs some words in a tree, and which way of doing it works on this machine."""

import json
import os
import re
import shutil
import subprocess

HANG_GUARD_SEC = 120  # what has not ended by then never will; not a measure of speed


class Site:
    """Where things are: the directory with all we made, our cgroup, the executable under test."""

    def __init__(self, work, group, nspawn):
        self.work = work
        self.group = group
        self.nspawn = nspawn
        self.tree = work + "/tree"
        self.environ = {"PATH": os.environ["PATH"], "HOME": "/root", "TERM": "xterm",
                        "LANG": "C.UTF-8"}

    def directory(self, name):
        os.makedirs(f"{self.work}/{name}", exist_ok=True)
        return f"{self.work}/{name}"


# Each of these returns the ways to do it, best first, as (what to say of this way, command).

def bare(site, tree, words, net):
    return [("", [tree + words[0]] + [tree + w if w == "/big" else w for w in words[1:]])]


def bare_copy(site, tree, words, net):
    return [("", [site.work + "/pty-read", "--copy"] + bare(site, tree, words, net)[0][1])]


def script(site, tree, words, net):
    command = " ".join(bare(site, tree, words, net)[0][1])
    return [("", ["script", "-q", "-e", "-c", command, "/dev/null"])]


def floor(site, tree, words, net):
    return [("", [site.work + "/floor"] + ["--net"] * net + [tree] + words)]


def floor_cable(option):
    return lambda site, tree, words, net: [("", [site.work + "/floor", option, tree] + words)]


def nspawn_cable(*options):
    def ways(site, tree, words, net):
        return [("", [site.nspawn, "-q", "--console=pipe", "-D", tree, "--network-veth", *options] + words)]
    return ways


def nspawn(console):
    def ways(site, tree, words, net):
        return [("", [site.nspawn, "-q", "--console=" + console, "-D", tree]
                 + ["--private-network"] * net + words)]
    return ways


def systemd_nspawn(console, *options):
    def ways(site, tree, words, net):
        return [("", ["systemd-nspawn", "-q", "--register=no", "--keep-unit",
                      "--console=" + console, "-D", tree, *options] + ["--private-network"] * net + words)]
    return ways


def unshare(site, tree, words, net):
    return [("", ["unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup"] + ["--net"] * net
             + ["--fork", "--mount-proc", "--root=" + tree] + words)]


def bwrap(site, tree, words, net):
    return [("", ["bwrap", "--unshare-all"] + ([] if net else ["--share-net"])
             + ["--bind", tree, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run",
                "--tmpfs", "/tmp"] + words)]


def bwrap_own_network(site, tree, words, net):
    return bwrap(site, tree, words, True)


def lxc_start(site, tree, words, net):
    path = site.directory("lxc")
    name = os.path.basename(tree) + "-net" * net
    with open(f"{path}/{name}.conf", "w") as f:
        f.write(f"""lxc.rootfs.path = dir:{tree}
lxc.uts.name = bench
lxc.net.0.type = {"empty" if net else "none"}
lxc.mount.auto = proc:mixed sys:ro
lxc.tty.max = 0
lxc.cgroup.dir.container = {site.group}/lxc-{name}
lxc.cgroup.dir.monitor = {site.group}/lxc-{name}-monitor
lxc.cgroup.dir.monitor.pivot = {site.group}/lxc-{name}-pivot
""")
    return [("", ["lxc-start", "-F", "-n", name, "-P", path, "-f", f"{path}/{name}.conf",
                  "-o", f"{path}/{name}.log", "--"] + words)]


def oci(runtime, *options):
    """A bundle from the runtime's own template, changed no more than needed."""
    def ways(site, tree, words, net):
        if not shutil.which(runtime):
            return [("", [runtime])]
        name = f"{runtime}-{os.path.basename(tree)}" + "-net" * net
        bundle = site.directory("oci-" + name)
        if not os.path.exists(bundle + "/config.json"):
            subprocess.run([runtime, "spec"], cwd=bundle, check=True, stdin=subprocess.DEVNULL)
        with open(bundle + "/config.json") as f:
            config = json.load(f)
        config["process"].update(terminal=False, args=words)
        config["root"] = {"path": tree, "readonly": False}
        config["linux"]["cgroupsPath"] = f"/{site.group}/{name}"
        if not net:
            host_network(config)
        with open(bundle + "/config.json", "w") as f:
            json.dump(config, f)
        state = site.directory("state-" + runtime)
        return [(" ".join(o), [runtime, "--root", state, *o, "run", "--bundle", bundle, name])
                for o in options]
    return ways


def host_network(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"]
                                     if n["type"] != "network"]
    # The runtimes bind the host's sysfs where the network is the host's.
    sysfs = {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"]}
    config["mounts"] = [sysfs if m["destination"] == "/sys" else m for m in config["mounts"]
                        if m["destination"] != "/sys/fs/cgroup"]


# Without a cgroup manager crun has no device filter to load, and so no RLIMIT_MEMLOCK to raise,
# which some machines do not let even root do.
CRUN = oci("crun", [], ["--cgroup-manager=disabled"])

CONTAINERS = {
    "floor": floor,
    "nspawn": nspawn("pipe"),
    "unshare": unshare,
    "bwrap": bwrap,
    "lxc-start -F": lxc_start,
    "crun run": CRUN,
    "runc run": oci("runc", []),
    "systemd-nspawn": systemd_nspawn("pipe"),
}

STARTS = {"no container": bare} | CONTAINERS
STARTS_HOST_NETWORK = STARTS | {
    "nspawn, with a pty": nspawn("read-only"),
    "systemd-nspawn, with a pty": systemd_nspawn("read-only"),
    "bwrap, own network": bwrap_own_network,
}

# In a network namespace made for them, so that the host's own is left alone.
CABLES = {
    "floor, with a cable": floor_cable("--veth"),
    "floor, cable taken back": floor_cable("--veth-tidy"),
    "nspawn, -n": nspawn_cable("--network-setup=host"),
    "nspawn, -n, nothing set up": nspawn_cable("--network-setup=none"),
    "systemd-nspawn, -n": systemd_nspawn("pipe", "--network-veth"),
}

CONSOLES = {
    "raw pty": bare,
    "bare copy": bare_copy,
    "nspawn": nspawn("interactive"),
    "systemd-nspawn": systemd_nspawn("interactive"),
    "lxc-start -F": lxc_start,
    "script": script,
}

SWALLOWED = {
    "raw pty": bare,
    "nspawn": nspawn("read-only"),
    "systemd-nspawn": systemd_nspawn("read-only"),
    "script": script,
}

PIPES = {
    "plain pipe": bare,
    "nspawn": nspawn("pipe"),
    "bwrap": bwrap,
    "systemd-nspawn": systemd_nspawn("pipe"),
}


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"[^ -~]", "?", lines[-1]).replace("|", "/")[:160] if lines else "no message"


def trial(site, command, prefix):
    """Runs a command once. Returns why it cannot be measured, or None."""
    if not shutil.which(command[0]):
        is_path = "/" in command[0]
        return f"no executable '{os.path.relpath(command[0])}'" if is_path else "not installed"
    try:
        done = subprocess.run(prefix + command, env=site.environ, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace",
                              timeout=HANG_GUARD_SEC)
    except subprocess.TimeoutExpired:
        return "does not end"
    if done.returncode == 0:
        return None
    return f"exits {done.returncode}: " + last_line(done.stderr or done.stdout)


def choose(site, ways, words, net=False, tree=None, prefix=None):
    """Finds the first way that runs /bin/true, and returns (its command for the words, a note).

    The command is None if no way works; the note then says why.
    """
    said = []
    tree = tree or site.tree
    for i, (label, command) in enumerate(ways(site, tree, ["/bin/true"], net)):
        why = trial(site, command, prefix or [])
        if why is None:
            note = f"with `{label}`; without it: {said[-1]}" if said else ""
            return ways(site, tree, words, net)[i][1], note
        said.append(why)
    return None, said[-1]
