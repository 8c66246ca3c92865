/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is owed: every side effect outside our own process pushes its reversal here on the next
 * line, and every way out runs the list, last in first out.
 * Zone: owing.
 */
#pragma once

#include <stddef.h>

struct undo;

/* Takes one thing back, best effort; 'argument' stays the pusher's and must live until then. */
typedef void (*undo_function)(void *argument);

#define UNDO_MAX 64

struct undo {
	struct {
		undo_function function;
		void *argument;
		const char *label; /* for debug output, a static string */
	} owed[UNDO_MAX];
	size_t count;
};

/* Cannot fail: the list's size is a property of the program (asserted), not of the input. */
void undo_push(struct undo *undo, undo_function function, void *argument, const char *label);

/* The place to come back to with undo_to(): what is per boot goes, what is per run stays. */
size_t undo_mark(const struct undo *undo);
void undo_to(struct undo *undo, size_t mark);
void undo_all(struct undo *undo);
#define auto_undo __attribute__((cleanup(undo_all)))
