/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is written in a settings file: sections, keys and values.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct said_list;

/* Whose text it is. */
struct settings_source {
	const char *file; /* for messages; must live as long as what is said */
	bool is_trusted;
};

/*
 * Appends what 'text' says to 'ret', its words copied into the arena. The text may hold anything:
 * each line that means nothing is warned of and left out. Values are not looked at yet.
 */
void settings_text_parse(struct arena *arena, const struct settings_source *source,
			 const char *text, size_t length, struct said_list *ret);
