/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Visits everything below a directory, by descriptor, following no link, however deep it is and
 * whatever is moved about meanwhile.
 * Zone: any.
 */
#pragma once

/* Results of visitors other than 0 and negative errnos, which end the walk. */
#define WALK_ENTER 1 /* of 'entry': a directory, to be walked when the other entries are done */
#define WALK_SKIP 2  /* of 'enter': not this one after all; it is not left either */

struct walk_visitor {
	/* 'name' in 'directory_fd' is perhaps of 'type' (DT_…), perhaps of another by now. */
	int (*entry)(void *userdata, int directory_fd, const char *name, unsigned char type);

	/* The directory 'fd' is gone into, and comes from 'name' in 'directory_fd'. */
	int (*enter)(void *userdata, int directory_fd, const char *name, int fd);

	/* All in it has been visited. */
	int (*leave)(void *userdata, int fd);

	/* Told once, of whatever ends the walk: it happened at 'name' ("" itself) in that
	 * directory. */
	void (*complain)(void *userdata, int r, int directory_fd, const char *name);
};

/* Visits what is below 'fd' (borrowed, O_PATH is enough), which is neither entered nor left. */
int walk(int fd, const struct walk_visitor *visitor, void *userdata);
