/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the map of a single id.
 * Zone: owing.
 */
#include "ids/single.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/scope.h"

static int write_file(int proc_fd, pid_t pid, const char *name, const char *text)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s%d/%s", proc_fd == AT_FDCWD ? "/proc/" : "", (int)pid,
		       name);
	return file_write(proc_fd, path, text);
}

static int write_map(int proc_fd, pid_t pid, const char *name, const struct id_map *map)
{
	char text[64];

	assert(map->count == 1 && map->items[0].count == 1);
	(void)snprintf(text, sizeof(text), "%u %u 1", map->items[0].inside, map->items[0].outside);
	return write_file(proc_fd, pid, name, text);
}

int ids_write_single(int proc_fd, pid_t pid, const struct id_maps *maps)
{
	TRY(write_file(proc_fd, pid, "setgroups", "deny"));
	TRY(write_map(proc_fd, pid, "uid_map", &maps->users));
	return write_map(proc_fd, pid, "gid_map", &maps->groups);
}
