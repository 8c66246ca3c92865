/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes directories that a payload could write to.
 * Zone: owing.
 */
#include "base/tree-remove.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

/* Each level holds a descriptor and a buffer while it is being emptied. */
#define DEPTH_MAX 64

struct removal {
	int top_fd;          /* the directory to be emptied */
	unsigned int lifted; /* directories moved up to it, since they were too deep */
};

static int empty_directory(struct removal *removal, int fd, unsigned int depth);

/* A payload may set these (ioctl_iflags(2)), and then nobody removes anything. */
static int thaw(int fd)
{
	int flags, r = ioctl(fd, FS_IOC_GETFLAGS, &flags);

	if (r < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return -EPERM;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

/* An ordinary user, unlike root, is kept out of directories of his own by their mode. */
static int open_own_directory(int parent_fd, const char *name)
{
	auto_close int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	char path[32];

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (status.st_uid == geteuid() && (status.st_mode & S_IRWXU) != S_IRWXU)
		(void)chmod(path, S_IRWXU); /* the next call will tell */
	return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Never what is mounted there: that is somebody else's, and was not made by who filled the rest. */
static int open_directory(int parent_fd, const char *name)
{
	auto_close int fd = geteuid() == 0 ? openat(parent_fd, name,
						    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
					   : open_own_directory(parent_fd, name);
	struct statx status;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, 0, &status) < 0)
		return -errno;
	if (status.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EBUSY;
	(void)thaw(fd);
	return steal_fd(fd);
}

static int remove_frozen_file(int parent_fd, const char *name)
{
	auto_close int fd = -EBADF;
	struct stat status;

	if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EPERM;
	fd = openat(parent_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	TRY(thaw(fd));
	return unlinkat(parent_fd, name, 0) < 0 ? -errno : 0;
}

static int remove_entry(struct removal *removal, int parent_fd, const char *name,
			unsigned int depth)
{
	auto_close int fd = -EBADF;
	char lifted[32];

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = open_directory(parent_fd, name);
	if (fd == -ENOTDIR)
		return remove_frozen_file(parent_fd, name);
	if (fd < 0)
		return fd;
	/* However deep somebody nested directories: what is too deep is emptied as one of the top.
	 */
	if (depth == DEPTH_MAX) {
		for (;;) {
			(void)snprintf(lifted, sizeof(lifted), ".nspawn-%u", removal->lifted++);
			if (renameat(parent_fd, name, removal->top_fd, lifted) == 0)
				return 0;
			/* Somebody foresaw the name. */
			if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
				return -errno;
		}
	}
	TRY(empty_directory(removal, steal_fd(fd), depth + 1));
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Takes over 'fd'. */
static int empty_directory(struct removal *removal, int fd, unsigned int depth)
{
	auto_closedir DIR *directory = fdopendir(fd);
	int first = 0;

	if (!directory) {
		(void)close(fd);
		return -ENOMEM;
	}
	/* One that stays is no reason for others to stay. */
	for (struct dirent *entry; (entry = readdir(directory));) {
		int r = 0;

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = remove_entry(removal, dirfd(directory), entry->d_name, depth);
		if (first == 0)
			first = r;
	}
	return first;
}

int tree_remove(int parent_fd, const char *name)
{
	struct removal removal = {.top_fd = -EBADF};
	unsigned int before;
	int r;

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	do {
		auto_close int fd = open_directory(parent_fd, name);
		int again;

		if (fd < 0)
			return fd;
		again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (again < 0)
			return -errno;
		before = removal.lifted;
		removal.top_fd = fd;
		r = empty_directory(&removal, again, 0);
	} while (removal.lifted > before);
	TRY(r);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
