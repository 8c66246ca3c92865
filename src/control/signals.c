/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends signals (pidfd_send_signal(2), pid_namespaces(7)) and writes cgroup.freeze and cgroup.kill.
 * Zone: free; the child is doomed.
 */
#include "control/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/scope.h"
#include "control/await.h"
#include "control/usage.h"
#include "manager/cgroup-walk.h"

static int send_to(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

int signals_to_leader(const struct machine_view *machine, int number)
{
	return machine->pidfd < 0 ? -ESRCH : send_to(machine->pidfd, number);
}

int signals_to_supervisor(const struct machine_view *machine, int number)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, machine->entry.supervisor, 0);
	auto_close int leader = -EBADF;

	if (pidfd < 0)
		return -errno;
	/* Says that the number is the supervisor's now; and who had it before lives no more. */
	TRY(registry_leader(&machine->entry, &leader));
	return send_to(pidfd, number);
}

/* --- All --- */

struct everybody {
	int number, result;
};

static int send_to_process(pid_t pid, void *argument)
{
	struct everybody *everybody = argument;
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = pidfd < 0 ? -errno : send_to(pidfd, everybody->number);

	if (r < 0 && r != -ESRCH)
		everybody->result = r;
	return 0;
}

/* While the group is frozen it has no new process, and none of it ends on its own. */
static int send_to_group(int group_fd, int number)
{
	struct everybody everybody = {.number = number};
	bool was_frozen = usage_is_frozen(group_fd);

	if (number == SIGKILL && file_write(group_fd, "cgroup.kill", "1") == 0)
		return 0;
	if (!was_frozen)
		(void)signals_freeze(group_fd, true, 1000000);
	(void)cgroup_walk(group_fd, send_to_process, &everybody);
	if (!was_frozen)
		TRY(signals_freeze(group_fd, false, 0));
	return everybody.result;
}

static bool has_own_processes(const struct machine_view *machine)
{
	return process_shares_namespace(machine->entry.leader, "pid") == 0 &&
	       fd_pid(machine->pidfd) == machine->entry.leader;
}

/*
 * In the machine's PID namespace -1 means everybody but process 1 and who asks (kill(2)). setns(2)
 * puts only children there.
 */
__attribute__((noreturn)) static void run_child(int pidfd, int number, bool is_user)
{
	int status = 0;
	pid_t pid;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setns(pidfd, CLONE_NEWPID | (is_user ? CLONE_NEWUSER : 0)) < 0)
		_exit(errno);
	pid = fork();
	if (pid == 0)
		_exit(getpid() > 1 && kill(-1, number) < 0 && errno != ESRCH ? errno : 0);
	if (pid < 0)
		_exit(errno);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EIO);
}

static int send_to_namespace(const struct machine_view *machine, int number, bool is_user)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(machine->pidfd, number, is_user);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status) > 0 ? -WEXITSTATUS(status) : 0;
}

int signals_to_all(const struct machine_view *machine, int number, bool is_user)
{
	auto_close int group_fd = usage_open(machine->entry.cgroup);

	if (group_fd >= 0)
		return send_to_group(group_fd, number);
	if (machine->pidfd < 0)
		return -ESRCH;
	/* Where the machine has the host's processes, everybody would be everybody. */
	if (!has_own_processes(machine))
		return -ENOENT;
	TRY(send_to_namespace(machine, number, is_user));
	return signals_to_leader(machine, number);
}

/* --- Handling --- */

/* One of the masks in /proc/PID/status (proc_pid_status(5)), 0 if it cannot be read. */
static unsigned long long mask_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 16) : 0;
}

bool signals_is_handled(const struct machine_view *machine, int number)
{
	auto_free char *text = NULL;
	unsigned long long bit = 1ULL << (number - 1);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", machine->entry.leader);
	if (file_read(AT_FDCWD, path, 65536, &text, NULL) < 0 ||
	    fd_pid(machine->pidfd) != machine->entry.leader)
		return false;
	/* Blocked ones are read by signalfd(2). */
	return (mask_of(text, "\nSigCgt:") | mask_of(text, "\nSigBlk:")) & bit;
}

/* --- Pausing --- */

int signals_freeze(int group_fd, bool is_frozen, uint64_t timeout_usec)
{
	uint64_t begin = clock_now_usec(), passed = 0;
	auto_close int events = -EBADF;
	struct pollfd change;

	TRY(file_write(group_fd, "cgroup.freeze", is_frozen ? "1" : "0"));
	events = openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	change = (struct pollfd){.fd = events, .events = POLLPRI};
	while (usage_is_frozen(group_fd) != is_frozen) {
		passed = clock_now_usec() - begin;
		if (passed >= timeout_usec)
			return timeout_usec > 0 ? -ETIMEDOUT : 0;
		/* The time is short, as a change between looking and waiting is not told. */
		(void)poll(&change, 1, 20);
	}
	return 0;
}
