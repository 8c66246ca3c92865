/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One allocator for what lives as long as the command: configuration and plan. Freed as a whole.
 * Zone: free. Running out of memory aborts: nothing is owed yet.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *newest;
};

/* All results belong to the arena, are zero-filled and aligned for any type, and are never NULL. */
void *arena_allocate(struct arena *arena, size_t bytes);
char *arena_copy(struct arena *arena, const char *text); /* NULL stays NULL */
char *arena_copy_n(struct arena *arena, const char *text, size_t length);
char *arena_format(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Returns everything at once; the arena is empty and usable afterwards. */
void arena_done(struct arena *arena);
#define auto_arena __attribute__((cleanup(arena_done)))

/*
 * A growing list of strings in an arena. 'items' is NULL-terminated once anything was added, else
 * NULL.
 */
struct strings {
	const char **items;
	size_t count, room;
};

/* Appends 'text' itself, not a copy. */
void strings_add(struct arena *arena, struct strings *list, const char *text);

/*
 * Makes room for one more element of an arena array and returns it zeroed: array_grow(arena,
 * &list->items, …).
 * '*items' points to '*count' elements of 'size' bytes with room for '*room'.
 */
void *array_grow(struct arena *arena, void *items, size_t *count, size_t *room, size_t size);
#define ARRAY_ADD(arena, list) \
	((__typeof__((list)->items))array_grow(arena, &(list)->items, &(list)->count, \
					       &(list)->room, sizeof(*(list)->items)))
