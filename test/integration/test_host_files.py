# SPDX-License-Identifier: LGPL-2.1-or-later
"""resolv.conf and the time zone: each mode, on each kind of file that may be there."""
import os
import pathlib

import pytest

pytestmark = pytest.mark.requires("root")

HOST = pathlib.Path("/etc/resolv.conf")


def start(run, root, *options):
    result = run("-q", "-P", "-D", root, *options, "/payload", "read", "/etc/resolv.conf")
    assert result.code == 0, result
    return result


@pytest.fixture
def host_text():
    if not HOST.exists():
        pytest.skip("this host has no /etc/resolv.conf")
    return HOST.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["auto", "yes", "copy-host", "replace-host"])
def test_the_file_is_made_like_the_hosts(tree, run, host_text, mode):
    root = tree()
    assert start(run, root, f"--resolv-conf={mode}").text == host_text
    path = root / "etc/resolv.conf"
    assert path.read_text(encoding="utf-8") == host_text
    assert (path.stat().st_mode & 0o7777, path.stat().st_uid) == (0o644, 0)


def test_a_bind_leaves_the_tree_alone(tree, run, host_text):
    root = tree({"etc/resolv.conf": "own\n"})
    assert start(run, root, "--resolv-conf=bind-host").text == host_text
    assert (root / "etc/resolv.conf").read_text() == "own\n"


def test_a_bind_makes_an_empty_file_where_there_is_none(tree, run, host_text):
    root = tree()
    assert start(run, root, "--resolv-conf=bind-host").text == host_text
    assert (root / "etc/resolv.conf").read_text() == ""


@pytest.mark.parametrize("mode", ["off", "no", "false"])
def test_off_touches_nothing(tree, run, mode):
    root = tree({"etc/resolv.conf": "own\n"})
    assert start(run, root, f"--resolv-conf={mode}").text == "own\n"
    bare = tree()
    start(run, bare, f"--resolv-conf={mode}")
    assert not os.path.lexists(bare / "etc/resolv.conf")


def test_a_copy_does_not_follow_a_link(tree, run):
    root = tree({"etc/resolv.conf=": "../run/other/resolv.conf"})
    start(run, root, "--resolv-conf=copy-host")
    assert os.readlink(root / "etc/resolv.conf") == "../run/other/resolv.conf"


def test_a_replacement_replaces_a_link(tree, run, host_text):
    root = tree({"etc/resolv.conf=": "../run/other/resolv.conf"})
    start(run, root, "--resolv-conf=replace-host")
    assert not (root / "etc/resolv.conf").is_symlink()
    assert (root / "etc/resolv.conf").read_text(encoding="utf-8") == host_text


def test_deletion(tree, run):
    root = tree({"etc/resolv.conf": "own\n"})
    start(run, root, "--resolv-conf=delete")
    assert not os.path.lexists(root / "etc/resolv.conf")


def test_a_network_of_its_own_keeps_its_own_resolver(tree, run):
    root = tree({"etc/resolv.conf": "own\n"})
    assert start(run, root, "--private-network").text == "own\n"


def test_a_read_only_tree_gets_a_bind(tree, run, host_text):
    root = tree({"etc/resolv.conf": "own\n", **{f"{name}/": None for name in ("var", "proc", "sys", "dev", "run", "tmp", "root")}})
    assert start(run, root, "--read-only").text == host_text
    assert (root / "etc/resolv.conf").read_text() == "own\n"


@pytest.mark.parametrize("mode", ["copy-stub", "copy-uplink", "copy-static", "bind-stub", "replace-uplink"])
def test_a_source_the_host_lacks_is_no_failure(tree, run, mode):
    root = tree({"etc/resolv.conf": "own\n"})
    result = run("-P", "-D", root, f"--resolv-conf={mode}", "/payload", "exit", "3")
    assert result.code == 3


def zone(run, root, *options):
    result = run("-q", "-P", "-D", root, *options, "/payload", "stat", "/etc/localtime")
    return result.json["/etc/localtime"]


def test_zone_off(tree, run):
    root = tree({"etc/localtime": "own"})
    assert zone(run, root, "--timezone=off")["size"] == 3
    assert zone(run, tree(), "--timezone=off") == {"errno": 2}


@pytest.mark.skipif(not os.path.exists("/etc/localtime"), reason="this host has no time zone")
def test_zone_copy(tree, run):
    root = tree()
    found = zone(run, root, "--timezone=copy")
    assert (found["type"], found["size"]) == ("file", os.stat("/etc/localtime").st_size)
    assert (root / "etc/localtime").read_bytes() == pathlib.Path("/etc/localtime").read_bytes()


@pytest.mark.skipif(not os.path.islink("/etc/localtime"), reason="this host's time zone is no link")
def test_zone_link(tree, run):
    name = os.path.realpath("/etc/localtime").rpartition("/zoneinfo/")[2]
    named = os.readlink("/etc/localtime").rpartition("/zoneinfo/")[2]
    entries = {f"usr/share/zoneinfo/{each}": "TZif" for each in (name, named)}
    root = tree(entries)
    zone(run, root, "--timezone=symlink")
    assert os.readlink(root / "etc/localtime") == f"../usr/share/zoneinfo/{named}"


@pytest.mark.skipif(not os.path.exists("/etc/localtime"), reason="this host has no time zone")
def test_zone_bind(tree, run):
    root = tree({"etc/localtime": "own"})
    assert zone(run, root, "--timezone=bind")["size"] == os.stat("/etc/localtime").st_size
    assert (root / "etc/localtime").read_text() == "own"


def test_zone_deletion(tree, run):
    root = tree({"etc/localtime": "own"})
    assert zone(run, root, "--timezone=delete") == {"errno": 2}


@pytest.mark.parametrize("option", ["--resolv-conf", "--timezone"])
@pytest.mark.parametrize("junk", ["", "copy-", "hosts", "copy-host ", "1x"])
def test_unknown_modes_are_refused(tree, run, option, junk):
    result = run("-q", "-D", tree(), f"{option}={junk}", "/payload", "exit", "0")
    assert result.code == 1 and result.complaint


@pytest.mark.parametrize("option, word", [("--resolv-conf", "replace-stub"), ("--timezone", "symlink")])
def test_help_lists_the_modes(run, option, word):
    result = run(f"{option}=help")
    assert result.code == 0 and word in result.text


def test_the_machine_id_is_never_written(tree, run):
    root = tree({"etc/machine-id": ""})
    assert run("-q", "-P", "-D", root, "/payload", "exit", "0").code == 0
    assert (root / "etc/machine-id").read_text() == ""
