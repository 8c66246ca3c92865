/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of base/undo: last in, first out, and marks.
 * Zone: free.
 */
#include "base/undo.h"

#include "check.h"

static char trace[16];

static void note_letter(void *argument)
{
	size_t used = strlen(trace);

	trace[used] = *(const char *)argument;
	trace[used + 1] = '\0';
}

int main(void)
{
	struct undo undo = {0};
	size_t mark;

	undo_push(&undo, note_letter, (void *)"a", "a");
	mark = undo_mark(&undo);
	undo_push(&undo, note_letter, (void *)"b", "b");
	undo_push(&undo, note_letter, (void *)"c", "c");
	undo_to(&undo, mark);
	CHECK_TEXT(trace, "cb");
	undo_push(&undo, note_letter, (void *)"d", "d");
	undo_all(&undo);
	CHECK_TEXT(trace, "cbda");
	undo_all(&undo);
	CHECK_TEXT(trace, "cbda");
	return check_result();
}
