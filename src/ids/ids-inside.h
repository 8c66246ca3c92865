/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A few steps of an ordinary user's among the ids that subuid(5) gives: what the machines of a user
 * leave on disk belongs to those, and out here only root could touch it.
 * Zone: owing.
 */
#pragma once

#include <sys/types.h>

#include "ids/id-map.h"

/* Returns what the child exits with, 0 to 255. */
typedef int (*ids_inside_function)(void *argument);

/*
 * Runs 'function' in a child that is root in a user namespace with these maps, in which nobody else
 * lives; with other namespaces of 'clone_flags'. Returns its status, or a negative errno: -EPERM
 * where newuidmap(1) is not there, and after its own sentence where it declines.
 */
int ids_inside(const struct id_maps *maps, unsigned long clone_flags, ids_inside_function function,
	       void *argument);

/* The maps of the user namespace that 'pid' lives in, in ids of ours. In the arena. */
struct arena;
int ids_inside_maps_of(struct arena *arena, pid_t pid, struct id_maps *ret);

/*
 * tree_remove() of what a machine of ours left, whoever of its users it belongs to. Silent.
 */
int ids_inside_remove(int parent_fd, const char *name);

/*
 * Gives what 'fd' is open on the owners of what 'from_fd' is, and its mode. Owners that are not
 * ours to give are left: whose they are is nobody inside, and the user is root. Silent.
 */
int ids_inside_copy_owners(int from_fd, int fd);
