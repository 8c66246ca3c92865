/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holds back the signals by which a user ends a program.
 * Zone: any.
 */
#include "base/interrupt.h"

#include <stddef.h>
#include <time.h>

#include "base/scope.h"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

/* Those that do something: a blocked signal would be heard even if it is to be ignored. */
static void fill(sigset_t *set)
{
	struct sigaction action;

	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			(void)sigaddset(set, ending[i]);
}

void interrupt_hold(struct interrupt *interrupt)
{
	sigset_t set;

	fill(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &interrupt->before);
}

bool interrupt_came(void)
{
	const struct timespec at_once = {0};
	sigset_t set;

	fill(&set);
	return sigtimedwait(&set, NULL, &at_once) > 0;
}

void interrupt_release(struct interrupt *interrupt)
{
	(void)sigprocmask(SIG_SETMASK, &interrupt->before, NULL);
}
