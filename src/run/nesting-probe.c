/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a container that does nothing, in the place of one that will.
 * Zone: doomed.
 */
#include "run/nesting-probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "mount/detached.h"
#include "mount/mount-plan.h"

static int try_ids(int proc_fd)
{
	/* Of the host's program as which we are still running, only our own files in proc. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return -errno;
	TRY(file_write(proc_fd, "self/setgroups", "deny"));
	TRY(file_write(proc_fd, "self/uid_map", "0 0 1"));
	return file_write(proc_fd, "self/gid_map", "0 0 1");
}

static int try_proc(int proc_fd)
{
	auto_close int fd = detached_new("proc", NULL, /* flags= */ 0, NULL, 0);

	(void)proc_fd;
	return fd < 0 ? fd : 0;
}

/* Read-only, as containers have it; where the host's is, no other kind can be had. */
static int try_sysfs(int proc_fd)
{
	auto_close int fd = detached_new("sysfs", NULL, MOUNT_FLAG_READ_ONLY, NULL, 0);

	(void)proc_fd;
	return fd < 0 ? fd : 0;
}

/* On a tmpfs that is put over /proc, a directory that there always is and that nobody else sees. */
static int try_overlay(int proc_fd)
{
	static const char *const directories[] = {"lower", "upper", "work"};
	auto_close int fd = detached_new("tmpfs", NULL, 0, NULL, 0);

	(void)proc_fd;
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		if (mkdirat(fd, directories[i], 0755) < 0)
			return -errno;
	if (move_mount(fd, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    chdir("/proc") < 0 ||
	    mount("overlay", "lower", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") <
		    0)
		return -errno;
	return 0;
}

/* clang-format off */
static const struct {
	const char *what;
	int (*try)(int proc_fd);
} steps[] = {
	{"ids of its own",        try_ids},
	{"a proc of its own",     try_proc},
	{"a sysfs of its network", try_sysfs},
	{"an overlay",            try_overlay},
};
/* clang-format on */

struct verdict {
	size_t step;
	int error; /* negative errno, 0: all went well */
};

static void be_nested(int proc_fd, int verdict_fd) __attribute__((noreturn));

static void be_nested(int proc_fd, int verdict_fd)
{
	struct verdict verdict = {0};

	for (; verdict.step < ARRAY_LEN(steps) && verdict.error == 0; verdict.step++)
		verdict.error = steps[verdict.step].try(proc_fd);
	_exit(fd_write_all(verdict_fd, &verdict, sizeof(verdict)) < 0 ? EXIT_FAILURE
								      : EXIT_SUCCESS);
}

static int tell(const struct verdict *verdict)
{
	(void)fail(verdict->error, "Cannot nest containers: the kernel refuses one inside %s",
		   steps[verdict->step - 1].what);
	if (verdict->error == -EPERM)
		hint("Something around this machine hides a part of /proc or /sys from it: another container needs '--nesting' too");
	return verdict->error;
}

int nesting_probe(int proc_fd)
{
	struct clone_args arguments = {
		.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	struct verdict verdict = {0};
	int pipe_fds[2];
	ssize_t length;
	long pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return fail(-errno, "Cannot make a pipe for trying a container inside");
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid == 0)
		be_nested(proc_fd, pipe_fds[1]);
	if (pid < 0)
		verdict.error = -errno;
	(void)close(pipe_fds[1]);
	length = pid < 0 ? 0 : read(pipe_fds[0], &verdict, sizeof(verdict));
	(void)close(pipe_fds[0]);
	if (pid < 0) {
		(void)fail(verdict.error,
			   "Cannot nest containers: the kernel refuses one inside its namespaces");
		hint("See the limits in /proc/sys/user, and kernel.unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns where there are such");
		return verdict.error;
	}
	while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (length != sizeof(verdict))
		return refuse(EIO, "Cannot nest containers: the one that was tried was killed");
	return verdict.error < 0 ? tell(&verdict) : 0;
}
