/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a copy appear whole or not at all: it is made in a directory of its own beside its place,
 * and moved there when it is finished.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

#include "image/copy.h"

struct copy_place {
	int directory_fd; /* in which it is to appear */
	const char *name; /* there; NULL: the directory itself is the place of a directory */
	bool replaces;    /* a file that has the name */
};

/* Copies what 'from_fd' (O_PATH) is open to. 0, or a negative errno after one sentence. */
int copy_to_place(struct copying *copying, const struct copy_place *place, int from_fd);

/* Makes a file of what 'from_fd' has to read, to its end. Likewise. */
int copy_stream_to_place(struct copying *copying, const struct copy_place *place, int from_fd);
