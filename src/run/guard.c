/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waits for the supervisor's death, and ends what that leaves behind.
 * Zone: owing in the supervisor; the guard itself owes nothing and only ever exits.
 */
#include "run/guard.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "run/launch.h"

bool guard_is_needed(const struct plan *plan)
{
	return label_plan_is_set(&plan->labels) || !(plan->clone_flags & CLONE_NEWPID);
}

static int compare_fds(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

/* Nobody may wait for the end of a pipe, a lock or a socket because of us. */
static void close_all_but(int *kept, size_t count)
{
	unsigned int next = 0;

	qsort(kept, count, sizeof(kept[0]), compare_fds);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] < 0)
			continue;
		if (kept[i] > 0 && next < (unsigned int)kept[i])
			(void)close_range(next, (unsigned int)kept[i] - 1, 0);
		next = (unsigned int)kept[i] + 1;
	}
	(void)close_range(next, ~0U, 0);
}

/*
 * What is sent to the supervisor's group, by a terminal or by kill(1), is not for us: whoever is
 * killed last must be the guard.
 */
__attribute__((noreturn)) static void be_guard(struct machine *machine, int supervisor_fd)
{
	int payload_fd = machine->has_cgroup ? machine->cgroup.payload_fd : -EBADF;
	int kept[] = {supervisor_fd, machine->pidfd, payload_fd};
	struct pollfd poll_fd = {.fd = supervisor_fd, .events = POLLIN};
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "nspawn-guard", 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	close_all_but(kept, ARRAY_LEN(kept));
	while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
		;
	(void)machine_kill(machine);
	if (machine->has_cgroup)
		(void)cgroup_kill(&machine->cgroup);
	_exit(EXIT_SUCCESS);
}

int guard_start(struct machine *machine)
{
	auto_close int supervisor_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct clone_args arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&machine->guard_fd,
		.exit_signal = SIGCHLD,
	};
	long pid = supervisor_fd < 0 ? -1 : syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid < 0)
		return fail(-errno, "Cannot start the process that guards the machine");
	if (pid == 0)
		be_guard(machine, supervisor_fd);
	return 0;
}

void guard_stop(void *argument)
{
	struct machine *machine = argument;

	if (machine->guard_fd < 0)
		return;
	pidfd_end(machine->guard_fd);
	scope_close(&machine->guard_fd);
	machine->guard_fd = -EBADF;
}
