# SPDX-License-Identifier: LGPL-2.1-or-later
"""--bind, --bind-ro, --tmpfs and --inaccessible."""
import glob
import os
import socket

import pytest

from lab import identity

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def source(tmp_path):
    """A directory of the host with a file in it, and a colon in the name of another."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/file").write_text("of the host\n")
    (tmp_path / "co:lon").mkdir()
    (tmp_path / "co:lon/file").write_text("colon\n")
    identity.give(tmp_path)
    return tmp_path


def mounted(answer, target):
    return [mount for mount in answer["mounts"] if mount["target"] == target][-1]


def test_a_directory_at_another_place(tree, do, source):
    root = tree()
    result = do(root, "read", "/made/for/it/file", options=[f"--bind={source}/dir:/made/for/it"])
    assert result.text == "of the host\n"
    assert (root / "made/for").stat().st_mode & 0o777 == 0o755


def test_a_directory_at_the_same_place(tree, do, source):
    assert do(tree(), "read", f"{source}/dir/file", options=[f"--bind={source}/dir"]).text == "of the host\n"


def test_the_two_word_spelling(tree, do, source):
    assert do(tree(), "read", "/x/file", options=["--bind", f"{source}/dir:/x"]).text == "of the host\n"


def test_a_file_onto_a_new_and_an_old_file(tree, do, source):
    root = tree({"etc/old": "own"})
    for target in ("/etc/old", "/new/place"):
        assert do(root, "read", target, options=[f"--bind={source}/dir/file:{target}"]).text == "of the host\n"
    assert (root / "etc/old").read_text() == "own"
    assert (root / "new/place").is_file()


def test_a_bind_can_be_written(tree, do, source):
    assert do(tree(), "write", "/x/new", "text", options=[f"--bind={source}/dir:/x{identity.MAPPED}"]).json["errno"] == 0
    assert (source / "dir/new").read_text() == "text"


def test_a_read_only_bind_cannot(tree, do, source):
    assert do(tree(), "write", "/x/new", "text", options=[f"--bind-ro={source}/dir:/x"]).json["errno"] == 30
    assert not (source / "dir/new").exists()


def test_a_read_only_bind_is_so_all_the_way_down(tree, do, source):
    (source / "dir/sub").mkdir()
    os.system(f"mount -t tmpfs below {source}/dir/sub")
    try:
        options = [f"--bind-ro={source}/dir:/x"]
        assert do(tree(), "write", "/x/sub/new", "text", options=options).json["errno"] == 30
        assert do(tree(), "write", "/x/sub/new", "text", options=[f"--bind={source}/dir:/x"]).json["errno"] == 0
        # Who may not unmount it may not leave it out either (mount_namespaces(7)).
        if not identity.IS_USER:
            assert do(tree(), "stat", "/x/sub/new", options=[f"--bind={source}/dir:/x:norbind"]).json["/x/sub/new"] == {"errno": 2}
        assert do(tree(), "stat", "/x/sub/new", options=[f"--bind={source}/dir:/x:rbind"]).json["/x/sub/new"]["size"] == 4
    finally:
        os.system(f"umount {source}/dir/sub")


def test_escapes_in_both_fields(tree, do, source):
    escaped = str(source / "co:lon").replace(":", "\\:")
    assert do(tree(), "read", "/y:z/file", options=[f"--bind={escaped}:/y\\:z"]).text == "colon\n"


def test_a_relative_source(tree, run, source):
    result = run("-q", "-P", "-D", tree(), "--bind=dir:/x", "/payload", "read", "/x/file", cwd=source)
    assert result.text == "of the host\n"


def test_a_source_in_the_tree_itself(tree, do):
    root = tree({"opt/inside": "own\n"})
    assert do(root, "read", "/x/inside", options=["--bind=+/opt:/x"]).text == "own\n"


def test_a_source_in_the_tree_does_not_leave_it(tree, do, source):
    """A link in the tree is the tree's: it is resolved as the machine itself would."""
    root = tree({"opt=": str(source / "dir")})
    result = do(root, "read", "/x/file", options=["--bind=+/opt:/x"])
    assert "of the host" not in result.text


