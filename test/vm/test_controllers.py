# SPDX-License-Identifier: LGPL-2.1-or-later
"""What takes the controllers of cgroup2, on a kernel of Debian's own that has them all: limits, pausing, devices, delegation, numbers."""
import json
import re

import pytest

from lab import vm

pytestmark = pytest.mark.requires("emulator", "mirror")

EARLY = """
say rootfs nspawn -P -D /tree /bin/busybox echo ran
say rootfs-boot nspawn -q -b -D /tree --console=pipe
"""

# 'lab' runs through most of it, as the neighbour that nothing may happen to.
SCRIPT = r"""
G=/sys/fs/cgroup
wait_for() { local i=0; while [ $i -lt 300 ]; do "$@" >/dev/null 2>&1 && return; i=$((i+1)); usleep 200000; done; echo "== never"; echo "$*"; }
start() { local name=$1; shift; cp -a /tree /$name; nspawn -q -M $name -D /$name --console=read-only "$@" </dev/null & }
show() { local file; for file; do echo "$file: $(cat $G/$file)"; done; }
within() { local group=$1; shift; sh -c 'echo $$ >/sys/fs/cgroup/$0/cgroup.procs; exec "$@"' $group "$@"; }
counted() { test -s /tick/count && test "$(cat /tick/count)" -gt "$1"; }

start lab -b --memory=64M --cpus=1.5 --tasks=40 --io-weight=50
wait_for nspawn wait lab --ready
say boot nspawn wait lab --ready
say files show nspawn-lab/memory.max nspawn-lab/cpu.max nspawn-lab/pids.max nspawn-lab/io.weight
say limits nspawn limits lab
say limits-json nspawn limits lab --json

say hog nspawn -M hog -D /tree --memory=32M --console=pipe /bin/sh -c 'dd if=/dev/zero of=/dev/null bs=96M count=1; echo "dd $?"; exit 3'
say hog-property nspawn -M hog -D /tree --property=MemoryMax=32M --console=pipe /bin/sh -c 'dd if=/dev/zero of=/dev/null bs=96M count=1; echo "dd $?"; exit 3'
say hog-told nspawn -M hog -D /tree --memory=32M --console=read-only /bin/sh -c 'dd if=/dev/zero of=/dev/null bs=96M count=1; exit 3'
say hog-first nspawn -M hog -D /tree --memory=32M --console=pipe /bin/dd if=/dev/zero of=/dev/null bs=96M count=1
say neighbour nspawn exec lab -- /bin/echo alive

start slow --cpus=0.2 /bin/sh -c 'while :; do :; done'
throttled() { grep -q 'nr_throttled [1-9]' $G/nspawn-slow/cpu.stat; }
wait_for throttled
say cpus show nspawn-slow/cpu.max nspawn-slow/cpu.stat
say cpus-end nspawn terminate slow

start bomb --tasks=20 /bin/sh -c '(while :; do sleep 1000 & done) 2>/said; exec sleep 1000'
wait_for grep fork /bomb/said
say bomb show nspawn-bomb/pids.max nspawn-bomb/pids.peak
say bomb-top nspawn top --once --json
say bomb-end nspawn terminate bomb

start tick /bin/sh -c 'i=0; while :; do i=$((i+1)); echo $i >/count; usleep 50000; done'
wait_for counted 1
say pause nspawn pause tick
was=$(cat /tick/count); sleep 1
say paused test "$was" = "$(cat /tick/count)"
say paused-status nspawn status tick
say resume nspawn resume tick
wait_for counted "$was"
say resumed counted "$was"
say tick-end nspawn terminate tick

# In a group that hands nothing down, and in one of several processes.
mkdir -p $G/bare/inner $G/above/inner
echo +memory >$G/above/cgroup.subtree_control; echo 48M >$G/above/memory.max
for option in --memory=32M --cpus=1 --tasks=9 --io-weight=9; do
	say bare$option within bare/inner nspawn -P -D /tree $option /bin/echo ran
done
say bare-property within bare/inner nspawn -D /tree --console=read-only --property=MemoryMax=32M /bin/echo ran
say above within above/inner nspawn -P -D /tree --memory=32M /bin/echo ran
cp -a /tree /under; within above/inner nspawn -q -M under -D /under --console=read-only /bin/sleep 1000 </dev/null &
wait_for nspawn wait under --ready
say above-limits nspawn limits under --json
say above-end nspawn terminate under

# The guest has every capability, and what the kernel has in its own /dev.
cat >/tree/devices <<'END'
mknod /dev/disk b 8 0 && echo "made the disk"
mknod /dev/memory c 1 1 && echo "made the memory"
mknod /dev/nothing c 1 3 && echo x >/dev/nothing && echo "made null"
mkdir /tmp/dev; mount -t devtmpfs dev /tmp/dev && echo "mounted"
for name in mem kmsg ttyS0; do exec 3</tmp/dev/$name && echo "opened $name"; done
exec 3</tmp/dev/zero && echo "opened zero"
END
sed -i 's/exec 3<\([^ ]*\)/( exec 3<\1 )/' /tree/devices
say devices nspawn -P -D /tree --capability=all /bin/sh /devices
say device-allowed nspawn -P -D /tree --capability=all --device=/dev/kmsg /bin/sh /devices

cat >/lab/divide <<'END'
cd /sys/fs/cgroup; mkdir init work
for process in $(cat cgroup.procs); do echo $process >init/cgroup.procs; done
echo "+memory +pids" >cgroup.subtree_control && echo "handed down: $(cat cgroup.subtree_control)"
echo 8M >work/memory.max && echo "limited: $(cat work/memory.max)"
END
say exec-before nspawn exec lab -- /bin/cat /proc/self/cgroup
say divide nspawn exec lab -- /bin/sh /divide
say exec-after nspawn exec lab -- /bin/cat /proc/self/cgroup
say exec-limited nspawn exec lab -- /bin/sh -c 'echo $$ >/sys/fs/cgroup/work/cgroup.procs; dd if=/dev/zero of=/dev/null bs=32M count=1; echo "dd $?"'
say divide-again nspawn exec lab -- /bin/sh -c 'cd /sys/fs/cgroup; echo -memory >cgroup.subtree_control && echo +memory >cgroup.subtree_control'

# A command that divides its group, and has no supervisor's group beside it.
cp /lab/divide /tree/divide
start own --private-users=524288:65536 --private-users-ownership=chown --memory=64M /bin/sh -c \
	'exec >/said 2>&1; . /divide; echo max >memory.max; echo 0 >init/cgroup.freeze && echo "thaws its own"; touch /over; exec sleep 1000'
wait_for test -e /own/over
say own cat /own/said
say own-exec nspawn exec own -- /bin/cat /proc/self/cgroup
say own-limit show nspawn-own/memory.max
say own-end nspawn terminate own

say top nspawn top --once
say top-json nspawn top --once --json
say status nspawn status lab
say status-json nspawn status lab --json
say list nspawn list --json
say poweroff nspawn poweroff lab
rmdir $G/bare/inner $G/bare $G/above/inner $G/above
say left find $G -type d
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the machine said, by the headings of its script."""
    work = tmp_path_factory.mktemp("vm")
    root = work / "root"
    vm.furnish(root)
    (root / "tree/sbin").mkdir()
    (root / "tree/sbin/init").symlink_to("../bin/busybox")
    for name in ("sh", "cat", "dd", "echo", "mkdir", "mknod", "mount", "sleep", "usleep"):
        (root / "tree/bin" / name).symlink_to("busybox")
    (root / "tree/etc/inittab").write_text("::respawn:/bin/sleep 1000\n")
    answers = vm.boot(root, SCRIPT, work, early=EARLY)
    print(*(f"== {name}\n{text}" for name, text in answers.items()))
    return answers


