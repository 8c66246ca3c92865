# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of Debian 12 themselves, and not a copy of their words: what of mkosi, debspawn and obs-build calls systemd-nspawn.

Nothing is installed: these parts need nothing else of their packages, which are unpacked into a directory.
"""
import json
import os
import pathlib
import subprocess
import sys
import types

import pytest

from lab import run as lab_run
from lab.tree import fill

pytestmark = [pytest.mark.requires("root", "mirror", "netns"),
              # What those programs are warned of is theirs.
              pytest.mark.filterwarnings("ignore::DeprecationWarning")]
RELEASES = {"mkosi": "14-", "debspawn": "0.6.", "obs-build": "2021", "python3-tomlkit": ""}
NEEDED = {"mkosi": [], "debspawn": ["python3-tomlkit"]}
IMPORTED = "usr/lib/python3/dist-packages"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory):
    """The directory of a package's files, or the reason for a skip: another release of Debian has others."""
    known = {}

    def unpack(package):
        if package not in known:
            place = tmp_path_factory.mktemp(package)
            # The sandbox of apt has no way into the directories of tests.
            done = subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", package], cwd=place, capture_output=True,
                                  text=True, check=False)
            found = list(place.glob("*.deb"))
            known[package] = place if found else done.stderr
            if found:
                subprocess.run(["dpkg-deb", "-x", found[0], place], check=True)
                known[package] = place if found[0].name.startswith(f"{package}_{RELEASES[package]}") else f"it is {found[0].name}"
        if not isinstance(known[package], pathlib.Path):
            pytest.skip(f"{package} of Debian 12 is not to be had: {known[package]}")
        return known[package]

    return unpack


