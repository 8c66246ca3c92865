/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks ids up in maps, and writes maps for the kernel.
 * Zone: any.
 */
#include "ids/id-map.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"

/* "4294967295 4294967295 4294967295\n" */
#define LINE_MAX_BYTES 34

static uint32_t look_up(uint32_t id, uint32_t first, uint32_t count, uint32_t other)
{
	return id >= first && id - first < count ? other + (id - first) : UINT32_MAX;
}

uint32_t id_map_to_outside(const struct id_map *map, uint32_t inside)
{
	uint32_t found = UINT32_MAX;

	for (size_t i = 0; i < map->count && found == UINT32_MAX; i++)
		found = look_up(inside, map->items[i].inside, map->items[i].count,
				map->items[i].outside);
	return found;
}

uint32_t id_map_to_inside(const struct id_map *map, uint32_t outside)
{
	uint32_t found = UINT32_MAX;

	for (size_t i = 0; i < map->count && found == UINT32_MAX; i++)
		found = look_up(outside, map->items[i].outside, map->items[i].count,
				map->items[i].inside);
	return found;
}

int id_map_read(struct arena *arena, const char *path, struct id_map *ret)
{
	struct id_extent *items = NULL;
	size_t count = 0, room = 0;
	auto_free char *text = NULL;
	char *rest = NULL;

	TRY(file_read(AT_FDCWD, path, (size_t)64 * 1024, &text, NULL));
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct id_extent extent;

		if (sscanf(line, "%u %u %u", &extent.inside, &extent.outside, &extent.count) != 3)
			return -EPROTO;
		*(struct id_extent *)array_grow(arena, &items, &count, &room, sizeof(*items)) =
			extent;
	}
	*ret = (struct id_map){items, count};
	return 0;
}

/* The whole map in one write(2), as the kernel wants it; it takes less than a page. */
static int write_map(pid_t pid, const char *file, const struct id_map *map)
{
	char path[48], text[4096];
	size_t used = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	for (size_t i = 0; i < map->count; i++) {
		if (sizeof(text) - used <= LINE_MAX_BYTES)
			return -E2BIG;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u %u %u\n",
					 map->items[i].inside, map->items[i].outside,
					 map->items[i].count);
	}
	return file_write(AT_FDCWD, path, text);
}

int id_maps_write(pid_t pid, const struct id_maps *maps)
{
	TRY(write_map(pid, "uid_map", &maps->users));
	return write_map(pid, "gid_map", &maps->groups);
}

static int open_namespace_of(pid_t pid)
{
	char path[48];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Lives until it is killed, or until who made it is gone. */
static int hold_namespace(void *argument)
{
	const pid_t *maker = argument;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* Killed before that, it would leave us with its locks for ever. */
	if (getppid() != *maker)
		_exit(EXIT_FAILURE);
	for (;;)
		(void)pause();
	return 0;
}

int id_holder_start(struct id_holder *ret)
{
	pid_t pid;

	*ret = (struct id_holder){.pidfd = -EBADF, .users_fd = -EBADF, .maker = getpid()};
	/* It shares our memory: copying that would be most of what it costs. */
	pid = clone(hold_namespace, ret->stack + sizeof(ret->stack),
		    CLONE_VM | CLONE_NEWUSER | CLONE_PIDFD | SIGCHLD, &ret->maker, &ret->pidfd);
	if (pid < 0)
		return -errno;
	ret->pid = pid;
	ret->users_fd = open_namespace_of(pid);
	if (ret->users_fd >= 0)
		return 0;
	pid = ret->users_fd;
	id_holder_stop(ret);
	return pid;
}

void id_holder_stop(struct id_holder *holder)
{
	pidfd_end(holder->pidfd);
	scope_close(&holder->pidfd);
	scope_close(&holder->users_fd);
}

int id_maps_open_namespace(const struct id_maps *maps)
{
	struct id_holder holder;
	int fd, r;

	TRY(id_holder_start(&holder));
	r = id_maps_write(holder.pid, maps);
	fd = r < 0 ? r : steal_fd(holder.users_fd);
	id_holder_stop(&holder);
	return fd;
}

static int read_map_of(struct arena *arena, pid_t pid, const char *file, struct id_map *ret)
{
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return id_map_read(arena, path, ret);
}

int id_maps_read(struct arena *arena, pid_t pid, struct id_maps *ret)
{
	TRY(read_map_of(arena, pid, "uid_map", &ret->users));
	return read_map_of(arena, pid, "gid_map", &ret->groups);
}
