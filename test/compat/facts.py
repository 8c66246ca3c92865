# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a run showed, as {fact: text}: one short line for each mount, node, variable, limit…, without what is new each time."""
import hashlib
import json
import os
import re
import signal
import stat

from cases import BASE_ID, PROBES

PROBED = {spec: name for name, spec in PROBES.items()}
# Which error number the kernel itself has for nonsense is its affair.
VERDICTS = {0: "done", 1: "not permitted", 38: "unknown", 97: "no such family"}
# Flags that a mount has by default say nothing.
IGNORED = {"rw", "relatime"}
MADE_FOR_IT = {"tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup2", "ramfs"}
FROM_THE_HOST = {"/", "/run/host/incoming", "/run/host/unix-export"}
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
HEXADECIMAL = "[0-9a-f]"
NEW_EACH_TIME = [
    (rf"{HEXADECIMAL}{{8}}(-{HEXADECIMAL}{{4}}){{3}}-{HEXADECIMAL}{{12}}", "UUID"),
    (rf"\b{HEXADECIMAL}{{32}}\b", "UUID"),
    (r"(pipe|socket):\[\d+\]", r"\1"),
    # The reference sets the size of the terminal some time after the start.
    (rf"signal {int(signal.SIGWINCH)}\n", ""),
]


def plain(value, root):
    """The value as text, with names instead of what is new each time."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = text.replace(str(root), "TREE").replace(root.name, "NAME")
    for pattern, name in NEW_EACH_TIME:
        text = re.sub(pattern, name, text)
    return text


def _share_of_memory(match):
    return f"size={round(int(match.group(1)) * 1024 * 100 / MEMORY)}%" if int(match.group(1)) > 65536 else match.group(0)


def _mount(mount):
    flags = ",".join(sorted(set(mount["options"].split(",")) - IGNORED)) or "-"
    kinds = sorted({word.split(":")[0] for word in mount["propagation"].split()} - {"master"})
    is_of_the_host = mount["type"] not in MADE_FOR_IT or mount["source"] == "nspawn-test" or mount["target"] in FROM_THE_HOST
    if is_of_the_host:
        return f"of the host, {flags}, {'+'.join(kinds) or 'private'}"
    options = ",".join(sorted(set(mount["super"].split(",")) - {"rw"}))
    options = re.sub(r"size=(\d+)k", _share_of_memory, options)
    # In a user namespace the owner of a file system in memory is named always. Inside it is root, which nodes show.
    options = ",".join(word for word in options.replace(f"gid={BASE_ID + 5}", "gid=5").split(",") if not word.endswith(f"id={BASE_ID}"))
    return f"{mount['type']} from {mount['source']}, {flags}, {options or '-'}, {'+'.join(kinds) or 'private'}"


def mounts(answer):
    """The mount on top of each target: where from, flags, options of the file system, propagation."""
    found = {f"mount {mount['target']}": _mount(mount) for mount in answer}
    follow = [mount["target"] for mount in answer
              if "master:" in mount["propagation"] and mount["target"] != "/run/host/incoming"]
    return {**found, "mounts that follow the host's": "some" if follow else "none"}


def _node(entry):
    if "errno" in entry:
        return f"error {entry['errno']}"
    if entry["type"] == "link":
        return f"-> {entry['link']}"
    size = f" {entry['size']} bytes" if entry["type"] == "file" else ""
    return f"{entry['type']} {entry['mode']:o} {entry['uid']}:{entry['gid']}{' ' + entry['rdev'] if 'rdev' in entry else ''}{size}"


def nodes(answer):
    return {f"node {path}": _node(entry) for path, entry in answer.items()}


def env(answer):
    pairs = [line.split("=", 1) for line in answer]
    return {**{f"variable {name}": value for name, value in pairs}, "variables named twice": len(pairs) - len(dict(pairs))}


def each(name):
    return lambda answer: {f"{name} {key}": value for key, value in answer.items()}


def caps(answer):
    """The sets as numbers; they depend on what the host itself may do, so the inheritable one is put in words."""
    words = {0: "none", answer["ambient"]: "the ambient ones", answer["bounding"]: "all"}
    return {f"caps {name}": words.get(value, f"{value:x}") if name == "inheritable" else f"{value:x}"
            for name, value in answer.items()}


def tty(answer):
    """But not the size: the reference sets it some time after the start. Cases of their own look at that."""
    return {f"tty {name}": value for name, value in answer.items() if name not in ("rows", "columns")}


def keyring(answer):
    return {"keyring": "a keyring" if answer["id"] > 0 else f"error {-answer['id']}",
            "keyring description": re.sub(r"\d+", "N", answer.get("description", ""))}


def namespaces(answer):
    return {f"namespace {name}": "the host's" if os.readlink(f"/proc/self/ns/{name}") == link else "its own"
            for name, link in answer.items()}


QUESTIONS = {"mounts": mounts, "devices": nodes, "env": env, "caps": caps, "keyring": keyring, "tty": tty, "namespaces": namespaces,
             **{name: each(name) for name in ("signals", "limits", "ids", "fds", "system", "links", "processes")}}


def _answers(case, answer):
    """The facts of the payload's JSON."""
    words = [word for word in case.words if word != "/payload"]
    if isinstance(answer, list):
        return {f"call {PROBED.get(word, word)}": VERDICTS.get(value, "reaches the kernel")
                for word, value in zip(words[1:], answer)}
    found = {}
    for key, value in answer.items():
        if key in QUESTIONS and words[0] in QUESTIONS:
            found |= QUESTIONS[key](value)
        elif isinstance(value, dict) and ("type" in value or "errno" in value):
            found |= nodes({key: value})
        else:
            found[key] = value
    return found


def of_tree(root):
    """What the tree on the host has become."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            inside = path[len(str(root)):]
            if inside == "/payload":
                continue
            text = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
            if stat.S_ISLNK(status.st_mode):
                text += f" -> {os.readlink(path)}"
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    text += " " + hashlib.sha256(file.read()).hexdigest()[:8]
            found[f"afterwards {inside}"] = text
    return found


def of_run(case, root, code, out, err):
    """{fact: text} of one run."""
    found = {"exit": code, "stderr": "says something" if err.strip() else "silent"}
    text = out.decode(errors="replace").replace("\r\n", "\n")
    if case.only_says:
        text = "says something" if text else ""
    try:
        found |= _answers(case, json.loads(text))
    except json.JSONDecodeError:
        found["stdout"] = text
    if case.looks_at_tree:
        found |= of_tree(root)
    return {plain(fact, root): plain(value, root) for fact, value in found.items()}
