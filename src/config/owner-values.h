/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose files are: the options of one mount, for the parsers in mount-values.c, and the users of
 * the host that are known inside, as parsers of the settings table (settings.h). Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

struct id_request;

/*
 * Reads "word,word,…" into '*recursive' (NULL: such words are unknown) and '*ids', which becomes
 * an object in the arena if a word asks for more than the default. Returns 0, or a negative errno
 * after one refusal.
 */
int read_mount_words(const struct asking *asking, const char *text, bool *recursive,
		     struct id_request **ids);

/* True if 'text' begins with a word that can only be about owners. */
bool is_about_owners(const char *text);

/* True for an id, or FIRST-LAST, and nothing else; fills both results. */
bool owner_range(const char *text, uint32_t *ret_first, uint32_t *ret_count);

int set_bind_user(const struct asking *asking, const char *value);
int set_bind_user_shell(const struct asking *asking, const char *value);
int set_bind_user_group(const struct asking *asking, const char *value);
