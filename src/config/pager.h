/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Long texts for a person: through a pager where standard output is a terminal, as they are where
 * it is not.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct pager {
	FILE *file; /* where to write, never NULL */
	bool is_coloured;
	pid_t pid; /* 0: there is none */
	void (*on_pipe)(int);
	void (*on_interrupt)(int);
};

/*
 * Starts the pager of $SYSTEMD_PAGER, $PAGER, or the first of less and more that there is, if
 * standard output is a terminal that knows more than printing, and 'no_pager' is false. Never
 * fails: what cannot be paged is printed. While a pager runs SIGPIPE and SIGINT are ignored.
 */
void pager_open(struct pager *pager, bool no_pager);

/*
 * Waits until the user has left the pager. Returns 0 or, after a message, a negative errno if not
 * everything could be written; that the user did not read on is no failure.
 */
int pager_close(struct pager *pager);
