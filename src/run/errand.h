/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work on a guest's files while it runs, in a short-lived child: a lookup in a file system that the
 * guest serves or froze may never return, and the supervisor must.
 * Zone: owing.
 */
#pragma once

/* 0 or a negative errno. */
typedef int (*errand_work)(const void *argument);

enum errand_memory {
	ERRAND_OWN,
	/*
	 * Ours: copying it takes longer than most work. It may be killed anywhere, so it must leave
	 * the heap and all else alone that is not on its stack.
	 */
	ERRAND_SHARED,
};

/*
 * Does it, and waits for no longer than a second. Returns what the work did, or a negative errno:
 * -ETIMEDOUT if it is not over then. Says nothing, but what the work says is said.
 */
int errand_run(enum errand_memory memory, errand_work work, const void *argument);
