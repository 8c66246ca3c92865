# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command lines with which programs call systemd-nspawn, as these programs write them, in the ways they do it.

What stands for something that is new each time: TREE, the path of the tree, and NAME, its name; WORK, a directory beside it
with what the caller would have there; ARCH, the machine's own architecture.

What nspawn does not know yet is marked with later(): the line is run without it. Who makes it known finds a failing test here,
takes the mark away and looks at what changes in the record.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Later:
    """Words that are refused by name today, and what stands in their place until then."""
    words: tuple
    instead: tuple = ()


def later(*words, instead=()):
    return Later(words, instead)


@dataclasses.dataclass(frozen=True)
class Line:
    words: list
    caller: str = ""
    name: str = ""
    # What stands before systemd-nspawn, and how that itself is called: by name, or by an absolute path.
    before: tuple = ()
    is_absolute: bool = False
    # The line as part of a script for /bin/sh, where LINE stands for it.
    script: str = ""
    env: dict = dataclasses.field(default_factory=dict)
    # None: /dev/null; bytes: a pipe with that; a dict: a terminal, and which of the streams are something else.
    stdin: object = None
    files: dict = dataclasses.field(default_factory=dict)
    # A settings file of the machine, where an administrator has it or, untrusted, beside the tree.
    settings: str = ""
    settings_beside: str = ""
    # What the program in the tree tells, and how it ends.
    asks: str = "argv env ids caps fds tty mounts system namespaces stderr"
    exits: int = 0
    cwd: str = "/"
    # The line does something else than start a machine.
    starts: bool = True
    # Compared with what the reference does, unless there is a reason not to.
    why_not_compared: str = ""

    def run_words(self):
        """The words that nspawn knows today."""
        found = []
        for word in self.words:
            found += word.instead if isinstance(word, Later) else [word]
        return found

    def not_yet(self):
        return [list(word.words) for word in self.words if isinstance(word, Later)]


PROGRAMS = {f"{path}=": "/payload" for path in ("bin/sh", "bin/bash", "usr/bin/env", "usr/bin/pacman", "chrootbuild", "init",
                                                "sbin/init", "builder/run", "srv/build.sh")}
USERS = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:135:Builder:/build:/bin/sh\n",
         "etc/group": "root:x:0:\nmock:x:135:\nwheel:x:10:builder\n"}
DIRECTORIES = {"tmp/": 0o1777, "root/": 0o700, **{f"{name}/": 0o755 for name in (
    "dev", "proc", "run", "sys", "var", "build", "srcdest", "startdir")}}
FILES = {**PROGRAMS, **USERS, **DIRECTORIES}

NO_BUS = "it asks for a machine manager, which the reference cannot do without"
NEWER = "the reference does not know an option of it"
LINES = {}


def line(caller, name, *words, **more):
    LINES[caller, name] = Line(list(words), caller, name, **more)


# mock, the builder of rpm packages. Its own environment says: no seccomp, no tmpfs on /tmp.
MOCK = {"SYSTEMD_NSPAWN_TMPFS_TMP": "0", "SYSTEMD_SECCOMP": "0"}
MOCK_VARIABLES = ["--setenv=TERM=vt100", "--setenv=SHELL=/bin/bash", "--setenv=HOME=/builddir", "--setenv=HOSTNAME=mock",
                  "--setenv=PATH=/usr/bin:/bin:/usr/sbin:/sbin", '--setenv=PROMPT_COMMAND=printf "\\033]0;<mock-chroot>\\007"',
                  "--setenv=PS1=<mock-chroot> \\s-\\v\\$ ", "--setenv=LANG=C.UTF-8"]
line("mock", "build as a user by name", "-q", "-M", "9c1d2f0f7a6b4c3d8e5f0a1b2c3d4e5f", "-D", "TREE", "-a", "-u", "builder",
     "--capability=cap_ipc_lock", "--bind=WORK/dev/loop-control:/dev/loop-control", "--bind=WORK/dev/btrfs-control:/dev/btrfs-control",
     "--resolv-conf=off", "--bind=WORK/resolv.conf:/etc/resolv.conf", "--suppress-sync=yes", "--private-network", "--console=pipe",
     "--chdir=/build", *MOCK_VARIABLES, "/bin/bash", "--login", "-c", "/usr/bin/rpmbuild -bb --noclean --target noarch x.spec",
     is_absolute=True, env=MOCK)
