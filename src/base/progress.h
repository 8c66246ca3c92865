/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line on the terminal that says how far something is, for what takes longer than a second.
 * Zone: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool is_possible; /* a terminal, where messages are shown */
	bool is_shown;
	uint64_t next_usec;
};

void progress_start(struct progress *progress);

/* True if it is time for progress_show(); costs no system call. */
bool progress_is_due(struct progress *progress);

/* Shows the line in the place of the one before. */
void progress_show(struct progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Takes the line away. */
void progress_end(struct progress *progress);
#define auto_progress __attribute__((cleanup(progress_end)))
