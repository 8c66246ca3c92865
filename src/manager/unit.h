/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of a service manager: starting and stopping them, and whether they start with the host.
 * Zone: free. Silent.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "manager/bus.h"

/* The unit that runs the machine of that name, in the arena. A machine name needs no escapes. */
char *unit_of_machine(struct arena *arena, const char *machine);

/* Hear of the ends of jobs; once, before unit_start() and unit_stop(). 0 or a negative errno. */
int unit_listen(struct bus *bus);

/* With this nspawn's status begins in its unit when it has failed, and then why (run/notify.h). */
#define UNIT_LAST_WORDS "Failed: "

/*
 * Asks for it and waits until it is done, as long as the unit's own timeouts take. Returns 0;
 * -EREMOTEIO with what the manager says in *ret_why; -ECANCELED if the unit fails, with how in
 * *ret_why (nspawn's own words, else "timeout", "exit-code", "dependency"…), "" if that cannot be
 * told; or another negative errno of the connection. Texts are in the arena.
 */
int unit_start(struct arena *arena, struct bus *bus, const char *unit, const char **ret_why);
int unit_stop(struct arena *arena, struct bus *bus, const char *unit, const char **ret_why);

/*
 * How long the manager waits for the end of a service that it stops, UINT64_MAX: for ever. 0 or a
 * negative errno.
 */
int unit_stop_timeout(struct arena *arena, struct bus *bus, const char *unit, uint64_t *ret_usec);

/*
 * Links them where their [Install] sections say, or removes those links, and has the manager read
 * its units again. Returns as unit_start().
 */
int unit_enable(struct arena *arena, struct bus *bus, const struct strings *units,
		const char **ret_why);
int unit_disable(struct arena *arena, struct bus *bus, const struct strings *units,
		 const char **ret_why);
