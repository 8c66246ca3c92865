/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine manager that is told of the machine: systemd-machined (org.freedesktop.machine1(5)),
 * the system's, and for an ordinary user his own as well.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "manager/bus.h"

struct machined_request {
	const char *machine;   /* a valid machine name */
	const char *id;        /* its UUID, with dashes or without */
	const char *service;   /* who made it */
	const char *directory; /* its tree on the host, NULL: none */
	pid_t leader;          /* its process 1 */
	int leader_fd;         /* the same */
	const int *interfaces; /* indexes of the host's ends of its links */
	size_t interface_count;
};

/* One manager. A machine that boots again is told of again, on the same connection. */
struct machined {
	bool is_user;         /* the user's */
	const char *runtime;  /* of the user */
	struct bus own, *bus; /* 'bus' may be somebody else's, which must stay where it is */
	uint32_t serial;      /* of the call whose answer is awaited, 0: none */
	uint32_t old_serial;  /* of the same in older words, said with it */
	const char *machine;  /* what it is registered as, NULL: nothing is */
	uint32_t farewell;    /* of the call that takes it back, 0: none is under way */
};

#define MACHINED_NONE ((struct machined){.own = BUS_NONE})

/*
 * Tells the manager of the machine and returns at once, on 'shared' if that is open, else on a
 * connection of its own. Returns 0 or a negative errno: -ENOENT or -ECONNREFUSED where there is no
 * bus. Silent.
 */
int machined_ask(struct arena *arena, struct machined *machined, struct bus *shared,
		 const struct machined_request *request);

/*
 * Waits for its answers, asking again while a dead machine has the name, some seconds at most.
 * Returns 0, -ENOENT where nobody is a machine manager, -EEXIST if another machine of that name
 * runs, or another negative errno; then *ret_why is what it said, or NULL. Silent.
 */
int machined_hear(struct arena *arena, struct machined *machined,
		  const struct machined_request *request, const char **ret_why);

/*
 * Takes it back. The answer is awaited by machined_close(), or comes before that to the next
 * question. Silent: a manager notices the end by itself, too.
 */
void machined_leave(struct arena *arena, struct machined *machined);

/*
 * Hangs up. A manager looks up who asked, and so nobody must be gone before it has answered: for
 * that it has a second.
 */
void machined_close(struct machined *machined);