def test_an_empty_source_is_a_directory_to_throw_away(tree, do):
    root = tree()
    assert do(root, "write", "/scratch/x", "text", options=["--bind=:/scratch"]).json["errno"] == 0
    assert list((root / "scratch").iterdir()) == []
    assert glob.glob("/var/tmp/nspawn*") == []


def test_later_mounts_lie_on_their_parents(tree, do, source):
    """The order on the command line does not matter: parents come first."""
    root = tree()
    options = [f"--bind={source}/dir:/x/below", "--tmpfs=/x"]
    assert do(root, "read", "/x/below/file", options=options).text == "of the host\n"


def test_a_mount_below_proc(tree, do, source):
    result = do(tree(), "read", "/proc/version", options=[f"--bind-ro={source}/dir/file:/proc/version"])
    assert result.text == "of the host\n"


def test_over_a_directory_we_made_ourselves(tree, do, source):
    assert do(tree({"tmp/": 0o777}), "read", "/tmp/file", options=[f"--bind={source}/dir:/tmp"]).text == "of the host\n"
    assert do(tree(), "read", "/run/x/file", options=[f"--bind={source}/dir:/run/x"]).text == "of the host\n"
    assert do(tree(), "read", "/etc/resolv.conf", options=[f"--bind-ro={source}/dir/file:/etc/resolv.conf",
                                                             "--resolv-conf=off"]).text == "of the host\n"


def test_a_device_node(tree, do):
    found = do(tree(), "stat", "/dev/random", options=["--bind=/dev/urandom:/dev/random"]).json["/dev/random"]
    assert found["rdev"] == "1:9"


def test_a_socket(tree, do, source):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "socket"))
        found = do(tree(), "stat", "/run/its.socket", options=[f"--bind={source}/socket:/run/its.socket"]).json
    assert found["/run/its.socket"]["type"] == "socket"


def test_the_whole_of_dev(tree, do):
    assert do(tree(), "stat", "/dev/null", options=["--bind=/dev"]).json["/dev/null"]["rdev"] == "1:3"


def test_a_target_through_links_of_the_tree(tree, do, source):
    root = tree({"var/": None, "var/run=": "/run", "lib64=": "usr/lib", "usr/lib/": None})
    assert do(root, "read", "/var/run/x/y/file", options=[f"--bind={source}/dir:/var/run/x/y"]).text == "of the host\n"
    assert do(root, "read", "/usr/lib/z/file", options=[f"--bind={source}/dir:/lib64/z"]).text == "of the host\n"


@pytest.mark.parametrize("target", ["/etc/mtab", "/etc/net", "/etc/kernel/new", "/proc/nosuch", "/sys/nosuch/deeper"])
def test_a_target_that_only_the_kernel_could_make(tree, do, source, target):
    """By itself, or by a link of the tree's."""
    root = tree({"etc/": None, "etc/mtab=": "../proc/self/mounts", "etc/net=": "/proc/self/net", "etc/kernel=": "/sys/kernel"})
    for option in (f"--bind={source}/dir/file:{target}", f"--bind={source}/dir:{target}", f"--tmpfs={target}"):
        result = do(root, "exit", "0", options=[option])
        said = result.complaint.splitlines()
        assert result.code == 1 and len(said) == 2 and f"on '{target}'" in said[0].replace(" to ", " on "), result
        assert said[1] == f"nspawn: In /proc and /sys, where '{target}' leads, is only what the kernel shows: name another place", result
    assert os.readlink(root / "etc/mtab") == "../proc/self/mounts"


