/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order in which a mount plan is carried out, and by which process.
 * Zone: doomed. The host's file system is in view until mount_enter(); nothing here may open a path
 * of the tree but through base/path.
 */
#include "mount/mount-apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "mount/detached.h"
#include "mount/mount-perform.h"

/*
 * A tree full of links can make our mounts land on each other; a payload that finds its /proc
 * elsewhere must not start.
 */
static int verify(const struct mount_site *site, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		const struct mount_operation *operation = &site->plan->items[i];
		struct statfs status;
		auto_close int fd = -EBADF;

		if (operation->magic == 0)
			continue;
		fd = path_open(site->root_fd, operation->target, O_PATH, 0);
		if (fd < 0 || fstatfs(fd, &status) < 0 ||
		    (unsigned long)status.f_type != operation->magic) {
			(void)refuse(EINVAL,
				     "The tree hides '%s': it is not the %s that was mounted there",
				     operation->target, operation->source);
			hint("Replace symbolic links among /proc, /sys, /dev and /run in the tree with directories");
			return -ECANCELED;
		}
	}
	return 0;
}

/*
 * What is bound from the tree once the user's own mounts may cover it there, or from where the
 * payload's process cannot: taken beforehand. Without one it is missing, which is told when it is
 * needed.
 */
static void prepare_late(struct mount_site *site)
{
	const struct mount_plan *plan = site->plan;

	site->late_fds = arena_allocate(site->sources->arena,
					(plan->count - plan->early_count + 1) * sizeof(int));
	for (size_t i = plan->early_count; i < plan->count; i++) {
		const struct mount_operation *operation = &plan->items[i];

		site->late_fds[i - plan->early_count] =
			site->sources->fds[i] >= 0 ? site->sources->fds[i]
						   : mount_take_source(site, operation);
	}
}

/* Our own mounts are verified, and taken from, before the user's may cover them. */
static int apply_early(struct mount_site *site)
{
	bool is_custom = false;

	for (size_t i = 0; i < site->plan->early_count; i++) {
		const struct mount_operation *operation = &site->plan->items[i];

		if (operation->is_custom && !is_custom && strcmp(operation->target, "/") != 0) {
			TRY(verify(site, 0, i));
			prepare_late(site);
			is_custom = true;
		}
		TRY(mount_perform(site, operation, site->sources->fds[i]));
	}
	if (is_custom)
		return 0;
	prepare_late(site);
	return verify(site, 0, site->plan->early_count);
}

int mount_finish(struct mount_site *site)
{
	bool is_custom = false;

	for (size_t i = site->plan->early_count; i < site->plan->count; i++) {
		const struct mount_operation *operation = &site->plan->items[i];

		if (operation->is_custom && !is_custom) {
			TRY(verify(site, site->plan->early_count, i));
			is_custom = true;
		}
		TRY(mount_perform(site, operation, site->late_fds[i - site->plan->early_count]));
	}
	return is_custom ? 0 : verify(site, site->plan->early_count, site->plan->count);
}

int mount_move_in(struct mount_site *site)
{
	int fd;

	/*
	 * The working directory is all of a process that follows it into a copy of its mount
	 * namespace. The tree there is locked to what it covers, and so could not become the root
	 * (mount_namespaces(7)); a view of it is free, and what is mounted in it stays locked.
	 */
	site->root_fd = open_tree(
		AT_FDCWD, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
	if (site->root_fd < 0 ||
	    move_mount(site->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(-errno, "Cannot attach the tree in the payload's namespace");
	fd = path_open(site->root_fd, "/run", O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fail(fd, "Cannot find the tree's /run in the payload's namespace");
	site->run_fd = fd;
	site->root_id = 0;
	site->maps = NULL;
	return 0;
}

int mount_assemble(struct mount_site *site, const char *place)
{
	int r;

	site->dev_fd = site->pts_fd = site->run_fd = site->proc_fd = site->sysfs_fd =
		site->run_host_fd = site->kmsg_fd = -EBADF;
	/* Our copy of the host's mounts hears of changes there but never tells of ours. */
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return fail(-errno, "Cannot make the mount namespace private");
	site->root_fd = site->sources->tree_fd;
	r = detached_set_flags(site->root_fd, 0, true);
	if (r < 0)
		return fail(r, "Cannot make the view of the tree private");
	if (move_mount(site->root_fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(-errno, "Cannot attach the tree");
	return apply_early(site);
}

int mount_apply_one(struct mount_site *site, const struct mount_operation *operation)
{
	return mount_perform(site, operation, -EBADF);
}
