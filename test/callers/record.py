# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run of a caller's line showed, as it stands in the caller's record: the same on every machine.

Left out or put in words, since the host, its kernel or the moment decides about it and not the line:

* what is new each time: paths, names, ids and the numbers of pipes have names of their own;
* mounts of ours below /dev, /proc, /sys and /run: kernels differ in what is there, test/integration looks at each of them.
  What of the host's is mounted is told wherever it is, with where it comes from;
* capabilities are told by how they differ from the default: a host that lacks one cannot give it, and is told so;
* limits but that of core files, which callers set; control groups, processors, devices: test/integration;
* the size of the terminal, which has a time of its own.
"""
import hashlib
import json
import os
import re
import stat

# What a machine keeps unless it is told otherwise, see capabilities(7); and what comes with a network of its own.
DEFAULT_CAPABILITIES = {
    "audit_control", "audit_write", "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "ipc_owner", "kill", "lease",
    "linux_immutable", "mknod", "net_bind_service", "net_broadcast", "net_raw", "setfcap", "setgid", "setpcap", "setuid", "sys_admin",
    "sys_boot", "sys_chroot", "sys_nice", "sys_ptrace", "sys_resource", "sys_tty_config"}
CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
    net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice
    sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm
    block_suspend audit_read perfmon bpf checkpoint_restore""".split()
KERNELS_OWN = ("proc", "sysfs", "devpts", "mqueue", "cgroup2", "cgroup", "ramfs")
FLAGS = ("ro", "nosuid", "nodev", "noexec", "nosymfollow")
OURS = ("/dev", "/proc", "/sys", "/run")
NOT_TOLD = {"tty": ("rows", "columns"), "system": ("affinity", "cgroup", "comm", "domainname", "loginuid", "oom_score_adj", "priority")}
HEXADECIMAL = "[0-9a-f]"
NEW_EACH_TIME = [(rf"{HEXADECIMAL}{{8}}(-{HEXADECIMAL}{{4}}){{3}}-{HEXADECIMAL}{{12}}", "UUID"),
                 (r"(pipe|socket):\[\d+\]", r"\1"),
                 (rf"/journal/{HEXADECIMAL}{{32}}", "/journal/UUID"), (r"/dev/pts/\d+", "/dev/pts/N"),
                 (r"nspawn: \S+ is not among nspawn's own capabilities, starting without it\n", "")]


def own_status(name):
    with open("/proc/self/status", encoding="utf-8") as file:
        found = re.search(rf"^{name}:\t(\w+)$", file.read(), re.M)
    return found.group(1) if found else "0"


def host_mounts():
    """(device, root, mount point) of every mount here, the last first."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for entry in lines:
            fields = entry.split()
            found.append((fields[2], fields[3], fields[4]))
    return found[::-1]


class Names:
    """Puts names in the place of what is new each time."""

    def __init__(self, **paths):
        self.paths = {name: str(path) for name, path in paths.items()}

    def plain(self, text):
        for name, path in self.paths.items():
            text = text.replace(path, name)
        text = text.replace(os.path.basename(self.paths["TREE"]), "NAME")
        for pattern, name in NEW_EACH_TIME:
            text = re.sub(pattern, name, text)
        return text

    def everywhere(self, value):
        if isinstance(value, str):
            return self.plain(value)
        if isinstance(value, list):
            return [self.everywhere(item) for item in value]
        if isinstance(value, dict):
            return {self.plain(key): self.everywhere(item) for key, item in value.items()}
        return value

    def source(self, mount, host):
        """Where on the host a mount comes from, or None if it is none of the host's."""
        candidates = []
        for device, root, point in host:
            inner = root.rstrip("/") + "/"
            if device == mount["dev"] and (mount["root"] + "/").startswith(inner):
                candidates.append(os.path.normpath(f"{point}/{mount['root'][len(inner) - 1:]}"))
        known = [path for path in candidates if any(path.startswith(name) for name in self.paths.values())]
        return (known or candidates or [None])[0]


