/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image search path: from a machine's name to the tree it boots.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

struct arena;
struct places;

struct found_image {
	const char *path;  /* as found, maybe a link: settings are looked for beside it */
	bool is_read_only; /* below /usr, read-only file system or subvolume, or immutable */
};

/*
 * Looks up the tree called 'name' in the places of images, first match wins; links are followed,
 * these being the host's own directories. Texts are put into the arena. Complains itself and
 * returns -ENOENT if nothing is found, naming where it looked, or -EOPNOTSUPP for what is no
 * directory.
 */
int image_find(struct arena *arena, const char *name, const struct places *places,
	       struct found_image *ret);