line("mock", "root, with what plugins add", "-q", "-M", "9c1d2f0f7a6b4c3d8e5f0a1b2c3d4e5f", "-D", "TREE", "-a",
     "--capability=cap_ipc_lock", "--ephemeral", "--bind", "WORK/results", "--property=DeviceAllow=/dev/loop-control rwm",
     "--property=MemoryMax=1G", "--console=pipe", *MOCK_VARIABLES, "/bin/bash", "--login", "-c", "dnf install", is_absolute=True,
     env=MOCK, exits=30, files={**FILES, "proc/filesystems": "made by the builder\n", "dev/null": "a file\n"})
line("mock", "user by number", "-q", "-M", "9c1d2f0f7a6b4c3d8e5f0a1b2c3d4e5f", "-D", "TREE", "-a", "-u", "1000", "--console=pipe",
     "--setenv=HOME=/builddir", "/bin/sh", is_absolute=True, env=MOCK)

# devtools of Arch: arch-nspawn, and makechrootpkg with options of its own after the fixed ones.
ARCH = ["--quiet", "--directory=TREE", "--setenv=PATH=/usr/local/sbin:/usr/local/bin:/usr/bin", "--register=no", "--slice=devtools-builder",
        "--machine=arch-nspawn-4711", "--as-pid2", "--console=autopipe", "--timezone=off", "--bind=WORK/cache",
        "--bind-ro=WORK/pool\\:2"]
line("devtools", "arch-nspawn", *ARCH, "pacman", "-Syu", "--noconfirm", before=("setarch", "ARCH"),
     env={"SYSTEMD_TINT_BACKGROUND": "no"}, exits=1)
line("devtools", "arch-nspawn on a terminal", *ARCH, "pacman", "-Syu", before=("setarch", "ARCH"),
     env={"SYSTEMD_TINT_BACKGROUND": "no"}, stdin={})
line("devtools", "makechrootpkg for another architecture", *ARCH, "--bind=WORK/src:/startdir", "--bind=WORK/src\\:2:/srcdest",
     "--tmpfs=/tmp:mode=1777,strictatime,nodev,nosuid,size=50%", "--user=builder", "--chdir=/build", "/chrootbuild", "--syncdeps",
     "--noconfirm", "-f", before=("setarch", "i686"))

# mkosi, the releases of 2024 to 2026.
line("mkosi", "shell", "--quiet", "--link-journal=no", "--suppress-sync=yes", "--resolv-conf=auto", "--settings=trusted",
     "--rlimit=RLIMIT_CORE=0:0", "--console=autopipe", "--machine", "NAME", "--register", "no",
     "--load-credential=agetty.autologin:WORK/credential", "--directory", "TREE",
     "--bind", "WORK/src:/work/src:norbind,rootidmap",
     "--bind-user", "daemon", "--bind-user-group=wheel", "--setenv", "SRCDIR=/work/src", "--", "env", "--", "-x",
     settings_beside="[Exec]\nHostname=from-the-file\nCapability=CAP_NET_ADMIN\nEnvironment=OVERRULED=yes\n", why_not_compared=NEWER)
line("mkosi", "boot", "--quiet", "--link-journal=no", "--suppress-sync=yes", "--private-network", "--network-veth",
     "--settings=trusted", "--boot", "--machine", "NAME", "--register", "yes",
     "--load-credential=agetty.autologin:WORK/credential", "--directory", "TREE",
     "--bind", "WORK/src:/work/src:norbind,noidmap",
     "--forward-journal", "WORK/journal", "systemd.unit=multi-user.target", "systemd.wants=ssh.service", "console=hvc0", why_not_compared=NO_BUS)
line("mkosi", "image", later("--image", "WORK/image.raw", instead=("--directory", "TREE")), "--quiet", "--register", "no",
     "--link-journal=no", "--suppress-sync=yes", "--console=autopipe", "--", "env")

