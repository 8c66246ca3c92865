/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One child, one piece of work, an exit status.
 * Zone: owing; the child's work is doomed.
 */
#include "run/errand.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

#define TIMEOUT_MSEC 1000
#define STACK_BYTES ((size_t)256 * 1024)

struct errand {
	errand_work work;
	const void *argument;
};

static int do_work(void *argument)
{
	const struct errand *errand = argument;

	_exit(-errand->work(errand->argument)); /* an errno fits an exit status */
}

/* 1: it is over, 0: it is not, in time. */
static int wait_for(int child_pidfd)
{
	struct pollfd waiting = {.fd = child_pidfd, .events = POLLIN};
	int ready;

	do
		ready = poll(&waiting, 1, TIMEOUT_MSEC);
	while (ready < 0 && errno == EINTR);
	return ready > 0;
}

int errand_run(enum errand_memory memory, errand_work work, const void *argument)
{
	int flags = SIGCHLD | CLONE_PIDFD | (memory == ERRAND_SHARED ? CLONE_VM : 0);
	struct errand errand = {work, argument};
	auto_close int child_pidfd = -EBADF;
	siginfo_t info = {0};
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int r;

	if (stack == MAP_FAILED)
		return -errno;
	r = clone(do_work, stack + STACK_BYTES, flags, &errand, &child_pidfd) < 0 ? -errno : 0;
	if (r == 0 && !wait_for(child_pidfd)) {
		/*
		 * It may be beyond the reach of signals until the guest's file system goes away
		 * with the guest, so nobody waits here; what is left of it goes with us.
		 */
		(void)pidfd_send_signal(child_pidfd, SIGKILL, NULL, 0);
		return -ETIMEDOUT;
	}
	if (r == 0 && waitid(P_PIDFD, (id_t)child_pidfd, &info, WEXITED) < 0)
		r = -errno;
	(void)munmap(stack, STACK_BYTES);
	TRY(r);
	return info.si_code == CLD_EXITED ? -info.si_status : -EIO;
}
