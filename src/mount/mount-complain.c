/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sentence and the hint for each operation that fails.
 * Zone: doomed.
 */
#include "mount/mount-complain.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

static const char *describe(const struct mount_operation *operation)
{
	switch (operation->kind) {
	case OPERATION_NEW:
		return operation->source;
	case OPERATION_BIND:
		return "a directory";
	case OPERATION_OVERLAY:
		return "an overlay";
	case OPERATION_COVER:
		return "an inaccessible node";
	case OPERATION_REMOUNT:
		return "read-only flags";
	case OPERATION_BASE:
	case OPERATION_DEVICES:
	case OPERATION_RUN_HOST:
	case OPERATION_DIRECTORY:
	case OPERATION_HOST_FILES:
	case OPERATION_MACHINE_ID:
	case OPERATION_OS_CHECK:
	case _OPERATION_COUNT:
	default:
		return "files";
	}
}

/*
 * True if 'path' cannot be made because it is in a file system of the kernel, or would be once that
 * is mounted: by its name, or by a link of the tree's such as /etc/mtab.
 */
static bool leads_to_kernel(int root_fd, const char *path)
{
	char name[NAME_MAX + 1], link[PATH_MAX];
	auto_close int parent_fd = path_open_parent(root_fd, path, name);
	ssize_t length = 0;
	struct statfs status;

	if (parent_fd >= 0) {
		if (fstatfs(parent_fd, &status) == 0 &&
		    (status.f_type == PROC_SUPER_MAGIC || status.f_type == SYSFS_MAGIC))
			return true;
		length = readlinkat(parent_fd, name, link, sizeof(link) - 1);
	}
	if (length > 0) {
		link[length] = '\0';
		path = link;
	}
	while (*path == '/' || text_has_prefix(path, "../"))
		path += *path == '/' ? 1 : strlen("../");
	return text_has_prefix(path, "proc/") || text_has_prefix(path, "sys/");
}

static void explain(int root_fd, const struct mount_operation *operation, int r)
{
	bool makes_new = operation->kind == OPERATION_NEW;

	if (r == -EINVAL && operation->kind == OPERATION_BIND)
		hint("Directories cover directories only, and files only files");
	else if ((r == -ENOENT || r == -EROFS || r == -EACCES) &&
		 leads_to_kernel(root_fd, operation->target))
		hint("In /proc and /sys, where '%s' leads, is only what the kernel shows: name another place",
		     operation->target);
	else if (r == -ENOENT && operation->makes_target)
		hint("A symbolic link on the way to '%s' leads nowhere inside the tree; replace it with a directory",
		     operation->target);
	else if (r == -EPERM && makes_new &&
		 (operation->magic == PROC_SUPER_MAGIC || operation->magic == SYSFS_MAGIC))
		hint("In a container this takes '--nesting' of the one outside");
	else if (r == -ELOOP)
		hint("Symbolic links on the way to '%s' run in a circle or leave the tree",
		     operation->target);
}

void mount_complain(int root_fd, const struct mount_operation *operation, int r)
{
	if (operation->kind == OPERATION_BIND &&
	    (operation->place == SOURCE_HOST || operation->place == SOURCE_TREE))
		(void)fail(r, "Cannot bind '%s' to '%s' in the tree", operation->source,
			   operation->target);
	else
		(void)fail(r, "Cannot mount %s on '%s' in the tree", describe(operation),
			   operation->target);
	explain(root_fd, operation, r);
}
