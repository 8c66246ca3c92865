/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host's managers know of a machine: its scope, and that it is there at all.
 * Zone: owing.
 */
#pragma once

#include "base/undo.h"
#include "manager/machined.h"
#include "manager/scope-holder.h"
#include "manager/scope.h"

struct machine;
struct plan;

/* For all boots of the machine. Must stay where it is until the undo list ran. */
struct managers {
	const struct plan *plan;
	struct arena *arena;
	bool are_there[2]; /* managers: the system's, the user's; looked for once */
	enum scope_result scope;
	struct bus bus;              /* to the system's bus, while there is a scope of it */
	const char *unit;            /* the scope, NULL: none */
	struct scope_holder holder;  /* in the scope, where we are not ourselves */
	struct machined machined[2]; /* the system's, and a user's own */
	struct machined_request request;
};

#define MANAGERS_NONE \
	((struct managers){.scope = SCOPE_NONE, \
			   .bus = BUS_NONE, \
			   .holder = SCOPE_HOLDER_NONE, \
			   .machined = {MACHINED_NONE, MACHINED_NONE}})

/*
 * Gets a scope for the machine from whom the plan's caller has it: for root one that holds the
 * payload, with us outside; for a user one that we are in ourselves, unless our own group is left
 * to us already. What cannot be had is told, and no failure; what cannot be asked for is. Complains
 * itself.
 */
int managers_enter_scope(struct managers *managers, struct arena *arena, const struct plan *plan,
			 struct undo *undo);

/* Tells the machine managers of a payload that has just been born; they answer meanwhile. */
void managers_tell(struct machine *machine);

/*
 * What they answered. Returns a negative errno after one sentence where the machine must not run
 * without.
 */
int managers_confirm(struct machine *machine);

/* What is polled for requests to stop the machine, or -EBADF; and whether there was one. */
int managers_fd(const struct managers *managers);
bool managers_dispatch(struct managers *managers);
