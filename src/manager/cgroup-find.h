/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where we are in the cgroup2 hierarchy, wherever that is mounted; version 1 hierarchies beside it
 * are left alone.
 * Zone: free; any for cgroup_open().
 */
#pragma once

#include <fcntl.h>
#include <sys/types.h>

struct arena;

/*
 * Positive results of cgroup_probe() and cgroup_create(): a machine can run without groups of its
 * own.
 */
enum cgroup_obstacle {
	CGROUP_NO_HIERARCHY = 1, /* no cgroup2 mount shows our own group */
	CGROUP_NOT_WRITABLE = 2, /* our own group is there, but is not ours to divide */
};

/* Where we are in the hierarchy; found once, constant afterwards. */
struct cgroup_place {
	int own_fd;            /* the directory of our own group, -EBADF if there is none */
	const char *directory; /* its path on the host, for messages; in the arena */
};

/*
 * Finds our own group. Returns 0, an enum cgroup_obstacle, or a negative errno where /proc cannot
 * be read; says nothing. *ret_place is filled for 0 only; close it with cgroup_place_done().
 */
int cgroup_probe(struct arena *arena, struct cgroup_place *ret_place);

/* The same for the group that another process is in. */
int cgroup_probe_process(struct arena *arena, pid_t pid, struct cgroup_place *ret_place);
void cgroup_place_done(struct cgroup_place *place);

/*
 * The path of the "0::" line of a /proc/PID/cgroup text; -ENOENT if there is none that we could
 * use.
 */
int cgroup_own_from_text(struct arena *arena, const char *text, char **ret_own);

/*
 * Reads lines of a /proc/PID/mountinfo text from '*cursor' up to and with the next cgroup2 mount
 * under which the group 'own' is visible, and gives that group's directory. Moves the cursor behind
 * the line; -ENOENT after the last one.
 */
int cgroup_directory_from_text(struct arena *arena, const char **cursor, const char *own,
			       char **ret_directory);

/* How the directory of a group is opened. */
#define CGROUP_OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/*
 * Opens a group and makes sure that it is one: another mount may lie on top of the place. Returns a
 * descriptor, -ENOTTY for what is something else, or what openat(2) says.
 */
int cgroup_open(int dir_fd, const char *path);
