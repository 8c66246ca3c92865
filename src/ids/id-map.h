/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps between the ids inside a user namespace and those outside of it (user_namespaces(7)), and
 * the two places the kernel wants them: a process, and a namespace that exists only so that mounts
 * can be mapped by it (mount_setattr(2), MOUNT_ATTR_IDMAP).
 * Zone: any.
 */
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct arena;

/* 'count' ids from 'inside' on are those from 'outside' on. */
struct id_extent {
	uint32_t inside, outside, count;
};

struct arena;

/* Not overlapping, on either side. The kernel takes 340 extents, one page of text. */
struct id_map {
	const struct id_extent *items;
	size_t count;
};

struct id_maps {
	struct id_map users, groups;
};

/* What an id is where no map has it: nobody, nogroup (/proc/sys/kernel/overflowuid). */
#define ID_NOBODY 65534u

/* Who owns on disk what the host's root makes through a mapped mount, as systemd-nspawn has it. */
#define ID_ROOT_OF_HOST 2147483646u

/* The id on the other side, or UINT32_MAX where the map has none. Pure. */
uint32_t id_map_to_outside(const struct id_map *map, uint32_t inside);
uint32_t id_map_to_inside(const struct id_map *map, uint32_t outside);

/* Reads a file of /proc/PID (uid_map) into the arena. Returns 0 or a negative errno. Silent. */
int id_map_read(struct arena *arena, const char *path, struct id_map *ret);

/*
 * Writes the maps of the user namespace that 'pid' has just made, with our own rights. Returns 0 or
 * a negative errno. Silent.
 */
int id_maps_write(pid_t pid, const struct id_maps *maps);

/*
 * A user namespace with these maps that nobody lives in: a descriptor of the caller's, or a
 * negative errno. Silent. Costs a process, so ask once for each map.
 */
int id_maps_open_namespace(const struct id_maps *maps);

/* A process that does nothing but live in a user namespace of its own, which has no maps yet. */
struct id_holder {
	pid_t pid;
	int pidfd;
	int users_fd; /* the namespace */
	pid_t maker;
	alignas(16) char stack[16384]; /* of a process that shares our memory */
};

/*
 * Returns 0 or a negative errno. Silent. '*ret' must stay where it is until the holder is stopped;
 * it goes when we do.
 */
int id_holder_start(struct id_holder *ret);

/* 'users_fd', unless taken out, is closed; the namespace stays for who has it open. */
void id_holder_stop(struct id_holder *holder);

/* The maps that process has by now, as we see the ids outside. In the arena. Silent. */
int id_maps_read(struct arena *arena, pid_t pid, struct id_maps *ret);