# The release of mkosi that Debian 12 has; test_clients.py runs the program itself.
line("mkosi-14", "workspace", "--quiet", "--directory=TREE", "--machine=mkosi-0123456789abcdef0123456789abcdef", "--as-pid2",
     "--link-journal=no", "--register=no", "--bind=WORK/cache:/var/tmp", "--setenv=SYSTEMD_OFFLINE=1", "--rlimit=RLIMIT_CORE=0:0",
     "--bind-ro=/etc/resolv.conf", "--setenv=A=1", "--console=pipe", "--", "env", "bootctl", "install")
line("mkosi-14", "build script", "--quiet", "--directory=TREE", "--machine=mkosi-0123456789abcdef0123456789abcdef", "--as-pid2",
     "--link-journal=no", "--register=no", "--bind=WORK/dest:/root/dest:rootidmap",
     "--setenv=WITH_DOCS=1", "--setenv=DESTDIR=/root/dest", "--rlimit=RLIMIT_CORE=0:0", "--console=pipe", "--setenv=SRCDIR=/root/src",
     "--chdir=/root/src", "--bind=WORK/src:/root/src:rootidmap",
     "--overlay=+/root/src::/root/src", "--private-network", "--keep-unit", "/srv/build.sh", exits=3)
line("mkosi-14", "shell", "--quiet", "--directory=TREE", "--rlimit=RLIMIT_CORE=0:0", "--console=interactive", "--network-veth",
     "--ephemeral", "--machine", "NAME", "--keep-unit", "--bind=WORK/src:/root/src", "--chdir=/root/src", "--", "sh", stdin={})

# The containers module of NixOS. A release and an id that are empty are what such a tree has.
NIXOS = {"etc/os-release": "", "etc/machine-id": "", "nix/store/": None}
line("nixos", "container", "--keep-unit", "-M", "NAME", "-D", "TREE", "--private-network", "--private-users=pick",
     "--network-veth", "--port=tcp:8080:80", "--network-bridge=br0", "--network-veth-extra=a:b",
     "--network-interface=x0", "--network-macvlan=x1", "--personality=x86", "--notify-ready=yes", "--kill-signal=SIGRTMIN+3",
     "--bind-ro=WORK/store:/nix/store:idmap",
     "--link-journal=try-guest", "--setenv", "PRIVATE_NETWORK=1", "--setenv", "LOCAL_ADDRESS=10.0.0.2", "--ephemeral",
     "--capability=CAP_NET_ADMIN,CAP_SYS_TTY_CONFIG", "--tmpfs=/var/cache:mode=755", "/init", "/nix/var/nix/profiles/system/init",
     env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}, files={**FILES, **NIXOS})
line("nixos", "test driver", "--private-network", "--machine=NAME", "--bind-ro=WORK/store:/nix/store", "--keep-unit", "--register=no",
     "--notify-ready=yes", "--load-credential=a:WORK/credential", "--directory=TREE",
     "--network-namespace-path=WORK/netns", "--bind=WORK/shared:/tmp/shared", "/init", "one", "two words",
     stdin=b"", files={**FILES, **NIXOS})

# nixos-nspawn and others that live in settings files.
UNIT_FILE = """[Exec]
Boot=false
Parameters=/init from "the file"
KillSignal=SIGRTMIN+3
Timezone=off
Environment=FILE=1

[Files]
BindReadOnly=WORK/store:/nix/store

[Network]
Private=yes
"""
line("nixos-nspawn", "unit", "--quiet", "--keep-unit", "--boot", "--network-veth", "--settings=override", "--machine=NAME",
     files={**FILES, **NIXOS}, settings=UNIT_FILE)
line("unit-file", "start", "--quiet", "--keep-unit", "--boot", "--link-journal=try-guest", "--network-veth", "-U",
     "--settings=override", "--machine=NAME", env={"SYSTEMD_LOG_LEVEL": "info"},
     settings_beside="[Exec]\nCapability=CAP_SYS_MODULE\n[Files]\nBind=WORK/store\n")
