/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A parser for the assignments of os-release(5).
 * Zone: free.
 */
#include "image/os-release.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"

#define FILE_MAX_BYTES ((size_t)64 * 1024)
#define VALUE_MAX_BYTES 256

/*
 * Takes shell quoting off a value of 'length' bytes. NULL for what nobody should have to print: too
 * long, or with control characters. Both quotes are treated alike, as the file format allows no
 * expansion in either.
 */
static const char *unquote_value(struct arena *arena, const char *value, size_t length)
{
	char plain[VALUE_MAX_BYTES + 1];
	size_t used = 0;
	char quote = '\0';

	for (size_t i = 0; i < length; i++) {
		char c = value[i];

		if (quote == '\0' && (c == '"' || c == '\'')) {
			quote = c;
			continue;
		}
		if (quote != '\0' && c == quote) {
			quote = '\0';
			continue;
		}
		if (c == '\\' && quote != '\'' && i + 1 < length)
			c = value[++i];
		if ((unsigned char)c < 0x20 || c == 0x7f || used == VALUE_MAX_BYTES)
			return NULL;
		plain[used++] = c;
	}
	return quote == '\0' ? arena_copy_n(arena, plain, used) : NULL;
}

void os_release_parse(struct arena *arena, const char *text, size_t length, struct os_identity *ret)
{
	static const struct {
		const char *key;
		size_t offset;
	} wanted[] = {
		{"ID", offsetof(struct os_identity, id)},
		{"VERSION_ID", offsetof(struct os_identity, version_id)},
		{"BUILD_ID", offsetof(struct os_identity, build_id)},
		{"VARIANT_ID", offsetof(struct os_identity, variant_id)},
		{"PRETTY_NAME", offsetof(struct os_identity, pretty_name)},
	};
	const char *end = text + length;

	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		const char *equals;

		if (!line_end)
			line_end = end;
		equals = memchr(text, '=', (size_t)(line_end - text));
		for (size_t i = 0; equals && i < ARRAY_LEN(wanted); i++) {
			size_t key_length = strlen(wanted[i].key);

			if ((size_t)(equals - text) == key_length &&
			    memcmp(text, wanted[i].key, key_length) == 0)
				*(const char **)((char *)ret + wanted[i].offset) = unquote_value(
					arena, equals + 1, (size_t)(line_end - equals - 1));
		}
		text = line_end + 1;
	}
}

void os_release_of_host(struct arena *arena, struct os_identity *ret, const char **ret_path)
{
	static const char *const places[] = {"/etc/os-release", "/usr/lib/os-release"};

	*ret_path = NULL;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		auto_free char *text = NULL;
		size_t length;

		if (file_read(AT_FDCWD, places[i], FILE_MAX_BYTES, &text, &length) < 0)
			continue;
		os_release_parse(arena, text, length, ret);
		*ret_path = places[i];
		return;
	}
}
