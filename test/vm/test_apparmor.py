# SPDX-License-Identifier: LGPL-2.1-or-later
"""--apparmor-profile= on a kernel that has AppArmor: in place from the first instruction on, or no start at all."""
import subprocess

import pytest

from lab import vm

pytestmark = pytest.mark.requires("emulator", "mirror", "apparmor_parser")

# "mute" lets nobody send it a signal. "watched" only logs.
PROFILES = """
profile box flags=(attach_disconnected) {
  /** rwixlkm,
  / r,
  deny /secret r,
  capability,
  signal,
  ptrace,
  mount,
}
profile mute flags=(attach_disconnected) {
  /** rwixlkm,
  / r,
  capability,
}
profile watched flags=(attach_disconnected, complain) {
  / r,
}
"""

SCRIPT = """
mount -t securityfs none /sys/kernel/security
cat /profiles >/sys/kernel/security/apparmor/.load || echo "== cannot load"
box() { nspawn -P -D /tree --apparmor-profile=box "$@"; }
running() { for pid in $(pidof sleep); do cat /proc/$pid/attr/apparmor/current; done; }
wait_for() { for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "$@" && return; usleep 500000; done; echo "never: $*"; }
is_running() { test -n "$(running)"; }
is_over() { test -z "$(running)"; }
say enabled cat /sys/module/apparmor/parameters/enabled
say plain nspawn -P -D /tree /bin/busybox cat /proc/self/attr/current
say label box /bin/busybox cat /proc/self/attr/current
say allowed box /bin/busybox cat /open
say denied box /bin/busybox cat /secret
say denied-without nspawn -P -D /tree /bin/busybox cat /secret
say user box -u 1000 /bin/busybox cat /proc/self/attr/current
say nnp box --no-new-privileges=yes /bin/busybox cat /proc/self/attr/current
say stub box -a /bin/busybox cat /proc/1/attr/apparmor/current /proc/self/attr/apparmor/current
say status box -a /bin/busybox sh -c 'exit 7'
say getent box -u carol /bin/busybox cat /etc/who
say unknown nspawn -P -D /tree --apparmor-profile=missing /bin/busybox echo ran
say unknown-stub nspawn -P -a -D /tree --apparmor-profile=missing /bin/busybox echo ran
say unconfined nspawn -P -D /tree --apparmor-profile=unconfined /bin/busybox cat /proc/self/attr/current
say watched nspawn -P -D /tree --apparmor-profile=watched /bin/busybox cat /secret
say covered box --tmpfs=/proc/thread-self/attr /bin/busybox echo ran
say covered-plain nspawn -P -D /tree --tmpfs=/proc/thread-self/attr /bin/busybox echo ran

# The supervisor is told to stop, then killed; the payload goes with it, even if it takes no signals.
for how in TERM KILL; do for profile in box mute; do for mode in "" -a; do
	nspawn -q -M sleeper -D /tree $mode --apparmor-profile=$profile /bin/sleep 1000 </dev/null &
	echo "== end-$how-$profile$mode"
	wait_for is_running; running
	kill -$how $!; wait_for is_over
	wait $!; echo "status $?"
done; done; done
say again nspawn -P -M sleeper -D /tree --apparmor-profile=box /bin/busybox true
say left ls /sys/fs/cgroup
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    vm.furnish(root)
    tree = root / "tree"
    (tree / "bin/sleep").symlink_to("busybox")
    (tree / "secret").write_text("secret\n")
    (tree / "open").write_text("open\n")
    # Who answers is a program of the tree: it says under which profile it ran.
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin/getent").write_text("#!/bin/busybox sh\nread -r who </proc/self/attr/current\n"
                                         'case $1 in passwd) echo "carol:x:0:0:$who:/root:/bin/sh";; initgroups) echo "carol 0";; esac\n'
                                         'test "$who" = "box (enforce)" && exit 0; exit 2\n')
    (tree / "usr/bin/getent").chmod(0o755)
    (tree / "etc/who").write_text("asked\n")
    (work / "profiles").write_text(PROFILES)
    binary = subprocess.run(["apparmor_parser", "--skip-cache", "--stdout", "--features-file", "/etc/apparmor.d/abi/3.0",
                             work / "profiles"], capture_output=True, check=True).stdout
    (root / "profiles").write_bytes(binary)
    return vm.boot(root, SCRIPT, work, parameters="lsm=apparmor")


def test_the_kernel_has_it(said):
    assert said["enabled"] == "Y\nstatus 0\n" and "cannot load" not in said


def test_without_the_option_nothing_changes(said):
    assert said["plain"] == "unconfined\nstatus 0\n"
    assert said["denied-without"] == "secret\nstatus 0\n"


@pytest.mark.parametrize("case", ["label", "user", "nnp"])
def test_the_payload_is_under_the_profile(said, case):
    assert said[case] == "box (enforce)\nstatus 0\n"


def test_the_profile_decides(said):
    assert said["allowed"] == "open\nstatus 0\n"
    assert "Permission denied" in said["denied"] and said["denied"].endswith("status 1\n")


def test_the_stub_init_is_under_it_as_well(said):
    """It could be traced by a payload whose profile allows that, and would be a way out."""
    assert said["stub"] == "box (enforce)\nbox (enforce)\nstatus 0\n"
    assert said["status"] == "status 7\n"


def test_what_the_tree_answers_with_is_under_it(said):
    assert said["getent"] == "asked\nstatus 0\n"


@pytest.mark.parametrize("case", ["unknown", "unknown-stub"])
def test_a_profile_that_is_not_loaded_ends_the_start(said, case):
    assert "Cannot put the payload under the AppArmor profile 'missing'" in said[case]
    assert "apparmor_parser --replace" in said[case]
    assert "ran" not in said[case].splitlines() and said[case].endswith("status 1\n")


def test_no_profile_can_be_asked_for(said):
    assert said["unconfined"].startswith("unconfined\n") and said["unconfined"].endswith("status 0\n")


def test_a_profile_that_only_logs_is_mentioned(said):
    assert "is in complain mode" in said["watched"] and said["watched"].endswith("secret\nstatus 0\n")


def test_attributes_covered_by_a_mount_end_the_start(said):
    """A mount that was asked for is over the place where labels are written."""
    assert said["covered-plain"] == "ran\nstatus 0\n"
    assert "ran" not in said["covered"].splitlines() and said["covered"].endswith("status 1\n")


@pytest.mark.parametrize("mode", ["", "-a"])
@pytest.mark.parametrize("profile", ["box", "mute"])
@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_the_payload_ends_with_its_supervisor(said, how, profile, mode):
    """The kernel forgets to kill a payload that changed its label, and a profile may refuse even SIGKILL."""
    text = said[f"end-{how}-{profile}{mode}"]
    assert f"{profile} (enforce)\n" in text and "never" not in text, text
    assert text.endswith(f"status {137 if how == 'KILL' else 1}\n") or how == "TERM" and text.endswith("status 143\n"), text


def test_nothing_is_left_in_the_hierarchy(said):
    """A killed supervisor cannot remove its groups; the next start of that name does."""
    assert said["again"] == "status 0\n" and "nspawn-sleeper" not in said["left"], said["left"]
