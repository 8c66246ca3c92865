/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts and ends the holder of a scope.
 * Zone: owing; the holder itself owes nothing and is only ever killed.
 */
#include "manager/scope-holder.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"

/* It is nobody's to be told to stop: who stops the scope is heard by the supervisor. */
__attribute__((noreturn)) static void hold(pid_t supervisor)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != supervisor)
		_exit(EXIT_FAILURE);
	(void)setsid();
	(void)prctl(PR_SET_NAME, "nspawn-scope", 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)close_range(0, ~0U, 0);
	for (;;)
		(void)pause();
}

int scope_holder_start(struct scope_holder *ret)
{
	int pidfd = -EBADF;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t supervisor = getpid();
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid < 0)
		return -errno;
	if (pid == 0)
		hold(supervisor);
	*ret = (struct scope_holder){.pid = (pid_t)pid, .pidfd = pidfd};
	return 0;
}

void scope_holder_end(struct scope_holder *holder)
{
	if (holder->pidfd < 0)
		return;
	pidfd_end(holder->pidfd);
	scope_close(&holder->pidfd);
	*holder = SCOPE_HOLDER_NONE;
}
