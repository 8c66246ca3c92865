/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of completion files that one setting makes, for generate-completion.c. All texts are in its
 * arena.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "config/settings.h"

enum shell {
	BASH,
	ZSH,
	FISH,
	_SHELL_COUNT
};

/* Of a program of one job: everything is its arena's. */
extern struct arena arena;

/* Adds 'word' to the words of 'text', with 'separator' between them. */
void add_word(const char **text, const char *separator, const char *word);

/* The words that the setting accepts, between blanks. */
const char *words_of(enum setting setting);

/* 'text' with a backslash before each of 'special'; an apostrophe as 'apostrophe'. */
const char *escape(const char *text, const char *special, const char *apostrophe);

/* A row of one shell for one setting: which values it has, or the option itself. */
const char *bash_value_row(enum setting setting);
const char *zsh_option_row(enum setting setting);
const char *fish_option_row(enum setting setting);
