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

/*
 * Length of the character at 'c' and its code point; 0 for what is no UTF-8 (RFC 3629: no
 * surrogates, nothing longer than needed, nothing past U+10FFFF).
 */
static size_t decode(const unsigned char *c, uint32_t *ret_point)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = c[0] < 0x80             ? 1
			: (c[0] & 0xe0) == 0xc0 ? 2
			: (c[0] & 0xf0) == 0xe0 ? 3
			: (c[0] & 0xf8) == 0xf0 ? 4
						: 0;
	uint32_t point = length == 1 ? c[0] : c[0] & (0xffU >> (length + 1));

	for (size_t i = 1; i < length; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (c[i] & 0x3fU);
	}
	if (length == 0 || (length > 1 && point < smallest[length]) || point > 0x10ffff ||
	    (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

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
	length = decode(c, &point);
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
