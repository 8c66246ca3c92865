/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cgroups without a manager: the machine's own subtree, made by ourselves below the group that we
 * were started in. Only the cgroup2 hierarchy is used, wherever it is mounted; version 1
 * hierarchies beside it are left alone. Rules of that file system are those of the kernel's
 * Documentation/admin-guide/cgroup-v2.rst.
 * Zone: owing.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "manager/cgroup-find.h"

struct arena;
struct undo;

struct cgroup_request {
	const char *machine; /* a valid machine name */
	uid_t owner;         /* the container's root on the host; gets the payload group */
	bool keep_unit;      /* divide our own group itself instead of a new group below it */
	bool move_supervisor;
	pid_t mover;         /* who is in the group that is divided, 0: ourselves */
	bool name_is_locked; /* leftovers are nobody's and may be killed */
	/* What the group above is to hand down besides what it does already; not with keep_unit. */
	bool all_controllers;
	const char *controllers; /* or these: "memory pids"; may be NULL */
};

#define CGROUP_CONTROLLERS_MAX 256

/* What was made. Must stay where it is until the undo list ran. */
struct cgroup {
	const struct cgroup_place *place;
	const char *directory; /* BASE of the machine, for messages */
	int base_fd;           /* the group with the two leaves */
	int payload_fd;        /* for CLONE_INTO_CGROUP and for the cgroup mount */
	bool keep_unit, supervisor_is_moved;
	pid_t mover;
	char name[NAME_MAX + 1]; /* of the base below our own group; empty with keep_unit */
	char enabled[CGROUP_CONTROLLERS_MAX]; /* what we switched on for the leaves: "cpu memory" */
};

#define CGROUP_NONE ((struct cgroup){.base_fd = -EBADF, .payload_fd = -EBADF})

/*
 * Makes the machine's group with the leaf 'payload', and 'supervisor' where we move into it; hands
 * the available controllers down and delegates the payload group to 'owner'. A group of the same
 * name left behind by a killed supervisor is emptied and removed first. Must run before the payload
 * exists: switching controllers on is free only while the group is empty.
 *
 * 'move_supervisor': a command's start should leave it off. Moving a process takes the write side
 * of a lock that every fork and exit of the machine takes, for which the kernel waits an RCU grace
 * period (it is what the mount option favordynmods avoids). Measured on Linux 6.18, two cores: the
 * whole of cgroup_create() takes 0.1 ms without and 0.4 ms with the move, in bad cases 3 ms, and
 * that with expedited grace periods; ordinary ones last milliseconds. A process born in its group
 * (CLONE_INTO_CGROUP) needs only the read side. keep_unit always moves ourselves: controllers can
 * only be handed down by a group without processes.
 *
 * Everything is undone by entries of 'undo', which kill what is left in the payload group, move
 * ourselves back and remove all groups, those that the guest made included. What the group above
 * was told to hand down it goes on with: others may count on it by then. Returns 0,
 * CGROUP_NOT_WRITABLE, or a negative errno after it was told; in the last two cases *ret_cgroup may
 * still be in the undo list.
 */
int cgroup_create(struct arena *arena, const struct cgroup_place *place,
		  const struct cgroup_request *request, struct undo *undo,
		  struct cgroup *ret_cgroup);

/*
 * Kills and removes what a killed supervisor left of 'machine' in our own group, as the lock on its
 * name makes safe. Returns 1 if there was something, 0, or a negative errno; says nothing.
 */
int cgroup_clean(const struct cgroup_place *place, const char *machine);

/*
 * Moves a process into the payload group, where it could not be born there. Slow: see above. Says
 * nothing.
 */
int cgroup_move(const struct cgroup *cgroup, pid_t pid);

/*
 * How many processes of the machine the kernel ended for want of memory, below a limit or of the
 * whole host. 0 where nobody counts.
 */
unsigned long long cgroup_memory_kills(const struct cgroup *cgroup);

/*
 * SIGKILL to every process in the payload group, frozen ones and forking ones included. Says
 * nothing.
 */
int cgroup_kill(const struct cgroup *cgroup);
