/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Splitting, quoting and judging of text, byte by byte and without locale.
 * Zone: any for the predicates; free for what allocates in an arena.
 */
#include "base/text.h"

#include <errno.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool text_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_has_controls(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

size_t text_decode(const char *text, uint32_t *ret_point)
{
	const unsigned char *c = (const unsigned char *)text;
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

bool text_is_utf8(const char *text)
{
	uint32_t point;
	size_t length;

	for (; *text; text += length) {
		length = text_decode(text, &point);
		if (length == 0)
			return false;
	}
	return true;
}

int text_split(struct arena *arena, const char *text, char separator, size_t max,
	       struct strings *fields)
{
	size_t first = fields->count;

	for (;;) {
		char *field, *end;

		if (fields->count - first + 1 == max) {
			strings_add(arena, fields, arena_copy(arena, text));
			return 0;
		}
		field = end = arena_allocate(arena, strlen(text) + 1);
		for (; *text && *text != separator; text++) {
			if (*text == '\\' && text[1] == '\0')
				return -EINVAL;
			if (*text == '\\' && (text[1] == separator || text[1] == '\\'))
				text++;
			*end++ = *text;
		}
		strings_add(arena, fields, field);
		if (!*text)
			return 0;
		text++;
	}
}

void text_words(struct arena *arena, const char *text, const char *separators,
		struct strings *words)
{
	for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
		size_t length = strcspn(text, separators);

		strings_add(arena, words, arena_copy_n(arena, text, length));
		text += length;
	}
}

char *text_quote(struct arena *arena, const char *text)
{
	static const char harmless[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
	char *quoted, *end;

	if (*text && text[strspn(text, harmless)] == '\0')
		return arena_copy(arena, text);
	quoted = end = arena_allocate(arena, 4 * strlen(text) + 3);
	*end++ = '\'';
	for (; *text; text++)
		if (*text == '\'')
			end = stpcpy(end, "'\\''");
		else
			*end++ = *text;
	*end = '\'';
	return quoted;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Reads exactly 'count' digits of 'base'. */
static int read_code(const char *text, int count, int base, char *ret)
{
	int code = 0;

	for (int i = 0; i < count; i++) {
		int value = digit_value(text[i]);

		if (value >= base)
			return -EINVAL;
		code = code * base + value;
	}
	if (code > 0xff)
		return -EINVAL;
	*ret = (char)code;
	return count;
}

int text_unescape(struct arena *arena, const char *text, char **ret, size_t *ret_length)
{
	static const char letters[] = "abfnrtv\\\"'", meanings[] = "\a\b\f\n\r\t\v\\\"'";
	char *result = arena_allocate(arena, strlen(text) + 1), *end = result;

	while (*text) {
		const char *letter;
		int used = 1;

		if (*text != '\\') {
			*end++ = *text++;
			continue;
		}
		text++;
		letter = *text ? strchr(letters, *text) : NULL;
		if (letter)
			*end = meanings[letter - letters];
		else if (*text == 'x')
			used = read_code(++text, 2, 16, end);
		else
			used = read_code(text, 3, 8, end);
		if (used < 0)
			return used;
		text += used;
		end++;
	}
	*end = '\0';
	*ret = result;
	if (ret_length)
		*ret_length = (size_t)(end - result);
	return 0;
}

/* Reads one escape behind its backslash; returns its length or -EINVAL. */
static int read_escape(const char *text, char *ret)
{
	static const char letters[] = "abfnrtv\\\"' ", meanings[] = "\a\b\f\n\r\t\v\\\"' ";
	const char *letter = *text ? strchr(letters, *text) : NULL;
	int used;

	if (letter) {
		*ret = meanings[letter - letters];
		return 1;
	}
	if (*text == 'x')
		used = read_code(text + 1, 2, 16, ret) + 1;
	else
		used = read_code(text, 3, 8, ret);
	/* No word of a command and no variable can hold a NUL. */
	return used < 2 || !*ret ? -EINVAL : used;
}

/* Reads one word from '*text' on, which is none of the blanks, to '*end'. */
static int read_quoted_word(const char **text, char **end)
{
	const char *c = *text;
	char quote = '\0';

	for (; *c && (quote || !strchr(BLANKS, *c)); c++) {
		if (quote ? *c == quote : *c == '"' || *c == '\'') {
			quote = quote ? '\0' : *c;
		} else if (*c == '\\' && quote != '\'') {
			int used = read_escape(c + 1, (*end)++);

			if (used < 0)
				return used;
			c += used;
		} else {
			*(*end)++ = *c;
		}
	}
	*text = c;
	return quote ? -EINVAL : 0;
}

int text_quoted_words(struct arena *arena, const char *text, struct strings *words)
{
	/* No word is longer than what it is written as, so there is room for a NUL behind each. */
	char *end = arena_allocate(arena, strlen(text) + 1);

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		const char *word = end;
		int r = read_quoted_word(&text, &end);

		if (r < 0)
			return r;
		strings_add(arena, words, word);
		*end++ = '\0';
	}
	return 0;
}

bool text_is_variable_name(const char *text, size_t length)
{
	if (length == 0 || is_digit(*text))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '_')
			return false;
	return true;
}

bool text_is_assignment(const char *text)
{
	const char *equals = strchr(text, '=');

	return equals && text_is_variable_name(text, (size_t)(equals - text));
}

bool text_is_hostname(const char *text)
{
	char previous = '.';

	if (strlen(text) > HOSTNAME_MAX)
		return false;
	for (; *text; previous = *text++) {
		if (*text == '.' && (previous == '.' || previous == '-'))
			return false;
		if (*text == '-' && previous == '.')
			return false;
		if (*text != '.' && *text != '-' && !is_letter(*text) && !is_digit(*text))
			return false;
	}
	return previous != '.' && previous != '-';
}

bool text_is_user_name(const char *text)
{
	if (strlen(text) > 256 || !(is_letter(*text) || *text == '_'))
		return false;
	for (; *text; text++)
		if (!is_letter(*text) && !is_digit(*text) && !strchr("_-.+@$\\", *text))
			return false;
	return true;
}
