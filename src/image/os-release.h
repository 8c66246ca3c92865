/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * os-release(5): which operating system a tree or the host is.
 * Zone: free.
 */
#pragma once

#include <stddef.h>

struct arena;

/*
 * Texts are whoever wrote the file's: at most 256 bytes without control characters, NULL if not
 * said.
 */
struct os_identity {
	const char *id, *version_id, *build_id, *variant_id, *pretty_name;
};

/*
 * Reads the assignments of 'text' ('length' bytes); malformed lines are skipped. Texts are put into
 * the arena.
 */
void os_release_parse(struct arena *arena, const char *text, size_t length,
		      struct os_identity *ret);

/* The host's own. *ret_path is the file that was found, or NULL, then 'ret' is empty. */
void os_release_of_host(struct arena *arena, struct os_identity *ret, const char **ret_path);
