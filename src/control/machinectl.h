/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Called by the name machinectl, for callers of that program: its words become our verbs, and what
 * we have no verb for goes to the host's own machinectl.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"

/* True for the name of that program. */
bool machinectl_is_called(const char *program);

/* Takes main()'s words, returns the program's exit status. */
int control_machinectl(int argc, char **argv);

/*
 * Where a command line of machinectl(1) leads. 'words' are those of 'verb', the verb first; pure,
 * for tests.
 */
enum machinectl_way {
	MACHINECTL_OURS,    /* to our verb */
	MACHINECTL_THEIRS,  /* to the host's machinectl, with the words as they came */
	MACHINECTL_HELP,    /* --help */
	MACHINECTL_VERSION, /* --version */
	MACHINECTL_UNKNOWN, /* it has no such verb */
};

struct machinectl_plan {
	enum machinectl_way way;
	const char *word;     /* its verb */
	const char *instead;  /* what does the same without the host's machinectl, or NULL */
	const char *machine;  /* it must be ours, else the way is theirs; NULL: whatever it is */
	struct strings words; /* for ours */
};

void machinectl_plan(struct arena *arena, int argc, char **argv, struct machinectl_plan *ret);
