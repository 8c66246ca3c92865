/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resource limits of the payload, planned from a table of defaults and applied as closely as
 * permitted.
 * Zone: free for limits_plan(), doomed for limits_apply().
 */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

struct config;

/* What two of the defaults follow. */
struct limit_facts {
	rlim_t nr_open;                      /* fs.nr_open, proc(5) */
	struct rlimit of_init[RLIM_NLIMITS]; /* of the host's PID 1, where a default is its */
	bool init_is_known[RLIM_NLIMITS];
};

struct limits_plan {
	struct rlimit values[RLIM_NLIMITS];
	bool is_asked[RLIM_NLIMITS]; /* by the user: a failure is worth a warning */
	bool is_set[RLIM_NLIMITS];   /* false: inherited unchanged */
};

/* Reads what the defaults need, but for resources of which 'config' says the limit. */
void limit_facts_gather(const struct config *config, struct limit_facts *ret);

/* Pure. */
void limits_plan(const struct config *config, const struct limit_facts *facts,
		 struct limits_plan *ret);

/* "NOFILE" for RLIMIT_NOFILE and so on. */
const char *limit_name(int resource);

/* Never raises above what is permitted: an unprivileged or nested start gets the nearest value. */
void limits_apply(const struct limits_plan *plan);
