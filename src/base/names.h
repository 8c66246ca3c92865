/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables between words of the user and numbers of ours, searched in both directions.
 * Zone: any.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct name {
	const char *text;
	int value;
};

struct names {
	const struct name *items;
	size_t count;
};

#define NAMES(table) \
	{ \
		.items = (table), .count = sizeof(table) / sizeof((table)[0]) \
	}

/* The entry for 'text', spelled exactly so; NULL if there is none. */
static inline const struct name *names_find(const struct names *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].text, text) == 0)
			return &names->items[i];
	return NULL;
}

/* The same in any case. */
static inline const struct name *names_find_nocase(const struct names *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcasecmp(names->items[i].text, text) == 0)
			return &names->items[i];
	return NULL;
}

/* The first text for 'value', NULL if there is none. */
static inline const char *names_text(const struct names *names, int value)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->items[i].value == value)
			return names->items[i].text;
	return NULL;
}