line("unit-file", "after the end", "--cleanup", "--machine=NAME", starts=False, why_not_compared=NEWER)

# nspawn-runner for GitLab.
RUNNER = ["--quiet", "--machine=run-17", "--boot", "--notify-ready=yes", "--suppress-sync=yes"]
line("nspawn-runner", "boot over another tree", *RUNNER, "--directory=TREE", "--overlay=TREE:WORK/delta:/")
line("nspawn-runner", "boot and throw away", *RUNNER, "--directory=TREE", "--ephemeral")
line("nspawn-runner", "boot in memory", *RUNNER, "--directory=TREE", "--volatile=overlay", "--read-only")
line("nspawn-runner", "wrapper", "--console=pipe", "-qD", "TREE", "--", "sh", "-c", "exit 9", exits=9, stdin=b"input of the job\n",
     asks="argv env fds tty input stderr")

line("ciel", "boot", "-qb", "--capability=CAP_IPC_LOCK", "--system-call-filter=swapcontext", "-D", "TREE", "-M", "NAME", "--",
     env={"SYSTEMD_NSPAWN_TMPFS_TMP": "0"})

line("nomad", "command", "-D", "TREE", "--ephemeral", "--network-veth",
     "--as-pid2", "--read-only", "--private-users=pick", "--private-users-ownership=auto", "--console=read-only",
     "--machine", "NAME", "--resolv-conf", "off", "--user", "builder", "--volatile=state",
     "--chdir", "/build", "--bind", "WORK/src:/srcdest", "--bind-ro", "WORK/store:/mnt/store", "-E", "NOMAD_TASK=web", "-E", "EMPTY=",
     "-p", "8080:80", "--property=CPUWeight=100", "--capability", "CAP_NET_ADMIN,CAP_IPC_LOCK",
     "--network-zone=nomad", "sh", "-c", "serve", files={**FILES, "mnt/store/": None},
     why_not_compared="the reference cannot map an ephemeral, volatile tree: Device or resource busy")
line("nomad", "image", later("-i", "WORK/image.raw", instead=("-D", "TREE")), "--boot", "--console=pipe", "--machine", "NAME")

line("packer", "provisioner", "-M", "NAME", "-U", "/bin/sh", "-c", "echo provisioned", is_absolute=True, exits=4)

line("ansible", "chroot style", "-D", "TREE", "--pipe", "sh", "-c", "echo ~ && sleep 0", stdin=b"module source\n",
     asks="argv env fds tty input stderr")

line("chaotic-aur", "script", "-M", "NAME", "-u", "root", "--pipe", "--suppress-sync=true", "--capability=CAP_IPC_LOCK,CAP_SYS_NICE",
     "--bind-ro=/etc/hosts:/etc/hosts", "-D", "NAME", "/srv/build.sh", "one", "two", cwd="BESIDE")

SDM = {"SYSTEMD_COLORS": "false"}
line("sdm", "pipe", "-q", "--directory=TREE", "--setenv=SDMPT=", "--setenv=SDMNSPAWN=Phase1", "--console", "pipe",
     "sh", "-c", "phase1", env=SDM, exits=127)
line("sdm", "interactive", "-q", "--directory=TREE", "--setenv=SDMPT=1", "--console", "interactive", "sh", env=SDM, stdin={})

line("qubes", "builder", "--directory=TREE", "--bind=WORK/src:/srcdest", "--keep-unit", "--register=no", "--user=builder",
     "--setenv=HTTP_PROXY=http://127.0.0.1:8082/", "--chdir=/build", "sh", "-c", "makepkg --syncdeps", exits=13)

line("openhabian", "script", "--directory=TREE", "/srv/build.sh")

line("osbuild", "runner", "--quiet", "--register=no", "--keep-unit", "--as-pid2", "--link-journal=no", "--capability=CAP_MAC_ADMIN",
     "--directory=TREE", "--setenv=PATH=/usr/sbin:/usr/bin", "--bind-ro=WORK/store:/run/osbuild/tree", "--bind=WORK/shared:/run/osbuild/api",
     "/builder/run", "/run/osbuild/api/stage")
