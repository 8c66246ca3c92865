# SPDX-License-Identifier: LGPL-2.1-or-later
"""THE table: every difference to systemd-nspawn of release 252 that a command line can show, and why it is one.

case, fact   patterns of the names of cases.py and of the facts of facts.py; "*" stands for anything
reference    what systemd-nspawn shows, None where it shows nothing
ours         the same for ours
reason       whom it serves. "Newer" means: the releases after 252 do it too, and those are what ours is compatible with
needs        a word of lab/probe.py, or the first kernel that has the call: elsewhere there is no difference
"""
import dataclasses
import platform
import re

from cases import BASE_ID
from lab import probe


@dataclasses.dataclass(frozen=True)
class Difference:
    case: str
    fact: str
    reference: str
    ours: str
    reason: str
    needs: object = None

    def is_expected(self):
        """Whether this machine can show the difference."""
        if isinstance(self.needs, str):
            return probe.offers(self.needs)
        return self.needs is None or kernel() >= self.needs


def kernel():
    return tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])


BOOTED = "*boot*"
MASKED = "tmpfs from tmpfs, nodev,noexec,nosuid,ro, mode=755,nr_inodes=819200,size=20%, shared"
OPEN = "tmpfs from tmpfs, nodev,nosuid, mode=755,nr_inodes=819200,size=20%, shared"

KERNEL_SECRETS = "Newer: tells about the host's kernel what a machine has no use for."
EXCHANGE = "Newer, but only for a booted machine: a command shares no directory with the host, which is safer and faster."
PRIVATE_TERMINAL = """Safer: a terminal of the caller is not handed in, the payload gets a pty of its own for it. On the caller's it could
    type commands for the caller's shell."""
FILTER = "Newer: the call is on the list now, it needs no privilege that the machine does not have."
EMPTY_INHERITABLE = "Safer: inheritable capabilities of PID 1 would hand themselves on to files that have some, whoever runs them."
ERRORS = "Better: what goes wrong before the payload runs is told on standard error, and not on the payload's terminal."
QUIET = "Better: with --quiet who asked for the end by signal or key is not told of it."

READ_ONLY_PLACES = "Newer: nobody writes to a mount point below the mount."
NO_JOURNAL = "Better: without a journal of the host to link nothing is made for it."
HOME_PARENTS = "Safer: the parents of a home are root's, and its group has no business in them."
STRAY = "Better: what a start makes in the tree belongs to root of the tree, and not to an id that nobody has."
GIVES_UP = "Better: release 252 of the reference was seen to give up here on this kernel; no other release was looked at."

