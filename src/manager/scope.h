/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scope of the service manager: a cgroup that the manager made for us, counts and limits, and
 * leaves to us to divide (systemd.scope(5), Delegate=).
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "manager/bus.h"

struct device_rules;

struct scope_request {
	const char *machine;         /* a valid machine name */
	const char *slice;           /* as the user spelled it, NULL: machine.slice */
	const struct config *config; /* --property=NAME=VALUE, and limits */
	pid_t pid;                   /* who moves into it */
	int pidfd;                   /* the same, which cannot be mistaken; or -EBADF */
	bool is_user;                /* asks the user's manager, not the system's */
	const char *runtime;         /* of the user, where the manager's sockets are */
	/* The system's manager is told these besides. */
	const struct device_rules *devices; /* all that may be opened; NULL: not restricted */
	int kill_signal;                    /* asks process 1 to stop, 0: none */
};

/* Whether there is one, and why not. */
enum scope_result {
	SCOPE_NONE = -1, /* nobody was asked */
	SCOPE_MADE = 0,
	SCOPE_NO_MANAGER = 1, /* nobody to ask */
	SCOPE_FAILED = 2,     /* it was told why */
};

/* "web" is "machine-web.scope", "foo" is "foo.slice"; other characters as systemd.unit(5) has it.
 */
char *scope_unit_name(struct arena *arena, const char *machine);
char *scope_slice_name(struct arena *arena, const char *slice);

/* Whether --property has only what can be handed on. Complains itself. */
int scope_check_properties(const struct strings *properties);

/* Whether our own cgroup is one that a manager has left to us; then no other is needed. */
bool scope_is_delegated(int group_fd);

/* Whether there is a manager to ask. */
bool scope_has_manager(struct arena *arena, const struct scope_request *request);

/*
 * Asks for the scope and waits until 'pid' is in it, for a few seconds at most. It is the
 * manager's: it goes when it is empty. Returns an enum scope_result; says in one warning why it
 * failed.
 *
 * '*bus' starts as BUS_NONE. Of the system's bus it is the connection afterwards, for the caller to
 * close: as long as it is open who stops the scope is heard as the signal RequestStop, and the unit
 * stays loaded. Otherwise it stays BUS_NONE.
 */
int scope_start(struct arena *arena, const struct scope_request *request, struct bus *bus);

/*
 * The machine is over: lets go of the scope, and has the manager kill what is left in it. Waits for
 * nothing and says nothing: the scope goes by itself as well.
 */
void scope_end(struct bus *bus, const char *unit);
