/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A last-in first-out list of reversals.
 * Zone: owing.
 */
#include "base/undo.h"

#include <assert.h>

#include "base/log.h"

void undo_push(struct undo *undo, undo_function function, void *argument, const char *label)
{
	assert(undo->count < UNDO_MAX);
	undo->owed[undo->count].function = function;
	undo->owed[undo->count].argument = argument;
	undo->owed[undo->count].label = label;
	undo->count++;
}

size_t undo_mark(const struct undo *undo)
{
	return undo->count;
}

void undo_to(struct undo *undo, size_t mark)
{
	while (undo->count > mark) {
		size_t last = --undo->count;

		debug("Undoing: %s", undo->owed[last].label);
		undo->owed[last].function(undo->owed[last].argument);
	}
}

void undo_all(struct undo *undo)
{
	undo_to(undo, 0);
}