DIFFERENCES = [Difference(*row) for row in [
    # Files of the tree
    *[("*", f"afterwards /{name}", "drwxr-xr-x 0:0", "dr-xr-xr-x 0:0", READ_ONLY_PLACES)
      for name in ("dev", "proc", "run", "sys")],
    ("*", "afterwards /var/log", "drwxr-xr-x 0:0", None, NO_JOURNAL),
    ("*", "afterwards /var/log/journal", "drwxr-xr-x 0:0", None, "The same."),
    *[("user by name", f"afterwards {path}", "drwxrwxr-x 0:0", "drwxr-xr-x 0:0",
       HOME_PARENTS) for path in ("/home", "/home/deep")],

    # Mounts
    *[("*", f"mount /proc/{name}", None, MASKED, KERNEL_SECRETS) for name in ("kallsyms", "keys", "timer_list")],
    *[("*", f"mount /proc/{name}", OPEN, MASKED, "Safer: nobody writes there, the mount is read-only like all the others.")
      for name in ("kmsg", "sys/kernel/random/boot_id")],
    ("*", "mount /dev/pts", "devpts from devpts, noexec,nosuid, gid=5,mode=620,ptmxmode=666, shared",
     "devpts from devpts, noexec,nosuid, gid=5,mode=600,ptmxmode=666, shared",
     "Newer: a terminal is its user's alone, write(1) of others no longer reaches it."),
    ("*", "mount /sys/fs/cgroup", "cgroup2 from cgroup, nodev,noexec,nosuid, -, shared",
     "cgroup2 from cgroup2, nodev,noexec,nosuid, -, shared", "A name that nothing looks at."),
    ("*", "mounts that follow the host's", "some", "none",
     "Newer: what the host mounts later does not reach the machine, but for what is put in /run/host/incoming."),
    ("*", "mount /run/host/os-release", "of the host, -, shared", "of the host, nodev,noexec,nosuid,ro, shared",
     "Safer: it is a file of the host's, and read-only by itself; the reference covers that mount with a writable one."),
    ("*", "mount /run/host/incoming", "of the host, -, shared", None, EXCHANGE),
    (BOOTED, "mount /run/host/incoming", "of the host, -, shared", "of the host, nodev,noexec,nosuid,ro, shared",
     "Newer: the host puts mounts in, the machine puts nothing in."),
    (BOOTED, "mount /run/host/unix-export", None, "of the host, nodev,noexec,nosuid,nosymfollow, shared",
     "Newer: sockets that the machine offers to the host."),
    *[("*network", f"mount /sys/{name}", "sysfs from sysfs, nodev,noexec,nosuid,ro, ro, shared",
       "sysfs from sysfs, nodev,noexec,nosuid,ro, -, shared", "Only the mounts are read-only, which is what is looked at on a write.")
      for name in ("block", "bus", "class", "dev", "devices", "kernel")],
    *[("inaccessible mounts", f"mount /{name}", "of the host, ro, shared", MASKED,
       "Newer: the nodes are the machine's own and not the host's, so no service manager of the host must have made them.")
      for name in ("hidden", "secret")],
    *[("bind below /proc", fact, theirs, ours,
       "Better: the source is the host's, wherever the target is. The reference looks it up inside.")
      for fact, theirs, ours in (("exit", "1", "0"), ("stderr", "says something", "silent"))],

    # Ids of its own
    *[(case, f"afterwards /{name}", "drwxr-xr-x 2147483646:2147483646", "drwxr-xr-x 0:0", STRAY)
      for case, names in (("bind *", ("mnt", "mnt/a")), ("tmpfs with ids", ("srv", "srv/t"))) for name in names],
    ("*", "afterwards /etc/localtime", "-rw-r--r-- 2147483646:2147483646 e3b0c442", "-rw-r--r-- 0:0 e3b0c442", STRAY),
    *[("bind *noidmap", fact, f"{kind} 0:0{size}", f"{kind} 65534:65534{size}",
       "As the manual has it: files of ids that the machine has not are nobody's. The reference maps what is mounted in the tree as well.")
      for fact, kind, size in (("node /mnt/a", "directory 755", ""), ("node /mnt/a/x", "file 644", " 1 bytes"))],
    *[(f"bind {word}", fact, theirs, ours, GIVES_UP) for word in ("idmap", "rootidmap", "rbind,idmap")
      for fact, theirs, ours in (("exit", "1", "0"), ("stderr", "says something", "silent"), ("stdout", "", None),
                                 ("node /mnt/a", None, "directory 755 0:0"), ("node /mnt/a/x", None, "file 644 0:0 1 bytes"))],
    ("inaccessible with ids", "node /secret", "file 0 65534:65534 0 bytes", "file 0 0:0 0 bytes",
     "Newer: the nodes are the machine's own and not the host's."),
    *[("ids volatile state", fact, theirs, ours, GIVES_UP)
      for fact, theirs, ours in (("exit", "1", "0"), ("stderr", "says something", "silent"), ("stdout", "", None), ("result", None, "4"), ("errno", None, "0"))],
    *[(case, f"afterwards /{name}", f"drwxr-xr-x {BASE_ID}:{BASE_ID}", ours, reason)
      for case in ("ids fixed, not mapped", "ids on disk*")
      for name, ours, reason in [*[(name, f"dr-xr-xr-x {BASE_ID}:{BASE_ID}", READ_ONLY_PLACES) for name in ("dev", "proc", "run", "sys")],
                                 ("var/log", None, NO_JOURNAL), ("var/log/journal", None, NO_JOURNAL)]],
    *[(case, "afterwards /etc/localtime", "-rw-r--r-- 0:0 e3b0c442", f"-rw-r--r-- {BASE_ID}:{BASE_ID} e3b0c442",
       "Better: it belongs to root of the tree, like all that a start makes there.") for case in ("ids fixed, not mapped", "ids on disk*")],
    ("ids picked as owners are asked for", "namespace user", "the host's", "its own",
     "As the manual has it: whoever says how owners become those of a user namespace wants one."),
    *[("ids of a user", f"afterwards {path}", "drwxrwxr-x 0:0", "drwxr-xr-x 0:0", HOME_PARENTS) for path in ("/home", "/home/deep")],

    # Templates
    *[("template*", f"afterwards /made/{name}", "drwxr-xr-x 0:0", "dr-xr-xr-x 0:0", READ_ONLY_PLACES)
      for name in ("dev", "proc", "run", "sys")],
    *[("template*", f"afterwards /made/var/{name}", "drwxr-xr-x 0:0", None, NO_JOURNAL)
      for name in ("log", "log/journal")],
    *[(case, "stderr", "says something", "silent", "Better: asked to be silent, it is. Whether a tree was made is seen by looking.")
      for case in ("template", "template of a tree that is there")],
    ("template and thrown away", "stdout", "execv(/payload) failed: No such file or directory\r\n", "", "Better: the two contradict each other, and it says so."),
    ("template and thrown away", "stderr", "silent", "says something", "The same."),

    # Devices
    *[("*", f"node {path}", None, text, "Newer: file systems in user space.", "fuse")
      for path, text in (("/dev/fuse", "char 600 0:0 10:229"), ("/dev/char/10:229", "-> ../fuse"))],
    ("*", "node /dev/pts/0", "char 620 0:5 136:0", "char 600 0:5 136:0", "Newer: see the mount /dev/pts."),
    ("user on a console", "node /dev/pts/0", "char 620 1000:77 136:0", "char 600 1000:5 136:0",
     "Newer: see the mount /dev/pts; to a group that may do nothing it does not have to be given."),
    ("sizes", "node /proc/kallsyms", "file 444 0:0 0 bytes", "file 0 0:0 0 bytes", KERNEL_SECRETS),

    # /run/host
    *[("run host*", f"node /run/host/{name}", f"file 644 0:0 {size} bytes", f"file 444 0:0 {size} bytes", "Newer: nobody writes it.")
      for name, size in (("container-manager", 15), ("container-uuid", 37))],
    ("run host*", "node /run/host/inaccessible", "directory 755 0:0", "directory 555 0:0", "Newer: nobody writes there."),
    ("run host*", "node /run/host/notify", "socket 755 0:0", "socket 200 0:0", "Newer: one only writes to it, and only root does."),
    ("run host*", "node /run/host/proc-kmsg", None, "fifo 600 0:0", "Newer: the node keeps its name after it was mounted."),
    ("run host*", "node /run/host/proc-sys-kernel-random-boot-id", None, "file 444 0:0 37 bytes", "Newer: the same."),
    ("run host", "node /run/host/incoming", "directory 600 0:0", None, EXCHANGE),
    ("run host booted", "node /run/host/unix-export", None, "directory 755 0:0", "Newer: sockets that the machine offers to the host."),

    # The process
    ("*", "caps filters", "5", "1", "Faster: one filter has all the rules, so each call of the machine goes through one and not five."),
    ("*", "caps inheritable", "all", "the ambient ones", EMPTY_INHERITABLE),
    ("*", "caps pdeathsig", "0", "9", "Safer: a machine does not outlive its supervisor, however that ends."),
    ("*", "keyring", "error 1", "a keyring", FILTER),
    ("*", "keyring description", "", "keyring;N;N;NfN;_ses", FILTER),
    ("*", "variable TERM", "vt220", "dumb", "Newer: what is no terminal of the caller is not called one."),
    ("variables of a terminal", "variable COLORTERM", None, "truecolor", "Newer: the terminal is the caller's."),
    ("variables of a terminal", "variable NO_COLOR", None, "1", "Newer: the wish of who sits at it."),
    ("setenv of what is not there", "variable NOT_THERE", "", None,
     "Better: a variable that the caller does not have is not there inside either, so that defaults apply."),
    *[("user by number", f"variable {name}", "1000", "alice", "Better: programs look this up, and find it only by its name.")
      for name in ("USER", "LOGNAME")],
    *[("user 0", f"variable {name}", "0", "root", "The same.") for name in ("USER", "LOGNAME")],
    ("stub's environment", "stdout", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1\0HOME=/root\0TERM=vt220\0PATH=/usr/local/sbin:/usr/local/bin:"
     "/usr/sbin:/usr/bin:/sbin:/bin\0IMPORTED=from outside\0LC_ALL=C.UTF-8\0PWD=TREE\0", "container=systemd-nspawn\0container_uuid=UUID\0",
     "Safer, and newer: /proc/1/environ shows the machine what it is in, and not the caller's own variables."),

    # Streams and terminals
    *[("console *pipe, terminal: *", f"tty {name}", theirs, ours, PRIVATE_TERMINAL)
      for name, theirs, ours in (("foreground", "-1", "1"), ("name", "", "/dev/pts/0"),
                                 ("opens_tty", "6", "0"), ("tty_session", "-1", "1"))],
    ("said on a terminal, no input for interaction", "stdout", "said\n", "said\r\n",
     "The modes of a terminal are left alone where no input comes from it: several machines may share it for their output."),
    ("console passive, terminal: all", "stdout", "said\r\n", "",
     "Better: passive is for who does not want to see anything, at the end neither."),
    ("console passive, terminal: none", "stdout", "said\n", "", "The same."),
    ("three hotkeys", "stdout", "ready\nContainer NAME terminated by signal KILL.\r\n", "ready\n^]^]^]", QUIET),
    *[(f"SIG* with{word} a kill signal", "stderr", "says something", "silent", QUIET) for word in ("", "out")],
    ("two SIGTERM with a kill signal", "stderr", "says something", "silent", QUIET),
    ("SIGTERM to a booted one", "stdout", "waiting\nsignal 37\n", "waiting\nsignal 15\n",
     "Better: SIGRTMIN+3 means something to systemd alone. Each kind of init gets the signal that it knows, an unknown one SIGTERM."),
    ("no such program", "stdout", "execv(/no/such) failed: No such file or directory\r\n", "", ERRORS),
    ("not executable", "stdout", "execv(/etc/os-release) failed: Permission denied\r\n", "", ERRORS),
    ("a command and nothing", "stdout", "execv(/bin/bash, /bin/bash, /bin/sh) failed: No such file or directory\r\n", "", ERRORS),
    *[(name, "stderr", "silent", "says something", ERRORS) for name in ("no such program", "not executable", "a command and nothing")],

    # Words
    ("directory with dots", "exit", "1", "0", "Newer: a path is simplified before the machine is named after its end."),
    ("directory with dots", "stderr", "says something", "silent", "The same."),
    ("values of a console", "stdout", "autopipe\ninteractive\npassive\npipe\nread-only\n",
     "interactive\nread-only\npassive\npipe\nautopipe\n",
     "In the order in which the manual explains them; nothing reads it but people."),
    *[("a value too many", fact, theirs, ours,
       "Better: what is on or off takes yes or no as well, so that what was said before, or in a file, can be taken back.")
      for fact, theirs, ours in (("exit", "1", "0"), ("stderr", "says something", "silent"))],
    ("setenv of ''", "exit", "1", "0", "Better: an empty value takes back what was said, in every list, and says so."),
    *[(f"chdir to {path}", fact, theirs, ours,
       "Newer: below these there are only the machine's own mounts, refused before anything is made.")
      for path in ("/proc/1", "/sys", "/dev") for fact, theirs, ours in (("exit", "0", "1"), ("stderr", "silent", "says something"))],
    *[("calls of nonsense", fact, theirs, ours, "Safer: a filter with a call misspelt is not the filter that was asked for.")
      for fact, theirs, ours in (("exit", "0", "1"), ("stderr", "silent", "says something"))],

    # The filter of system calls
    *[("calls*", f"call {name}", "not permitted", "reaches the kernel", FILTER)
      for name in ("add_key", "keyctl", "request_key", "landlock_create_ruleset")],
    ("calls with every capability", "call bpf", "not permitted", "reaches the kernel", "Newer: CAP_BPF opens it."),
    *[("calls*", f"call {name}", "unknown", "reaches the kernel", "Newer than the reference's table of calls.", since)
      for name, since in (("cachestat", (6, 5)), ("listmount", (6, 8)), ("statmount", (6, 8)),
                          ("lsm_get_self_attr", (6, 8)), ("mseal", (6, 10)))],
    ("calls*", "call futex_wake", "not permitted", "reaches the kernel", FILTER, (6, 7)),
    ("calls*", "call nfsservctl", "unknown", "not permitted", "It has a number, so it is a known call that nobody here may make."),
]]
