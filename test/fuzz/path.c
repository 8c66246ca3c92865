/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lexical work on two paths with a NUL between: laws that tie the functions together. */
#include "base/path.h"

#include "base/arena.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = {0};
	char *path = input_text(data, size), *end = path + strlen(path);
	const char *second = end < path + size ? end + 1 : "x";
	const char *simple = path_simplify(&arena, path), *above, *below;
	bool is_plain = !strstr(simple, "..");

	MUST(strlen(simple) <= strlen(path) || strcmp(simple, ".") == 0);
	MUST(strcmp(simple, path_simplify(&arena, simple)) == 0);
	MUST(!path_is_normalized(path) || strcmp(path, simple) == 0);
	MUST(*simple != '/' || !is_plain || path_is_normalized(simple));
	MUST(path_is_below(simple, simple));
	above = path_simplify(&arena, arena_format(&arena, "/%s", path));
	below = path_simplify(&arena, arena_format(&arena, "%s/%s", above, second));
	MUST(path_is_below(above, "/") && path_is_below(below, above));
	MUST(!path_is_below(above, below) || strcmp(above, below) == 0);
	MUST(above[1] == '\0' || !path_is_below(arena_format(&arena, "%sx", above), above));
	free(path);
	return 0;
}
