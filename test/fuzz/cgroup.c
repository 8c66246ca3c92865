/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Texts like /proc/PID/cgroup and /proc/PID/mountinfo, in this order with a NUL between. */
#include "manager/cgroup-find.h"

#include "base/arena.h"
#include "base/path.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {0};
	char *text = input_text(data, size), *own = arena_copy(&arena, "/a/b"), *directory;
	size_t length = strlen(text);
	const char *cursor = length < size ? text + length + 1 : text, *before = cursor;

	if (cgroup_own_from_text(&arena, text, &own) == 0)
		MUST(path_is_normalized(own));
	while (cgroup_directory_from_text(&arena, &cursor, own, &directory) == 0) {
		MUST(cursor > before);
		MUST(strcmp(directory, path_simplify(&arena, directory)) == 0);
		before = cursor;
	}
	MUST(*cursor == '\0');
	free(text);
	return 0;
}
