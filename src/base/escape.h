/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text of strangers for output: what could drive a terminal, or make a line look like another, is
 * spelled out.
 * Zone: any.
 */
#pragma once

#include <stddef.h>

/*
 * Copies the next character of '*text' (UTF-8) to 'ret' as it may be printed, and moves '*text'
 * behind it: control characters, characters that change the direction of text, and bytes that are
 * no UTF-8 become \xNN each. Returns the columns it takes, 0 at the end. Ambiguous: a text that has
 * a backslash of its own keeps it.
 */
#define ESCAPED_MAX 24
size_t escape_next(const char **text, char ret[ESCAPED_MAX]);

struct arena;

/* A whole text that way. */
char *escape_text(struct arena *arena, const char *text);
