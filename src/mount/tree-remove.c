/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes directories that a payload could write to.
 * Zone: owing.
 */
#include "mount/tree-remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

static int remove_entry(struct removal *removal, int parent_fd, const char *name,
			unsigned int depth)
{
	auto_close int fd = -EBADF;
	char lifted[32];

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	/* However deep somebody nested directories: what is too deep is emptied as one of the top.
	 */
	if (depth == DEPTH_MAX) {
		(void)snprintf(lifted, sizeof(lifted), ".nspawn-%u", removal->lifted++);
		return renameat(parent_fd, name, removal->top_fd, lifted) < 0 ? -errno : 0;
	}
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	TRY(empty_directory(removal, steal_fd(fd), depth + 1));
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Takes over 'fd'. */
static int empty_directory(struct removal *removal, int fd, unsigned int depth)
{
	auto_closedir DIR *directory = fdopendir(fd);

	if (!directory) {
		(void)close(fd);
		return -ENOMEM;
	}
	for (struct dirent *entry; (entry = readdir(directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			TRY(remove_entry(removal, dirfd(directory), entry->d_name, depth));
	return 0;
}

int tree_remove(int parent_fd, const char *name)
{
	struct removal removal = {.top_fd = -EBADF};
	unsigned int before;

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	do {
		auto_close int fd =
			openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int again;

		if (fd < 0)
			return -errno;
		again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (again < 0)
			return -errno;
		before = removal.lifted;
		removal.top_fd = fd;
		TRY(empty_directory(&removal, again, 0));
	} while (removal.lifted > before);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
