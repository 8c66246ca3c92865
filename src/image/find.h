/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image search path: from a machine's name to the tree it boots.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

struct arena;

struct found_image {
	const char *path;  /* as found, maybe a link: settings are looked for beside it */
	bool is_read_only; /* below /usr, read-only file system or subvolume, or immutable */
};

/* NULL-terminated: where images of the system are, in order of precedence (machinectl(1)). */
extern const char *const image_search_path[];

/*
 * Looks up the tree called 'name' in 'search_path', first match wins; links are followed, these
 * being the host's own directories. Texts are put into the arena. Complains itself and returns
 * -ENOENT if nothing is found, naming where it looked, or -EOPNOTSUPP for what is no directory.
 */
int image_find(struct arena *arena, const char *name, const char *const *search_path,
	       struct found_image *ret);
