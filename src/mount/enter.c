/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the assembled tree the root of the namespace, with nothing of the host behind it.
 * Zone: doomed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
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

int mount_enter(struct mount_site *site)
{
	int r;

	if (fchdir(site->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return fail(-errno, "Cannot make the tree the root directory");
	r = uncover_root(site->root_fd);
	if (r < 0 || chdir("/") < 0)
		return fail(r < 0 ? r : -errno, "Cannot leave the host's root directory");
	return 0;
}

int mount_share(struct mount_site *site)
{
	struct mount_attr attr = {.propagation = MS_SHARED};

	if (mount_setattr(site->root_fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return fail(-errno,
			    "Cannot share the mounts of the tree among the payload's namespaces");
	return 0;
}
