/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes a group with everything below it.
 * Zone: owing.
 *
 * Names in there are the guest's choice, so nothing is reached by a path: we walk by descriptor,
 * and only into directories.
 */
#include "manager/cgroup-tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"
#include "manager/cgroup-find.h"

#define DRAIN_MS 1000

/*
 * Waits until no process lives in the group or below. A dying one keeps it populated for a moment
 * after SIGKILL.
 */
static int wait_unpopulated(int group_fd, int timeout_ms)
{
	auto_close int fd = openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end_ms = clock_now_msec() + timeout_ms;

	if (fd < 0)
		return -errno;
	for (;;) {
		struct pollfd event = {.fd = fd, .events = POLLPRI};
		char text[256];
		ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
		int64_t left_ms = end_ms - clock_now_msec();

		if (length < 0)
			return errno == ENODEV ? 0 : -errno; /* ENODEV: the group is gone already */
		text[length] = '\0';
		if (strstr(text, "populated 0"))
			return 0;
		if (left_ms <= 0)
			return -EBUSY;
		if (poll(&event, 1, (int)left_ms) < 0 && errno != EINTR)
			return -errno;
	}
}

/*
 * Removes the groups in 'group_fd' that have none below. Returns how many went; *ret_name is one
 * that did not, or empty.
 */
static int remove_leaves(int group_fd, char *ret_name)
{
	_Alignas(struct dirent64) char buffer[4096];
	int removed = 0;
	ssize_t length;

	*ret_name = '\0';
	while ((length = getdents64(group_fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < length;) {
			const struct dirent64 *entry = (const void *)(buffer + at);

			at += entry->d_reclen;
			if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
			    strcmp(entry->d_name, "..") == 0)
				continue;
			if (unlinkat(group_fd, entry->d_name, AT_REMOVEDIR) == 0)
				removed++;
			else if (errno == EBUSY)
				strcpy(ret_name, entry->d_name);
			else if (errno != ENOENT)
				return -errno;
		}
	}
	return length < 0 ? -errno : removed;
}

/*
 * Empties a group of groups without recursion, since the guest decides how deep they are: go down
 * into one that is not empty, and up once nothing is left in it. Coming up must let us remove at
 * least the one that we came from; otherwise processes live there.
 */
static int remove_below(int top_fd)
{
	auto_close int current_fd = openat(top_fd, ".", CGROUP_OPEN_FLAGS);
	bool came_up = false;
	size_t depth = 0;

	for (;;) {
		char name[NAME_MAX + 1];
		int removed, next_fd;

		if (current_fd < 0)
			return -errno;
		removed = remove_leaves(current_fd, name);
		if (removed < 0)
			return removed;
		if (removed == 0 && came_up)
			return -EBUSY;
		if (!*name && depth == 0)
			return 0;
		came_up = !*name;
		next_fd = openat(current_fd, came_up ? ".." : name, CGROUP_OPEN_FLAGS);
		if (next_fd < 0)
			return -errno;
		(void)close(current_fd); /* a directory: nothing to lose */
		current_fd = next_fd;
		depth = came_up ? depth - 1 : depth + 1;
	}
}

int cgroup_remove_tree(int parent_fd, const char *name)
{
	auto_close int fd = -EBADF;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY)
		return -errno;
	fd = cgroup_open(parent_fd, name);
	if (fd < 0)
		return fd;
	TRY(wait_unpopulated(fd, DRAIN_MS));
	TRY(remove_below(fd));
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}
