/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directories from the top of a tree down to where one is, as descriptors, however deep that
 * is: only the nearest ones stay open. The way back up is by "..", and each directory found there
 * must be the one that was left: who moves directories about meanwhile leads nobody astray.
 * Zone: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rung {
	int fd; /* -EBADF: closed for now */
	uint64_t device, inode, born;
};

struct ladder {
	struct rung *rungs;
	size_t count, room;
};

/* Steps onto 'fd', which the ladder owns from here on, also on failure. */
int ladder_down(struct ladder *ladder, int fd);

/* Leaves the lowest directory. -ESTALE: it is no longer where it was. */
int ladder_up(struct ladder *ladder);

/* The lowest directory, borrowed. */
int ladder_fd(const struct ladder *ladder);

void ladder_done(struct ladder *ladder);
#define auto_ladder __attribute__((cleanup(ladder_done)))
