/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nspawn does besides starting a machine: words that count as its first argument only. This
 * header needs nothing of the project, so that whoever tells about the program may use it.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct verb {
	const char *name;
	const char *synopsis; /* what may follow the name */
	const char *help;     /* one line without full stop */

	/* 'argv[0]' is the verb itself. Returns the program's exit status. */
	int (*run)(int argc, char **argv);
	bool has_outcome_only; /* nothing to show: --json is control/outcome.h's */
};

extern const struct verb verbs[];
extern const size_t verbs_count;

/*
 * The verb that this command line begins with, or NULL: 'argv' is main()'s. Called as
 * systemd-nspawn there are none, since every word means there what it means to that program; called
 * as machinectl there is one, which reads the whole command line.
 */
const struct verb *verb_find(int argc, char **argv);

/* Runs it, or tells how it is used if that is asked for. Returns the program's exit status. */
int verb_run(const struct verb *verb, int argc, char **argv);
