/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walks through groups by descriptors (Documentation/admin-guide/cgroup-v2.rst). Names of groups
 * below a machine's own are the guest's.
 * Zone: free.
 */
#include "manager/cgroup-walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/scope.h"
#include "manager/cgroup-find.h"

#define DEPTH_MAX 48

/* 0 is somebody outside of our own view. */
int cgroup_walk_one(int group_fd, size_t *left, cgroup_process_function function, void *argument)
{
	auto_close int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	auto_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "re");
	char line[32];
	int r = 0;

	if (!file)
		return 0;
	(void)steal_fd(fd);
	while (r == 0 && *left > 0 && fgets(line, sizeof(line), file)) {
		int pid = atoi(line);

		(*left)--;
		if (pid > 0)
			r = function(pid, argument);
	}
	return r;
}

int cgroup_next_below(DIR *directory, const char **ret_name)
{
	const struct dirent *item;
	int fd;

	while ((item = readdir(directory))) {
		if (item->d_type != DT_DIR || *item->d_name == '.')
			continue;
		fd = cgroup_open(dirfd(directory), item->d_name);
		if (fd < 0)
			continue;
		*ret_name = item->d_name;
		return fd;
	}
	return -ENOENT;
}

DIR *cgroup_open_below(int group_fd)
{
	auto_close int fd = openat(group_fd, ".", CGROUP_OPEN_FLAGS);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (directory)
		(void)steal_fd(fd);
	return directory;
}

static int walk(int group_fd, unsigned int depth, size_t *left, cgroup_process_function function,
		void *argument)
{
	auto_closedir DIR *directory = NULL;
	const char *name;
	int fd, r = cgroup_walk_one(group_fd, left, function, argument);

	if (r != 0 || depth >= DEPTH_MAX)
		return r;
	directory = cgroup_open_below(group_fd);
	while (r == 0 && directory && (fd = cgroup_next_below(directory, &name)) >= 0) {
		r = walk(fd, depth + 1, left, function, argument);
		(void)close(fd);
	}
	return r;
}

int cgroup_walk(int group_fd, cgroup_process_function function, void *argument)
{
	size_t left = CGROUP_PROCESSES_MAX;

	return walk(group_fd, 0, &left, function, argument);
}