def test_a_target_below_a_search_only_directory(tree, do, source):
    root = tree({"closed/": 0o711, "closed/in/": None})
    assert do(root, "read", "/closed/in/file", options=[f"--bind={source}/dir:/closed/in"]).text == "of the host\n"


def test_a_target_that_leads_out_stays_in(tree, do, source, beside):
    """A relative link with too many dots ends at the machine's root, as for the machine itself."""
    root = tree({"out=": "../../../../../.." + str(source)})
    result = do(root, "read", "/out/made/file", options=[f"--bind={source}/dir:/out/made"])
    assert not (source / "made").exists()
    assert result.code == 1 or result.text == "of the host\n"


@pytest.mark.parametrize("entry, target", [({"x": "file"}, "dir"), ({"x/": None}, "dir/file")])
def test_directories_and_files_do_not_mix(tree, do, source, entry, target):
    result = do(tree(entry), "exit", "0", options=[f"--bind={source}/{target}:/x"])
    assert result.code == 1 and "/x" in result.complaint


@pytest.mark.parametrize("junk", [":", "relative:relative", "/usr:relative", "/usr:/x:what", "/usr:/x:rbind,what", "/usr:/x:y:z",
                                  "/no/such/source"])
def test_bad_binds_are_refused(tree, run, junk):
    for option in ("--bind", "--bind-ro"):
        result = run("-q", "-D", tree(), f"{option}={junk}", "/payload", "exit", "0")
        assert result.code == 1 and result.complaint, result


def test_tmpfs(tree, do, ask):
    root = tree({"opt/own": "x"})
    assert do(root, "stat", "/opt/own", options=["--tmpfs=/opt"]).json["/opt/own"] == {"errno": 2}
    mount = mounted(ask(root, "mounts", options=["--tmpfs=/opt"]), "/opt")
    assert mount["type"] == "tmpfs" and set(mount["options"].split(",")) == {"rw", "nodev"}
    assert do(root, "stat", "/opt", options=["--tmpfs=/opt"]).json["/opt"]["mode"] == 0o755


def test_tmpfs_options(tree, do, ask):
    root = tree()
    options = ["--tmpfs=/new/place:mode=0700,size=1m,nosuid"]
    assert do(root, "stat", "/new/place", options=options).json["/new/place"]["mode"] == 0o700
    mount = mounted(ask(root, "mounts", options=options), "/new/place")
    assert "size=1024k" in mount["super"] and "nosuid" in mount["options"]


@pytest.mark.parametrize("junk", ["relative", "/x:nonsense=1", "/x:size=lots"])
def test_bad_tmpfs_are_refused(tree, run, junk):
    result = run("-q", "-D", tree(), f"--tmpfs={junk}", "/payload", "exit", "0")
    assert result.code == 1 and result.complaint


@pytest.mark.parametrize("name, kind", [("opt/dir", "directory"), ("opt/file", "file")])
def test_inaccessible(tree, do, name, kind):
    root = tree({"opt/dir/secret": "x", "opt/file": "secret"})
    found = do(root, "stat", f"/{name}", options=[f"--inaccessible=/{name}"]).json[f"/{name}"]
    assert (found["type"], found["mode"]) == (kind, 0)
    assert found["type"] == "directory" or found["size"] == 0
    assert do(root, "stat", "/opt/dir/secret", options=["--inaccessible=/opt/dir"]).json["/opt/dir/secret"] == {"errno": 2}


def test_inaccessible_wants_something_there(tree, do):
    result = do(tree(), "exit", "0", options=["--inaccessible=/not/there"])
    assert result.code == 1 and "/not/there" in result.complaint


def test_mounting_inside_does_not_reach_the_source(tree, run, source):
    root = tree(kind="busybox")
    run("-P", "-D", root, f"--bind={source}/dir:/x{identity.MAPPED}", "/bin/sh", "-c", "mkdir /x/sub; mount -t tmpfs x /x/sub; touch /x/sub/inner")
    assert list((source / "dir/sub").iterdir()) == []