line("osbuild", "runner through pipes", "--quiet", "--register=no", "--keep-unit", "--as-pid2", "--link-journal=no", "--console=pipe",
     "--capability=CAP_MAC_ADMIN", "--directory=TREE", "--bind-ro=WORK/store:/run/osbuild/tree", "/builder/run", stdin=b'{"args": {}}\n',
     asks="argv env fds tty input caps")

line("obs-build", "build", "-D", "TREE", "-M", "obsbuild.some-root", "--private-network", "--pipe", "/srv/build.sh", exits=2)

# What debspawn allows a package to have; test_clients.py runs the program itself.
line("debspawn", "build", "-M", "NAME", "--register=no", "-a", "--system-call-filter", "@memlock @pkey @clock @cpu-emulation", "-E",
     "DEB_BUILD_OPTIONS=parallel=2", "--chdir=/srv", "--link-journal=no", "--bind=WORK/cache:/var/cache/apt/archives/",
     "--bind=WORK/src:/srv/build/", "-u", "builder", "--private-network", "-qD", "TREE", "/srv/build.sh", "--build", "full")
line("debspawn", "everything allowed", "-M", "NAME", "--register=no", "-a", "-U", "--bind", "/dev", "--console=pipe",
     "--property=DeviceAllow=block-* rw", "--property=DeviceAllow=char-* rw", "--bind-ro", "WORK/modules/", "--capability",
     "CAP_SYS_RAWIO,CAP_NET_ADMIN", "--chdir=/srv", "--link-journal=no", "-D", "TREE", "/srv/build.sh", asks="argv env ids caps fds tty system")

# Scripts of many.
line("scripts", "vectis worker", "--directory=TREE", "--as-pid2", "env", "A=B", "sh", "-euc", "true")
line("scripts", "notify and register", "--notify-ready=yes", "--register=yes", "--bind-ro=/etc/resolv.conf", "-D", "TREE", "sh",
     why_not_compared=NO_BUS)
line("scripts", "all devices", "--console=pipe", "-q", "--bind=/dev", "--capability=all", "--property=DeviceAllow=block-* rwm", "-D",
     "TREE", "sh", asks="argv env ids caps fds tty system")
line("scripts", "a here-document", "-q", "--console=pipe", "-D", "TREE", "/bin/sh", "-s", "one",
     script="LINE <<EOF\nset -e\napt-get install $((6 * 7))\nEOF\n", asks="argv env fds tty input")
line("scripts", "a password on standard input", "--console=pipe", "-q", "-D", "TREE", "sh", "-c", "chpasswd",
     script="printf 'root:%s\\n' 'se cret' | LINE | cat", asks="argv fds tty input")
line("scripts", "one device in place of another", "-q", "--bind", "/dev/urandom:/dev/random", "-D", "TREE", "sh")
line("scripts", "resolv.conf of the host", "-q", "-D", "TREE", "--resolv-conf=replace-host", "sh", asks="argv mounts")
line("scripts", "resolv.conf of the stub", "-q", "-D", "TREE", "--resolv-conf=replace-stub", "sh", asks="argv mounts")
line("scripts", "without settings and colours", "-q", "-D", "TREE", "--settings=false", "--background=", "sh", stdin={},
     settings="[Exec]\nEnvironment=FROM_FILE=yes\n", why_not_compared=NEWER)
line("scripts", "a graphical session", "-q", "-D", "TREE", "--bind=WORK/socket:/run/user/1000/wayland-0",
     "--bind-ro=WORK/socket:/tmp/.X11-unix/X0", "--bind=WORK/dev/card0:/dev/dri/card0", "--property=DeviceAllow=/dev/dri rw", "--user=builder",
     "--setenv=XDG_RUNTIME_DIR=/run/user/1000", "--setenv=WAYLAND_DISPLAY=wayland-0", "sh")

line("harness", "test", "--register=no", "--kill-signal=SIGKILL", "--directory=TREE", "--setenv=TEST_UNIT=1", "--machine=TEST-4", "/init",
     "systemd.unit=testsuite.target", before=("timeout", "--foreground", "20"), script="LINE 2>/dev/null | tee /dev/null", stdin={})
