# SPDX-License-Identifier: LGPL-2.1-or-later
"""--selinux-context= and --selinux-apifs-context= on a kernel that runs SELinux, with the smallest policy that tells domains apart."""
import subprocess

import pytest

from lab import vm

pytestmark = pytest.mark.requires("emulator", "mirror", "checkpolicy")

# Names and order are the kernel's (security/selinux/include/initial_sid_to_string.h).
SIDS = """kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket tcp_socket
sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod policy scmp_packet devnull""".split()
# "box" may be entered, "closed" may not. What is not named is allowed.
RULES = """
class process { transition dyntransition setexec }
class file { read entrypoint }
sensitivity s0;
dominance { s0 }
category c0; category c1; category c2;
level s0:c0.c2;
mlsconstrain file read ( h1 dom h2 or h1 domby h2 or t1 == t2 or t1 != t2 );
attribute any;
type base_t, any;
type box_t, any;
type closed_t, any;
type file_t, any;
type made_t, any;
role system_r;
role system_r types { base_t box_t closed_t };
allow base_t base_t:process { transition setexec };
allow base_t box_t:process transition;
allow any any:file { read entrypoint };
user system_u roles { system_r } level s0 range s0 - s0:c0.c2;
"""


def policy():
    lines = ["class process", "class file", *(f"sid {name}" for name in SIDS), RULES]
    for name in SIDS:
        kind = "system_r:base_t" if name in ("kernel", "init") else "object_r:file_t"
        lines.append(f"sid {name} system_u:{kind}:s0")
    lines += [f"fs_use_trans {name} system_u:object_r:file_t:s0;" for name in ("tmpfs", "devpts", "devtmpfs")]
    return "\n".join([*lines, "genfscon proc / system_u:object_r:file_t:s0", ""])


BOX = "system_u:system_r:box_t:s0:c1,c2"
MADE = "system_u:object_r:made_t:s0:c0,c2"
SCRIPT = f"""
mount -t selinuxfs none /sys/fs/selinux
say early nspawn -P -D /tree -Z {BOX} /bin/busybox echo ran
cat /policy >/sys/fs/selinux/load; echo 1 >/sys/fs/selinux/enforce
say enforced cat /sys/fs/selinux/enforce
label() {{ nspawn -P -D /tree "$@" /bin/busybox cat /proc/self/attr/current; }}
say plain label
say box label -Z {BOX}
say nnp label -Z {BOX} --no-new-privileges=yes
say user label -Z {BOX} -u 1000
say stub nspawn -P -a -D /tree -Z {BOX} /bin/busybox cat /proc/self/attr/current
say closed label -Z system_u:system_r:closed_t:s0
say unknown label -Z system_u:system_r:missing_t:s0
say files nspawn -P -D /tree -L {MADE} --tmpfs=/mine /bin/busybox grep -e ' / ' -e ' /mine ' -e ' /run ' -e ' /dev ' -e ' /dev/pts ' /proc/self/mountinfo
say unknown-files nspawn -P -D /tree -L system_u:object_r:missing_t:s0 /bin/busybox echo ran
nspawn -q -M sleeper -D /tree -Z {BOX} /bin/sleep 1000 </dev/null &
echo "== end"-killed
for i in 1 2 3 4 5 6 7 8 9 10; do pidof sleep >/dev/null && break; usleep 500000; done
pidof sleep >/dev/null && echo running
kill -KILL $!
for i in 1 2 3 4 5 6 7 8 9 10; do pidof sleep >/dev/null || break; usleep 500000; done
pidof sleep >/dev/null || echo over
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    vm.furnish(root)
    (root / "tree/bin/sleep").symlink_to("busybox")
    (work / "policy.conf").write_text(policy())
    subprocess.run(["checkpolicy", "-M", "-U", "allow", "-c", "30", "-o", root / "policy", work / "policy.conf"],
                   stdout=subprocess.DEVNULL, check=True)
    return vm.boot(root, SCRIPT, work, parameters="lsm=selinux selinux=1 enforcing=0")


def test_the_kernel_enforces(said):
    assert said["enforced"] == "1status 0\n"


def test_without_a_policy_there_is_no_start(said):
    """The kernel would take any context then, and forget it."""
    assert "ran" not in said["early"].splitlines() and "the kernel says 'kernel'" in said["early"]
    assert said["early"].endswith("status 1\n")


def test_without_the_option_nothing_changes(said):
    assert said["plain"].startswith("system_u:system_r:base_t:s0")


@pytest.mark.parametrize("case", ["box", "user", "stub"])
def test_the_payload_has_the_context(said, case):
    assert said[case] == f"{BOX}\0status 0\n"


def test_the_policy_decides_about_new_privileges(said):
    """The kernel allows a change of the context with no_new_privs only where the policy says so; this one does not."""
    assert BOX not in said["nnp"].splitlines() and said["nnp"].endswith("status 1\n")


@pytest.mark.parametrize("case", ["closed", "unknown"])
def test_a_context_that_cannot_be_had_ends_the_start(said, case):
    assert "_t:s0\0" not in said[case] and said[case].endswith("status 1\n")


def test_a_context_that_the_policy_does_not_know_is_explained(said):
    assert "Cannot give the payload the SELinux context" in said["unknown"] and "does not know this context" in said["unknown"]


def test_file_systems_in_memory_have_theirs(said):
    lines = {line.split()[4]: line for line in said["files"].splitlines() if line.count(" ") > 6}
    for target in ("/mine", "/run", "/dev", "/dev/pts"):
        assert f'context="{MADE}"' in lines[target], said["files"]
    assert "made_t" not in lines["/"]


def test_a_label_of_files_that_is_unknown_ends_the_start(said):
    assert "ran" not in said["unknown-files"].splitlines() and "missing_t" in said["unknown-files"]
    assert said["unknown-files"].endswith("status 1\n")


def test_the_payload_ends_with_a_killed_supervisor(said):
    assert said["end-killed"].splitlines()[:1] == ["running"] and "over" in said["end-killed"].splitlines()
