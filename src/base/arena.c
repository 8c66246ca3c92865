/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bump allocation out of chained blocks.
 * Zone: free.
 */
#include "base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

/* Room for any plain start's configuration and plan. Only pages that are used cost anything. */
#define BLOCK_BYTES ((size_t)256 * 1024)

struct arena_block {
	struct arena_block *older;
	size_t used, size; /* of 'bytes' */
	alignas(max_align_t) char bytes[];
};

/* Nobody checks for it: what allocates here either owes nothing yet or dies with its parent. */
static void out_of_memory(void) __attribute__((noreturn));

static void out_of_memory(void)
{
	(void)fail(-ENOMEM, "Cannot go on without more memory");
	log_flush();
	abort();
}

void *arena_allocate(struct arena *arena, size_t bytes)
{
	struct arena_block *block = arena->newest;
	size_t wanted = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	void *result;

	if (wanted < bytes)
		out_of_memory();
	if (!block || block->size - block->used < wanted) {
		size_t size = wanted > BLOCK_BYTES ? wanted : BLOCK_BYTES;

		/*
		 * Mapped rather than calloc'ed: the kernel hands out zeroed pages one by one,
		 * calloc() may touch all.
		 */
		block = mmap(NULL, sizeof(*block) + size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (block == MAP_FAILED)
			out_of_memory();
		block->size = size;
		block->older = arena->newest;
		arena->newest = block;
	}
	result = block->bytes + block->used;
	block->used += wanted;
	return result;
}

char *arena_copy_n(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_allocate(arena, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *arena_copy(struct arena *arena, const char *text)
{
	return text ? arena_copy_n(arena, text, strlen(text)) : NULL;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	char *result;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		out_of_memory();
	result = arena_allocate(arena, (size_t)length + 1);
	va_start(arguments, format);
	(void)vsnprintf(result, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return result;
}

void arena_done(struct arena *arena)
{
	while (arena->newest) {
		struct arena_block *older = arena->newest->older;

		(void)munmap(arena->newest, sizeof(*arena->newest) + arena->newest->size);
		arena->newest = older;
	}
}

void *array_grow(struct arena *arena, void *items, size_t *count, size_t *room, size_t size)
{
	char **array = items;

	if (*count == *room) {
		size_t larger = *room ? *room * 2 : 8;
		char *moved = arena_allocate(arena, larger * size);

		if (*count)
			memcpy(moved, *array, *count * size);
		*array = moved;
		*room = larger;
	}
	return *array + size * (*count)++;
}

void strings_add(struct arena *arena, struct strings *list, const char *text)
{
	/* One slot more than counted keeps the list NULL-terminated. */
	if (list->count + 1 >= list->room) {
		size_t larger = list->room ? list->room * 2 : 8;
		const char **moved = arena_allocate(arena, larger * sizeof(*moved));

		if (list->count)
			memcpy(moved, list->items, list->count * sizeof(*moved));
		list->items = moved;
		list->room = larger;
	}
	list->items[list->count++] = text;
	list->items[list->count] = NULL;
}
