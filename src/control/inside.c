/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Joins the user namespace of a machine of the caller's.
 * Zone: free.
 */
#include "control/inside.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "host/places.h"
#include "host/registry.h"

/*
 * Who made a namespace has every right in it (user_namespaces(7)). Only the ids are shared with the
 * machine: its processes are among others and see nothing of us.
 */
static int join(int pidfd)
{
	if (setns(pidfd, CLONE_NEWUSER) < 0)
		return -errno;
	(void)setgroups(0, NULL); /* refused where there is only one id */
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    /* Whoever ends us means the child, which then leaves nothing half made. */
	    prctl(PR_SET_PDEATHSIG, SIGINT, 0, 0, 0) < 0 || unshare(CLONE_NEWNS) < 0)
		return -errno;
	return 0;
}

__attribute__((noreturn)) static void run_inside(int pidfd, const char *machine,
						 const struct places *places,
						 control_inside_function function, void *argument)
{
	int r = join(pidfd);

	r = r < 0 ? fail(r, "Cannot join the user namespace of machine '%s'", machine)
		  : function(places, argument);
	_exit(r < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int run_as_user(const char *machine, const struct places *places,
		       control_inside_function function, void *argument)
{
	auto_arena struct arena arena = {0};
	auto_close int pidfd = -EBADF;
	struct registry_entry entry;
	int status = 0;
	pid_t pid;

	TRY(registry_find(&arena, places, machine, &entry));
	pidfd = (int)syscall(SYS_pidfd_open, entry.leader, 0);
	if (pidfd < 0)
		return fail(-errno, "Cannot join the user namespace of machine '%s'", machine);
	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return fail(-errno, "Cannot join the user namespace of machine '%s'", machine);
	if (pid == 0)
		run_inside(pidfd, machine, places, function, argument);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -EIO;
}

int control_inside(const char *machine, control_inside_function function, void *argument)
{
	auto_arena struct arena arena = {0};
	struct places places;

	TRY(places_find(&arena, SCOPE_AUTO, &places));
	return places.is_user ? run_as_user(machine, &places, function, argument)
			      : function(&places, argument);
}
