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

struct limits_plan {
	struct rlimit values[RLIM_NLIMITS];
	bool is_asked[RLIM_NLIMITS]; /* by the user: a failure is worth a warning */
	bool is_set[RLIM_NLIMITS];   /* false: inherited unchanged */
};

/*
 * Reads fs.nr_open and the limits of the host's PID 1, which two defaults follow (setrlimit(2),
 * proc(5)).
 */
void limits_plan(const struct config *config, struct limits_plan *ret);

/* Never raises above what is permitted: an unprivileged or nested start gets the nearest value. */
void limits_apply(const struct limits_plan *plan);
