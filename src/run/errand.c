/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One child, one piece of work, an exit status.
 * Zone: owing; the child's work is doomed.
 */
#include "run/errand.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

#define TIMEOUT_MSEC 1000

int errand_run(errand_work work, const void *argument)
{
	auto_close int child_pidfd = -EBADF;
	struct pollfd waiting = {.events = POLLIN};
	siginfo_t info = {0};
	pid_t child = fork();
	int ready;

	if (child < 0)
		return -errno;
	if (child == 0)
		_exit(-work(argument)); /* an errno fits an exit status */
	child_pidfd = pidfd_open(child, 0);
	waiting.fd = child_pidfd;
	do
		ready = child_pidfd < 0 ? 0 : poll(&waiting, 1, TIMEOUT_MSEC);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0) {
		/*
		 * It may be beyond the reach of signals until the guest's file system goes away
		 * with the guest, so nobody waits here; the supervisor reaps whatever child ends.
		 */
		(void)kill(child, SIGKILL);
		return -ETIMEDOUT;
	}
	if (waitid(P_PID, (id_t)child, &info, WEXITED) < 0)
		return -errno;
	return info.si_code == CLD_EXITED ? -info.si_status : -EIO;
}