def rows(text, key):
    return {row[key]: row for row in json.loads(text.rsplit("status", 1)[0])}


def test_nothing_was_waited_for_in_vain(said):
    assert "never" not in said


@pytest.mark.parametrize("case", ["rootfs", "rootfs-boot"])
def test_the_kernels_first_root_directory_cannot_be_left(said, case):
    """pivot_root(2) refuses, and what else could be done leaves it where root of the machine can uncover it."""
    assert "Cannot make the tree the root directory" in said[case] and "switch_root(8)" in said[case]
    assert "ran" not in said[case].splitlines() and said[case].endswith("status 1\n")


def test_elsewhere_a_small_init_boots_and_ends(said):
    assert said["boot"] == "status 0\n" and "Requesting system poweroff" in said["poweroff"]


def test_limits_are_in_the_files_of_the_group(said):
    assert said["files"] == ("nspawn-lab/memory.max: 67108864\nnspawn-lab/cpu.max: 150000 100000\n"
                             "nspawn-lab/pids.max: 40\nnspawn-lab/io.weight: default 50\nstatus 0\n")


def test_limits_are_shown_with_who_set_them(said):
    lines = [line.split(maxsplit=3) for line in said["limits"].splitlines()]
    assert [(line[0], line[1], line[3]) for line in lines[1:5]] == [
        ("memory", "64M", "option --memory"), ("cpus", "1.5", "option --cpus"),
        ("tasks", "40", "option --tasks"), ("io-weight", "50", "option --io-weight")]
    found = rows(said["limits-json"], "resource")
    assert {name: (row["limit"], row["source"]) for name, row in found.items()} == {
        "memory": (64 << 20, "option"), "cpus": (1500000, "option"), "tasks": (40, "option"), "io-weight": (50, "option")}
    assert found["memory"]["used"] > 0 and found["tasks"]["used"] >= 2 and found["cpus"]["used"] > 0


@pytest.mark.parametrize("case", ["hog", "hog-property"])
def test_who_wants_too_much_memory_is_killed_alone(said, case):
    assert "dd 137\n" in said[case] and said[case].endswith("status 3\n")
    assert said["neighbour"] == "alive\nstatus 0\n"


