# SPDX-License-Identifier: LGPL-2.1-or-later
"""--uid: whom the command runs as, and that nothing of the tree decides it with the host's rights."""
import pytest

pytestmark = pytest.mark.requires("root")

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
                  "broken line\nbob:x:1001:77::/srv/deep/bob:/bin/sh\n1:x:4242:4242::/:/bin/sh\nodd:x:::::\n",
    "etc/group": "root:x:0:\nalice:x:1000:\naudio:x:29:bob,alice\nvideo:x:44:alice\nodd line\nnone:x:99:\n",
}


def variables(answer):
    return dict(line.split("=", 1) for line in answer["env"])


@pytest.mark.parametrize("spelling", [["-u", "alice"], ["--uid=alice"], ["-ualice"], ["--uid=1000"], ["--user=alice"],
                                      ["--user", "alice"]])
def test_a_user_by_name_or_number(tree, ask, spelling):
    answer = ask(tree(FILES), "ids", "env", "system", options=spelling)
    assert answer["ids"]["uid"] == [1000] * 3 and answer["ids"]["gid"] == [1000] * 3
    assert set(answer["ids"]["groups"]) | {1000} == {29, 44, 1000}
    env = variables(answer)
    assert (env["USER"], env["LOGNAME"], env["HOME"]) == ("alice", "alice", "/home/alice")


def test_the_home_is_made_where_it_is_missing(tree, ask):
    root = tree(FILES)
    assert ask(root, "ids", options=["-u", "bob"])["ids"]["gid"] == [77] * 3
    home = (root / "srv/deep/bob").stat()
    assert (home.st_uid, home.st_gid, home.st_mode & 0o7777) == (1001, 77, 0o755)
    # The parents are root's: group write would serve nobody.
    assert (root / "srv/deep").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("spelling", ["root", "0"])
def test_root_is_no_change(tree, ask, spelling):
    answer = ask(tree(FILES), "ids", "caps", options=["-u", spelling])
    assert answer["ids"]["uid"] == [0] * 3 and answer["caps"]["effective"] != 0


def test_root_without_a_passwd_file(tree, ask):
    assert ask(tree(), "ids", options=["-u", "root"])["ids"]["uid"] == [0] * 3


@pytest.mark.parametrize("junk", ["", "01", "1:", ":1", "0x1", " 1", "01000", "1000:", ":1000", "0x3e8", " 1000", "1000 ", "-1", "+1000", "4294967295", "4294967296",
                                  "18446744073709551616", "alice:x", "nobody-here", "../alice", "a/b", "alice\nroot", "broken", "odd"])
def test_what_is_no_user_is_refused(tree, run, junk):
    """A number that is read wrong would make another user, and the worst one is root."""
    result = run("-q", "-P", "-D", tree(FILES), f"--uid={junk}", "/payload", "ids")
    if junk == "":
        return
    assert result.code == 1 and result.out == b"", result


def test_a_name_of_digits_is_a_number(tree, run):
    """The number wins: were it a name, whoever writes the tree's files could choose who '1' is."""
    result = run("-q", "-P", "-D", tree(FILES), "--uid=1", "/payload", "ids")
    assert result.code == 1 or result.json["ids"]["uid"] == [1] * 3


def test_with_the_stub(tree, ask):
    answer = ask(tree(FILES), "ids", "tty", options=["-a", "-u", "alice"])
    assert answer["ids"]["uid"] == [1000] * 3 and answer["tty"]["pid"] == 2


def test_the_terminal_belongs_to_the_user(tree, Terminal):
    with Terminal("-q", "-D", tree(FILES), "-u", "alice", "/payload", "stat", "/dev/pts/0") as screen:
        screen.expect('"uid": 1000')
        assert screen.wait() == 0


def test_the_guests_libraries_do_not_run_outside(tree, run):
    """A name that is not in the files is asked of the tree's own getent: confined like the machine itself."""
    # It starts no program of its own: that is forbidden to it. What it is comes out as the home it names.
    script = ("#!/bin/sh\nwhile read -r key value rest; do case $key in CapBnd:) bounding=$value;; Uid:) uid=$value;; "
              "Seccomp:) filter=$value;; esac; done </proc/self/status\n"
              'case $1 in passwd) echo "carol:x:3000:3000::/home/$bounding-$uid-$filter:/bin/sh";; '
              'initgroups) echo "carol 3000 29";; esac\n')
    root = tree({"usr/bin/getent!": script, **FILES}, kind="busybox")
    answer = run("-q", "-P", "-D", root, "-u", "carol", "/payload", "ids", "env").json
    assert answer["ids"]["uid"] == [3000] * 3 and answer["ids"]["groups"] in ([29], [29, 3000], [3000, 29])
    bounding, uid, seccomp = variables(answer)["HOME"].removeprefix("/home/").split("-")
    assert (int(bounding, 16) & (1 << 16 | 1 << 17), seccomp) == (0, "2") and uid != "0"


def test_a_getent_that_lies_is_not_believed(tree, run):
    for reply in ("carol:x:0x0:0::/:/bin/sh", "carol:x:-1:0::/:/", "other:x:3000:3000::/:/", "carol:x", "", "carol:x:4294967295:1::/:/"):
        root = tree({"usr/bin/getent!": f'#!/bin/sh\necho "{reply}"\n', **FILES}, kind="busybox")
        result = run("-q", "-P", "-D", root, "-u", "carol", "/payload", "ids")
        assert result.code == 1 and result.out == b"", reply


def test_a_getent_that_hangs_or_floods_is_ended(tree, run):
    root = tree({"usr/bin/getent!": "#!/bin/sh\nyes carol\n", **FILES}, kind="busybox")
    assert run("-q", "-P", "-D", root, "-u", "carol", "/payload", "ids").code == 1


@pytest.mark.requires("userns", "idmap")
@pytest.mark.host_ids_only("says itself which ids there are")
@pytest.mark.parametrize("user, kind", [("70000", "user id 70000"), ("far", "user id 65536"), ("wide", "group id 65536")])
def test_a_user_beyond_the_ids_of_the_machine(tree, run, user, kind):
    root = tree({"etc/passwd": "root:x:0:0::/:/bin/sh\nfar:x:65536:1::/srv/far:/bin/sh\nwide:x:5:5::/:/bin/sh\n",
                 "etc/group": "big:x:65536:wide\n"})
    result = run("-q", "-P", "-D", root, "-U", "-u", user, "/payload", "exit", "0")
    said = result.complaint.splitlines()
    assert result.code == 1 and len(said) == 2, result
    assert said[0] == f"nspawn: The user '{user}' has the {kind}, which is not among the machine's ids"
    assert "--private-users=BASE:COUNT" in said[1] and not (root / "srv").exists()