@pytest.fixture
def on_this_host(monkeypatch, search_path):
    """Our own environment is that of a caller, for programs that we import."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in lab_run.environment(search_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def module(unpacked, monkeypatch, on_this_host):
    """Imports a module of a package; its modules are forgotten afterwards."""
    before = set(sys.modules)

    def load(package, name):
        for part in [*NEEDED[package], package]:
            monkeypatch.syspath_prepend(str(unpacked(part) / IMPORTED))
        try:
            return __import__(name, fromlist=["_"])
        except ImportError as error:
            pytest.skip(f"{name} needs more: {error}")

    yield load
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("mkosi", "debspawn", "tomlkit"):
            del sys.modules[name]


@pytest.fixture
def reporting(tree):
    """A tree whose programs tell what they were called with."""

    def make(exits=0, **entries):
        return tree({**{f"{name}/": None for name in ("dev", "proc", "run", "sys", "var", "tmp", "root")}, "usr/bin/env=": "/payload",
                     "usr/bin/build=": "/payload", "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", **entries,
                     "payload.report": f"argv env system mounts ids caps limits fds exit={exits}"})

    return make


def test_mkosi_probes(module):
    backend = module("mkosi", "mkosi.backend")
    assert backend.nspawn_version() >= 252
    assert all(backend.nspawn_knows_arg(option) for option in ("--rlimit", "--console=pipe", "--console=interactive"))
    assert not backend.nspawn_knows_arg("--no-such-option")
    assert backend.nspawn_rlimit_params()[0].startswith("--rlimit=RLIMIT_CORE=")


def test_mkosi_runs_a_command_in_its_workspace(module, reporting, work):
    """The line of every script and tool that mkosi runs in the tree it makes."""
    backend = module("mkosi", "mkosi.backend")
    root = reporting()
    config = types.SimpleNamespace(usr_only=False, nspawn_keep_unit=False)
    state = types.SimpleNamespace(root=root, var_tmp=lambda: work / "cache", config=config)
    done = backend.run_workspace_command(state, ["env", "--a", "two words"], env={"A": "b c"}, capture_stdout=True)
    inside = json.loads(done.stdout)
    assert inside["argv"] == ["env", "--a", "two words"]
    assert {"A=b c", "SYSTEMD_OFFLINE=1"} < set(inside["env"]) and inside["system"]["hostname"].startswith("mkosi-")
    assert "/var/tmp" in {mount["target"] for mount in inside["mounts"]}


def test_mkosi_hears_of_a_failure(module, reporting, work):
    backend = module("mkosi", "mkosi.backend")
    config = types.SimpleNamespace(usr_only=False, nspawn_keep_unit=True)
    state = types.SimpleNamespace(root=reporting(exits=9), var_tmp=lambda: work / "cache", config=config)
    with pytest.raises(backend.MkosiException, match="exit code 9"):
        backend.run_workspace_command(state, ["env"], network=True, capture_stdout=True)


def test_mkosi_runs_a_shell(module, reporting, work):
    """The words that it makes for 'mkosi shell', in its own order."""
    mkosi = module("mkosi", "mkosi")
    root = reporting(exits=5)
    config = types.SimpleNamespace(
        output_format=mkosi.OutputFormat.directory, output=root, nspawn_settings=None, verb=mkosi.Verb.shell, netdev=False,
        ephemeral=False, nspawn_keep_unit=False, source_file_transfer_final=mkosi.SourceFileTransfer.mount, build_sources=work / "src",
        cmdline=["build", "-x"], hostname=None, image_id="an-image", kernel_command_line=[])
    words = mkosi.run_shell_setup(config, pipe=True)
    assert words[0] == "systemd-nspawn" and "--console=pipe" in words and words[-3:] == ["--", "build", "-x"]
    done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    inside = json.loads(done.stdout)
    assert (done.returncode, done.stderr, inside["argv"]) == (5, b"", ["build", "-x"])
    assert inside["system"]["cwd"] == "/root/src" and inside["system"]["hostname"] == "an-image"


@pytest.fixture
def debspawn(module):
    """Its module for nspawn. What it does to its own terminal and what it says is not looked at."""
    return module("debspawn", "debspawn.nspawn")


def test_debspawn_reads_the_version(debspawn):
    assert debspawn.systemd_version() >= 250 and debspawn.systemd_version_atleast(244)


def run_debspawn(debspawn, root, capfd, **more):
    config = types.SimpleNamespace(allow_unsafe_perms=True)
    base = types.SimpleNamespace(global_config=config, arch="amd64", cache_packages=False)
    code = debspawn.nspawn_run_persist(base, root, "debspawn-test", "/usr", ["/usr/bin/build", "--full"], **more)
    return code, capfd.readouterr()


def test_debspawn_builds(debspawn, reporting, work, capfd):
    root = reporting(exits=3)
    code, said = run_debspawn(debspawn, root, capfd, flags=[f"--bind={work}/src:/srv/build/", "--private-network", "--console=pipe"],
                              env_vars={"DEB_BUILD_OPTIONS": "nocheck parallel=2"},
                              syscall_filter=["@memlock", "@pkey", "@clock", "@cpu-emulation"])
    inside = json.loads(next(line for line in said.out.splitlines() if line.startswith("{")))
    assert code == 3 and said.err == ""
    assert inside["argv"] == ["/usr/bin/build", "--full"] and inside["system"]["cwd"] == "/usr"
    assert "DEB_BUILD_OPTIONS=nocheck parallel=2" in inside["env"] and inside["system"]["hostname"] == "debspawn-test"
    assert "/srv/build" in {mount["target"] for mount in inside["mounts"]}


def test_debspawn_with_everything_allowed(debspawn, reporting, capfd):
    code, said = run_debspawn(debspawn, reporting(), capfd, allowed=["full-dev", "cap_ipc_lock", "CAP_NET_ADMIN"], flags=[])
    inside = json.loads(next(line for line in said.out.splitlines() if line.startswith("{")))
    assert code == 0 and inside["caps"]["bounding"] >> 14 & 1 and inside["caps"]["bounding"] >> 12 & 1


def test_obs_build_builds(unpacked, search_path, reporting, tmp_path):
    """Its functions for nspawn, called as its main script does."""
    functions = unpacked("obs-build") / "usr/lib/obs-build/build-vm-nspawn"
    root = reporting(exits=6)
    script = fill(tmp_path, {"script": """
        cleanup_and_exit() { echo "status $1" >&2; exit "$1"; }
        . "$1"; BUILD_ROOT=$2 vm_init_script=/usr/bin/build RUN_SHELL=
        vm_verify_options_nspawn; vm_startup_nspawn"""}) / "script"
    done = subprocess.run(["/bin/bash", script, functions, root], env=lab_run.environment(search_path), capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)
    inside = json.loads(done.stdout)
    assert done.returncode == 6 and b"status 6" in done.stderr and inside["argv"] == ["/usr/bin/build"]
    assert inside["system"]["hostname"] == f"obsbuild.{root.name}" and inside["fds"]["1"].startswith("pipe:")