def test_the_supervisor_says_what_memory_was_short_for(said):
    assert "For want of memory the kernel ended 1 of the processes of machine 'hog'" in said["hog-told"]
    assert said["hog-told"].endswith("status 3\n")
    assert "Machine 'hog' was terminated by signal SIGKILL" in said["hog-first"]
    assert "'--memory=' says how much" in said["hog-first"] and said["hog-first"].endswith("status 1\n")


def test_a_share_of_a_processor_is_kept(said):
    assert "nspawn-slow/cpu.max: 20000 100000\n" in said["cpus"]
    assert int(re.search(r"nr_throttled (\d+)", said["cpus"])[1]) > 0
    assert said["cpus-end"].endswith("status 0\n")


def test_a_fork_bomb_is_held(said):
    assert said["bomb"] == "nspawn-bomb/pids.max: 20\nnspawn-bomb/pids.peak: 20\nstatus 0\n"  # and then it could not fork
    assert 10 < rows(said["bomb-top"], "machine")["bomb"]["tasks"] <= 20
    assert said["bomb-end"].endswith("status 0\n")


def test_a_paused_machine_stands_still(said):
    assert (said["pause"], said["paused"], said["resume"], said["resumed"]) == ("status 0\n",) * 4
    assert "State: paused" in said["paused-status"]
    assert said["tick-end"].endswith("status 0\n")


@pytest.mark.parametrize("option, controller", [("--memory=32M", "memory"), ("--cpus=1", "cpu"), ("--tasks=9", "pids"), ("--io-weight=9", "io")])
def test_a_controller_that_is_not_handed_down_is_refused(said, option, controller):
    text = said[f"bare{option}"]
    assert f"its cgroup has no controller '{controller}'" in text and "has to hand it down" in text
    assert "ran" not in text.splitlines() and text.endswith("status 1\n")


def test_a_property_without_its_controller_is_noted(said):
    assert "'--property=MemoryMax=' has no effect" in said["bare-property"] and said["bare-property"].endswith("status 0\n")


def test_a_group_with_other_processes_is_told_apart(said):
    assert "The cgroup above has it, but other processes in it as well" in said["above"] and said["above"].endswith("status 1\n")


def test_a_limit_further_up_is_shown_as_that(said):
    found = rows(said["above-limits"], "resource")["memory"]
    assert (found["limit"], found["source"], found["group"]) == (48 << 20, "parent", "/sys/fs/cgroup/above")
    assert said["above-end"].endswith("status 0\n")


def test_devices_of_the_host_are_out_of_reach(said):
    """The guest may do everything else: the filter on its group is all that is in its way."""
    lines = said["devices"].splitlines()
    assert {"made null", "mounted", "opened zero"} <= set(lines)
    assert not {"made the disk", "made the memory", "opened mem", "opened kmsg", "opened ttyS0"} & set(lines)
    assert said["devices"].count("Operation not permitted") == 5


def test_a_device_that_was_asked_for_is_there(said):
    lines = said["device-allowed"].splitlines()
    assert "opened kmsg" in lines and "opened mem" not in lines


def test_root_of_the_machine_divides_its_group(said):
    assert said["divide"] == "handed down: memory pids\nlimited: 8388608\nstatus 0\n"


def test_further_processes_do_not_stand_in_its_way(said):
    """They are in a leaf from the first on: with one at the top the kernel would hand nothing down."""
    assert said["exec-before"] == said["exec-after"] == "0::/exec\nstatus 0\n"
    assert said["divide-again"] == "status 0\n"
    assert "dd 137\n" in said["exec-limited"]
    assert said["poweroff"].endswith("status 0\n")


def test_so_does_root_with_ids_of_its_own_and_no_more(said):
    assert "handed down: memory pids" in said["own"] and "limited: 8388608" in said["own"]
    assert "thaws its own" in said["own"] and "can't create memory.max" in said["own"]
    assert said["own-exec"] == "0::/exec\nstatus 0\n"
    assert said["own-limit"] == "nspawn-own/memory.max: 67108864\nstatus 0\n"


def test_numbers_are_shown(said):
    machine = rows(said["top-json"], "machine")["lab"]
    assert 1 <= machine["tasks"] < 10 and 0 < machine["memory_bytes"] < 64 << 20 and machine["cpu_usec"] > 0
    assert machine["read_bytes"] is not None and machine["cpu_percent"] is not None
    assert re.search(r"^lab +[0-9.]+ +[0-9.]+[KM] +\d+ ", said["top"], re.M)
    for line in (r"Tasks: \d", r"Memory: [0-9.]+[KM] \(peak: ", r"CPU: \d", r"IO: \d"):
        assert re.search(line, said["status"]), line
    status = json.loads(said["status-json"].rsplit("status", 1)[0])[0]
    assert status["MemoryBytes"] > 0 and status["CPUUSec"] > 0 and status["Tasks"] >= 1 and status["ReadBytes"] is not None
    assert rows(said["list"], "machine")["lab"]["class"] == "container"


def test_nothing_is_left_in_the_hierarchy(said):
    assert said["left"] == "/sys/fs/cgroup\nstatus 0\n"
