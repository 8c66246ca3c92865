/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files of /proc/PID.
 * Zone: any.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/scope.h"

static int read_status(pid_t pid, char *ret_state, int *ret_parent)
{
	auto_free char *text = NULL;
	const char *end;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	TRY(file_read(AT_FDCWD, path, 65536, &text, NULL));
	/* The name before may hold anything. */
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %c %d", ret_state, ret_parent) == 2 ? 0 : -EIO;
}

bool process_is_stopped(pid_t pid)
{
	char state;
	int parent;

	return read_status(pid, &state, &parent) == 0 && (state == 'T' || state == 't');
}

pid_t process_parent(pid_t pid)
{
	char state;
	int parent;

	TRY(read_status(pid, &state, &parent));
	return parent;
}

static int look_at_own(const char *name, struct stat *ret)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, ret) < 0 ? -errno : 0;
}

static bool are_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int process_shares_namespace(pid_t pid, const char *name)
{
	struct stat ours, its;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	if (stat(path, &its) < 0)
		return -errno;
	TRY(look_at_own(name, &ours));
	return are_same(&ours, &its);
}

bool process_namespace_is_ours(int namespace_fd, const char *name)
{
	struct stat ours, its;

	return fstat(namespace_fd, &its) == 0 && look_at_own(name, &ours) == 0 &&
	       are_same(&ours, &its);
}
