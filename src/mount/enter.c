/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the assembled tree the root of the namespace, with nothing of the host behind it.
 * Zone: doomed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "mount/mount-apply.h"

/* Deeper than roots can be stacked by a command line that means it. */
#define STACKED_ROOTS_MAX 64

/*
 * pivot_root(".", ".") stacks the old root on the new one (pivot_root(2)), where "/.." finds it. If
 * the user mounted on "/", the tree is stacked between them, so one umount(2) is not always enough:
 * the host's root stays in reach until "/.." is the new root itself.
 */
static int uncover_root(int root_fd)
{
	for (int i = 0; i < STACKED_ROOTS_MAX; i++) {
		struct statx top, root;

		if (statx(AT_FDCWD, "/..", AT_NO_AUTOMOUNT, STATX_MNT_ID, &top) < 0 ||
		    statx(root_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &root) < 0)
			return -errno;
		if (top.stx_mnt_id == root.stx_mnt_id)
			return 0;
		if (umount2("/..", MNT_DETACH) < 0)
			return -errno;
	}
	return -ELOOP;
}

/*
 * What the kernel unpacked at its start is the bottom of every namespace and cannot be pivoted
 * away. Mounting over it, as switch_root(8) does, will not do for us: root of the machine may
 * unmount what is over it, and that file system is the host's.
 */
static bool is_initial_root(void)
{
	struct statfs status;

	return statfs("/", &status) == 0 &&
	       (status.f_type == RAMFS_MAGIC || status.f_type == TMPFS_MAGIC);
}

int mount_enter(struct mount_site *site)
{
	int r;

	if (fchdir(site->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) {
		r = fail(-errno, "Cannot make the tree the root directory");
		if (r == -EINVAL && is_initial_root())
			hint("The kernel's initial root directory cannot be left: switch_root(8) to another file system first");
		return r;
	}
	r = uncover_root(site->root_fd);
	if (r < 0 || chdir("/") < 0)
		return fail(r < 0 ? r : -errno, "Cannot leave the host's root directory");
	return 0;
}

/* A child in a user namespace below ours and a mount namespace of that, to be waited for. */
static long fork_below(int *ret_pidfd, bool is_first)
{
	pid_t second = 2, maker = getpid();
	struct clone_args arguments = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		/* Does not count: who comes next is process 2 as well. */
		.set_tid = (uint64_t)(uintptr_t)&second,
		.set_tid_size = is_first ? 1 : 0,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		while (getppid() == maker)
			(void)pause();
		_exit(EXIT_FAILURE);
	}
	return pid < 0 ? -errno : pid;
}

int mount_lock(struct mount_site *site)
{
	auto_close int pidfd = -EBADF, root_fd = -EBADF;
	bool is_looked_into = prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
	long r = fork_below(&pidfd, getpid() == 1);

	if (r > 0) {
		r = setns(pidfd, CLONE_NEWNS) < 0 ? -errno : 0;
		pidfd_end(pidfd);
	}
	if (!is_looked_into || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		r = -EPERM;
	if (r < 0)
		return fail((int)r, "Cannot lock the mounts of the payload");
	/* The copy's: what we have open is in the namespace that we left. */
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 || dup3(root_fd, site->root_fd, O_CLOEXEC) < 0
		       ? fail(-errno, "Cannot lock the mounts of the payload")
		       : 0;
}

int mount_share(struct mount_site *site)
{
	struct mount_attr attr = {.propagation = MS_SHARED};

	if (mount_setattr(site->root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail(-errno,
			    "Cannot share the mounts of the tree among the payload's namespaces");
	return 0;
}
