/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots and removal of btrfs subvolumes with what is nested in them.
 * Zone: owing.
 */
#include "image/btrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/path.h"
#include "base/scope.h"

/* Each level holds two descriptors and two pages while it is being worked on. */
#define DEPTH_MAX 32

/* The inode of every subvolume's top directory (BTRFS_FIRST_FREE_OBJECTID). */
#define TOP_INODE 256

bool btrfs_is_subvolume(int fd)
{
	struct statfs system;
	struct stat status;

	return fstatfs(fd, &system) == 0 &&
	       (unsigned long)system.f_type == (unsigned long)BTRFS_SUPER_MAGIC &&
	       fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) && status.st_ino == TOP_INODE;
}

static bool read_id(int fd, struct btrfs_ioctl_fs_info_args *ret)
{
	auto_close int again_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return again_fd >= 0 && ioctl(again_fd, BTRFS_IOC_FS_INFO, ret) == 0;
}

bool btrfs_is_shared(int fd, int other_fd)
{
	struct btrfs_ioctl_fs_info_args info = {0}, other = {0};
	struct statfs system;

	return fstatfs(other_fd, &system) == 0 &&
	       (unsigned long)system.f_type == (unsigned long)BTRFS_SUPER_MAGIC &&
	       read_id(fd, &info) && read_id(other_fd, &other) &&
	       memcmp(info.fsid, other.fsid, sizeof(info.fsid)) == 0;
}

/* The calls want a descriptor that is open for reading. */
static int open_subvolume(int parent_fd, const char *name)
{
	auto_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return btrfs_is_subvolume(fd) ? steal_fd(fd) : -EINVAL;
}

/* --- What is nested --- */

/* Of one work: 'path' leads from the subvolume at hand to one in it. */
typedef int (*child_function)(void *work, int fd, const char *path, unsigned int depth);

static int visit_child(int fd, uint64_t id, uint64_t directory, child_function function, void *work,
		       unsigned int depth)
{
	struct btrfs_ioctl_ino_lookup_user_args where = {.treeid = id, .dirid = directory};
	char path[sizeof(where.path) + sizeof(where.name) + 1];

	/* ENOENT: it is gone meanwhile. */
	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP_USER, &where) < 0)
		return errno == ENOENT ? 0 : -errno;
	(void)snprintf(path, sizeof(path), "%s%s", where.path, where.name);
	return function(work, fd, path, depth);
}

static int for_each_child(int fd, child_function function, void *work, unsigned int depth)
{
	struct btrfs_ioctl_get_subvol_rootref_args list = {0};
	bool is_all = false;

	while (!is_all) {
		is_all = ioctl(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, &list) == 0;
		/* More than fit; the kernel says where to go on. */
		if (!is_all && errno != EOVERFLOW)
			return -errno;
		for (size_t i = 0; i < list.num_items; i++)
			TRY(visit_child(fd, list.rootref[i].treeid, list.rootref[i].dirid, function,
					work, depth));
	}
	return 0;
}

/* --- Making --- */

static int snapshot_one(int source_fd, int parent_fd, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 request = {.fd = source_fd};

	if (strlen(name) >= sizeof(request.name))
		return -ENAMETOOLONG;
	memcpy(request.name, name, strlen(name) + 1);
	return ioctl(parent_fd, BTRFS_IOC_SNAP_CREATE_V2, &request) < 0 ? -errno : 0;
}

/* Where a subvolume was nested, the snapshot has an empty directory that takes no files. */
static int snapshot_child(void *work, int fd, const char *path, unsigned int depth)
{
	int copy_fd = *(int *)work;
	char name[NAME_MAX + 1];
	auto_close int source_fd = path_open(fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	auto_close int parent_fd = path_open_parent(copy_fd, path, name);
	auto_close int again_fd = -EBADF, child_fd = -EBADF;

	if (source_fd < 0 || parent_fd < 0)
		return source_fd < 0 ? source_fd : parent_fd;
	if (depth == DEPTH_MAX)
		return -ELOOP;
	again_fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again_fd < 0 || unlinkat(again_fd, name, AT_REMOVEDIR) < 0)
		return -errno;
	TRY(snapshot_one(source_fd, again_fd, name));
	child_fd = open_subvolume(again_fd, name);
	TRY(child_fd);
	return for_each_child(source_fd, snapshot_child, &child_fd, depth + 1);
}

int btrfs_snapshot(int source_fd, int parent_fd, const char *name)
{
	auto_close int fd = open_subvolume(source_fd, ".");
	auto_close int into_fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int copy_fd = -EBADF;
	int r;

	TRY(fd);
	if (into_fd < 0)
		return -errno;
	TRY(snapshot_one(fd, into_fd, name));
	copy_fd = open_subvolume(into_fd, name);
	r = copy_fd < 0 ? copy_fd : for_each_child(fd, snapshot_child, &copy_fd, 0);
	if (r < 0)
		(void)btrfs_remove(into_fd, name); /* best effort: the first failure is told */
	return r;
}

/* --- Removing --- */

struct removal {
	int top_fd;
	unsigned int lifted; /* subvolumes moved up to it, since they were too deep */
};

static int remove_child(void *work, int fd, const char *path, unsigned int depth);

static int destroy(int parent_fd, const char *name)
{
	struct btrfs_ioctl_vol_args request = {0};

	if (strlen(name) >= sizeof(request.name))
		return -ENAMETOOLONG;
	memcpy(request.name, name, strlen(name) + 1);
	return ioctl(parent_fd, BTRFS_IOC_SNAP_DESTROY, &request) < 0 ? -errno : 0;
}

/* From a read-only one nothing can be taken out. */
static void make_writable(int fd)
{
	uint64_t flags;

	if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0 || !(flags & BTRFS_SUBVOL_RDONLY))
		return;
	flags &= ~(uint64_t)BTRFS_SUBVOL_RDONLY;
	(void)ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags);
}

/* However deep somebody nested them: what is too deep is removed as one of the top. */
static int lift(struct removal *removal, int parent_fd, const char *name)
{
	char lifted[32];

	for (;;) {
		(void)snprintf(lifted, sizeof(lifted), ".nspawn-%u", removal->lifted++);
		if (renameat2(parent_fd, name, removal->top_fd, lifted, RENAME_NOREPLACE) == 0)
			return 0;
		/* Somebody foresaw the name. */
		if (errno != EEXIST)
			return -errno;
	}
}

static int remove_child(void *work, int fd, const char *path, unsigned int depth)
{
	struct removal *removal = work;
	char name[NAME_MAX + 1];
	auto_close int above_fd = path_open_parent(fd, path, name);
	auto_close int parent_fd = -EBADF, child_fd = -EBADF;

	TRY(above_fd);
	parent_fd = openat(above_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0)
		return -errno;
	child_fd = open_subvolume(parent_fd, name);
	TRY(child_fd);
	if (depth == DEPTH_MAX)
		return lift(removal, parent_fd, name);
	make_writable(child_fd);
	TRY(for_each_child(child_fd, remove_child, removal, depth + 1));
	return destroy(parent_fd, name);
}

int btrfs_remove(int parent_fd, const char *name)
{
	auto_close int into_fd = openat(parent_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = into_fd < 0 ? -EBADF : open_subvolume(into_fd, name);
	struct removal removal = {.top_fd = fd};
	unsigned int before;

	if (into_fd < 0)
		return -EBADF;
	TRY(fd);
	make_writable(fd);
	do {
		before = removal.lifted;
		TRY(for_each_child(fd, remove_child, &removal, 0));
	} while (removal.lifted > before);
	return destroy(into_fd, name);
}
