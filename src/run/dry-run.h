/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --dry-run: shows the plan of a start, and starts and changes nothing.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "run/explain.h"

struct config;

/*
 * Looks at what a start would look at, as far as it may, and prints the plan to standard output.
 * 'config' is as the command line left it. Returns the program's exit status: failure if the start
 * would fail, as far as can be known, or if there is no plan to show.
 */
int dry_run(struct config *config);

/*
 * Collects what is said instead of printing it, sorted into what could not be seen (-EACCES and
 * -EPERM, unless root met it), warnings and failures.
 */
struct dry_run_listener {
	struct arena *arena;
	struct explain_found *found;
	bool is_own_start;      /* what we may not do now, the start could not do either */
	const char *assumption; /* ends a sentence about what could not be seen */
	struct explain_messages *last;
};

void dry_run_listen(struct dry_run_listener *listener);

/* There is nothing to show: says on standard error, after all, what was heard. */
void dry_run_give_up(const struct explain_found *found);