def mounts(answer, names):
    host = host_mounts()
    found = {}
    for mount in answer:
        target = mount["target"]
        source = None if mount["type"] in KERNELS_OWN else names.source(mount, host)
        if source is None and any(target == top or target.startswith(top + "/") for top in OURS) or target.startswith("/run/host/"):
            continue
        flags = [flag for flag in mount["options"].split(",") if flag in FLAGS]
        if source is None:
            flags += [option for option in mount["super"].split(",") if option.startswith("mode=")]
        found[target] = " ".join([source or mount["type"], *sorted(flags)])
    return found


def caps(answer):
    """In words, and without what the host does not have itself."""
    host = int(own_status("CapBnd"), 16)
    has = {name for bit, name in enumerate(CAPABILITIES) if host >> bit & 1}
    bounding = {name for bit, name in enumerate(CAPABILITIES) if answer["bounding"] >> bit & 1}
    told = "all" if bounding == has else " ".join([
        "default", *(f"+{name}" for name in sorted(bounding - DEFAULT_CAPABILITIES)),
        *(f"-{name}" for name in sorted((DEFAULT_CAPABILITIES & has) - bounding))])
    found = {"bounding": told, "filters": answer["filters"] - int(own_status("Seccomp_filters")),
             "no_new_privs": answer["no_new_privs"]}
    for name in ("permitted", "effective", "ambient", "inheritable"):
        found[name] = "the same" if answer[name] == answer["bounding"] else "none" if answer[name] == 0 else "others"
    return found


def system(answer):
    own = os.uname().machine
    return {**answer, "machine": "the host's" if answer["machine"] == own else answer["machine"], "umask": f"{answer['umask']:04o}"}


def namespaces(answer):
    shared = [name for name, link in answer.items() if os.readlink(f"/proc/self/ns/{name}") == link]
    return f"all new but {' '.join(sorted(shared))}"


def inside(answer, names):
    found = {}
    for question, value in answer.items():
        if question == "mounts":
            value = mounts(value, names)
        elif question == "caps":
            value = caps(value)
        elif question == "system":
            value = system(value)
        elif question == "namespaces":
            value = namespaces(value)
        elif question == "env":
            value = sorted(value)
        elif question == "limits":
            value = {"CORE": value["CORE"]}
        if isinstance(value, dict):
            value = {key: item for key, item in value.items() if key not in NOT_TOLD.get(question, ())}
        if question != "stderr":
            found[question] = dict(sorted(value.items())) if isinstance(value, dict) else value
    return found


def of_tree(root):
    """{path: what it is} of everything in a tree."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            text = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
            if stat.S_ISLNK(status.st_mode):
                text += f" -> {os.readlink(path)}"
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    text += f" {status.st_size} bytes {hashlib.sha256(file.read()).hexdigest()[:8]}"
            found[path[len(str(root)):]] = text
    return found


def told(out):
    """(what the program inside told, the rest of the output as text)."""
    lines, answer = out.decode(errors="replace").splitlines(keepends=True), {}
    for number, text in enumerate(lines):
        if text.startswith("{"):
            answer = json.loads(text)
            lines[number] = "TOLD" + text[len(text.rstrip("\r\n")):]
    return answer, "".join(lines)


def of_run(line, words, names, code, out, err, before, after):
    """The record of one run."""
    answer, text = told(out)
    changed = {path: what for path, what in after.items() if before.get(path) != what}
    changed |= {path: "gone" for path in before if path not in after}
    where = "/usr/bin/systemd-nspawn" if line.is_absolute else "systemd-nspawn"
    record = {
        "line": [*line.before, where, *words],
        "environment": dict(line.env),
        "not_yet": line.not_yet(),
        "exit": code,
        "stdout": text,
        "stderr": err.decode(errors="replace"),
        "inside": inside(answer, names),
        "changed in the tree": dict(sorted(changed.items())),
    }
    if line.script:
        record["script"] = line.script
    return names.everywhere(record)
