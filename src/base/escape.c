/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at one UTF-8 character at a time.
 * Zone: any; escape_text() free.
 */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"

/* C0 and C1 controls, line separators, and what turns the direction of a line (UAX 9). */
static bool is_harmful(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x61c ||
	       (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

size_t escape_next(const char **text, char ret[ESCAPED_MAX])
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *c = (const unsigned char *)*text;
	uint32_t point = 0;
	size_t length, used = 0;

	if (*c == '\0')
		return 0;
	length = text_decode((const char *)c, &point);
	if (length > 0 && !is_harmful(point)) {
		memcpy(ret, c, length);
		ret[length] = '\0';
		*text += length;
		return 1;
	}
	if (length == 0)
		length = 1;
	for (size_t i = 0; i < length; i++) {
		ret[used++] = '\\';
		ret[used++] = 'x';
		ret[used++] = hex[c[i] >> 4];
		ret[used++] = hex[c[i] & 15];
	}
	ret[used] = '\0';
	*text += length;
	return used;
}

char *escape_text(struct arena *arena, const char *text)
{
	/* Four characters for a byte at most. */
	char *copy = arena_allocate(arena, 4 * strlen(text) + 1), *end = copy;
	char piece[ESCAPED_MAX];

	while (escape_next(&text, piece) > 0)
		end = stpcpy(end, piece);
	return copy;
}
