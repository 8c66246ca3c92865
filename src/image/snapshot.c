/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots by ioctl (linux/btrfs.h).
 * Zone: owing.
 */
#include "image/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/scope.h"

#define SUBVOLUME_INODE 256 /* of the root of every subvolume */
/* Of subvolumes in subvolumes: each level holds a few pages of stack. */
#define DEPTH_MAX 32

static int snapshot_at_depth(int from_fd, int to_directory_fd, const char *name,
			     unsigned int depth);

bool snapshot_is_possible(int fd)
{
	struct statfs file_system;
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_ino == SUBVOLUME_INODE &&
	       fstatfs(fd, &file_system) == 0 && file_system.f_type == BTRFS_SUPER_MAGIC;
}

/* Each subvolume has a device number and a file system id of its own. */
bool snapshot_is_shared(int fd, int other_fd)
{
	struct btrfs_ioctl_fs_info_args ours = {0}, theirs = {0};

	return ioctl(fd, BTRFS_IOC_FS_INFO, &ours) == 0 &&
	       ioctl(other_fd, BTRFS_IOC_FS_INFO, &theirs) == 0 &&
	       memcmp(ours.fsid, theirs.fsid, sizeof(ours.fsid)) == 0;
}

static int create(int from_fd, int to_directory_fd, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 arguments = {.fd = from_fd};

	if (strlen(name) >= sizeof(arguments.name))
		return -ENAMETOOLONG;
	strcpy(arguments.name, name);
	return ioctl(to_directory_fd, BTRFS_IOC_SNAP_CREATE_V2, &arguments) < 0 ? -errno : 0;
}

/* The kernel's own path within the subvolume: directories only, no links. */
static int open_below(int fd, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long found = syscall(SYS_openat2, fd, *path ? path : ".", &how, sizeof(how));

	return found < 0 ? -errno : (int)found;
}

/* In the snapshot there is an empty directory in the place of a subvolume. */
static int snapshot_child(int from_fd, int to_fd, uint64_t tree_id, uint64_t directory_id,
			  unsigned int depth)
{
	struct btrfs_ioctl_ino_lookup_user_args where = {.dirid = directory_id, .treeid = tree_id};
	auto_close int from_parent_fd = -EBADF, to_parent_fd = -EBADF, child_fd = -EBADF;
	struct stat parent;
	int r;

	if (ioctl(from_fd, BTRFS_IOC_INO_LOOKUP_USER, &where) < 0)
		return errno == ENOENT ? 0 : -errno;
	from_parent_fd = open_below(from_fd, where.path);
	TRY(from_parent_fd);
	to_parent_fd = open_below(to_fd, where.path);
	TRY(to_parent_fd);
	child_fd = open_below(from_parent_fd, where.name);
	TRY(child_fd);
	if (fstat(to_parent_fd, &parent) < 0)
		return -errno;
	if (unlinkat(to_parent_fd, where.name, AT_REMOVEDIR) < 0)
		return -errno;
	r = snapshot_at_depth(child_fd, to_parent_fd, where.name, depth + 1);
	if (r == 0 &&
	    futimens(to_parent_fd, (struct timespec[]){parent.st_atim, parent.st_mtim}) < 0)
		r = -errno;
	return r;
}

static int snapshot_children(int from_fd, int to_fd, unsigned int depth)
{
	struct btrfs_ioctl_get_subvol_rootref_args children = {0};
	bool has_more = true;

	while (has_more) {
		has_more = false;
		if (ioctl(from_fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, &children) < 0) {
			/* More than fit are told by and by, from 'min_treeid' on. */
			if (errno != EOVERFLOW)
				return -errno;
			has_more = true;
		}
		for (unsigned int i = 0; i < children.num_items; i++)
			TRY(snapshot_child(from_fd, to_fd, children.rootref[i].treeid,
					   children.rootref[i].dirid, depth));
	}
	return 0;
}

static int snapshot_at_depth(int from_fd, int to_directory_fd, const char *name, unsigned int depth)
{
	auto_close int fd = -EBADF;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	TRY(create(from_fd, to_directory_fd, name));
	fd = openat(to_directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return snapshot_children(from_fd, fd, depth);
}

int snapshot_make(int from_fd, int to_directory_fd, const char *name)
{
	return snapshot_at_depth(from_fd, to_directory_fd, name, 0);
}

void snapshot_delete(int directory_fd, const char *name)
{
	struct btrfs_ioctl_vol_args arguments = {0};

	(void)snprintf(arguments.name, sizeof(arguments.name), "%s", name);
	(void)ioctl(directory_fd, BTRFS_IOC_SNAP_DESTROY, &arguments);
}
