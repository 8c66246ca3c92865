/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text: taking it apart, putting it between quotes, and telling whether it may be a name of
 * something.
 * Zone: any for the predicates; free for what allocates in an arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define BLANKS " \t\n\r"

bool text_has_prefix(const char *text, const char *prefix);

/* True if 'text' has an ASCII control character. */
bool text_has_controls(const char *text);

/*
 * Length of the UTF-8 character at 'text', which is not empty, and its code point; 0 for what is no
 * UTF-8 (RFC 3629: no surrogates, nothing longer than needed, nothing past U+10FFFF).
 */
size_t text_decode(const char *text, uint32_t *ret_point);

/* True if the whole text is well-formed UTF-8 (RFC 3629). */
bool text_is_utf8(const char *text);

/*
 * Appends the fields between 'separator's to 'fields', at most 'max' of them: the last takes the
 * rest verbatim. Empty fields count. A backslash takes the meaning from a separator or a backslash
 * behind it and stays before anything else. -EINVAL if the text ends in a lone backslash.
 */
int text_split(struct arena *arena, const char *text, char separator, size_t max,
	       struct strings *fields);

/* Appends the words between any of 'separators'; there are no empty words. */
void text_words(struct arena *arena, const char *text, const char *separators,
		struct strings *words);

/*
 * Appends the words between blanks, where quotes of either kind hold blanks together and a
 * backslash outside single quotes begins an escape, as text_unescape() knows them, or takes the
 * meaning off a space. -EINVAL for a quote that does not end, an escape that is none, or one that
 * means NUL.
 */
int text_quoted_words(struct arena *arena, const char *text, struct strings *words);

/* 'text' as one word of a shell's command line. */
char *text_quote(struct arena *arena, const char *text);

/*
 * Resolves the escapes of C: \a \b \f \n \r \t \v \\ \" \' \xHH \OOO. The result is NUL-terminated
 * and may hold NUL bytes before; ret_length may be NULL. -EINVAL for any other escape.
 */
int text_unescape(struct arena *arena, const char *text, char **ret, size_t *ret_length);

/* Letters, digits and underscores, not beginning with a digit; 'length' characters of 'text'. */
bool text_is_variable_name(const char *text, size_t length);

/* NAME=VALUE with a variable's name; the value is free. */
bool text_is_assignment(const char *text);

/*
 * Labels of letters, digits and inner hyphens, separated by single dots, at most 64 characters:
 * what the kernel takes as a host name (__NEW_UTS_LEN) and the machine manager as a machine name.
 */
#define HOSTNAME_MAX 64
bool text_is_hostname(const char *text);

/*
 * What may stand in the first field of passwd(5) without being taken for a number, an option or a
 * path by anyone: names that begin with a digit are not among it.
 */
bool text_is_user_name(const char *text);
