/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The variables that speak of colours.
 * Zone: any.
 */
#include "base/colours.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "base/numbers.h"

enum colours {
	COLOURS_NEVER,
	COLOURS_ALWAYS,
	COLOURS_ON_TERMINALS,
};

/* Ours are of the first sixteen, so that no more needs to be asked about the terminal. */
/* clang-format off */
static const struct name word_table[] = {
	{"16", COLOURS_ALWAYS},
	{"256", COLOURS_ALWAYS},
	{"24bit", COLOURS_ALWAYS},
	{"auto-16", COLOURS_ON_TERMINALS},
	{"auto-256", COLOURS_ON_TERMINALS},
	{"auto-24bit", COLOURS_ON_TERMINALS},
};
/* clang-format on */
static const struct names words = NAMES(word_table);

bool colours_are_wanted(int fd)
{
	const char *value = getenv("SYSTEMD_COLORS"), *terminal = getenv("TERM");
	const char *refusal = getenv("NO_COLOR");
	const struct name *word = value ? names_find(&words, value) : NULL;
	bool is_wanted;

	if (word && word->value == COLOURS_ALWAYS)
		return true;
	if (!word && value && parse_bool(value, &is_wanted) == 0)
		return is_wanted;
	if (!word && refusal && *refusal)
		return false;
	return terminal && *terminal && strcmp(terminal, "dumb") != 0 && isatty(fd);
}
