/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory that holds the changes of --ephemeral until the machine ends.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/undo.h"

struct arena;

struct ephemeral {
	char *path;     /* PARENT/.nspawn-ephemeral-ID, which only root can enter */
	int lock_fd;    /* says that it is in use */
	int changes_fd; /* a snapshot, or -EBADF */
};

/* "PARENT/.nspawn-ephemeral-0123…/changes", for the machine's own number. Pure. */
char *ephemeral_path(struct arena *arena, const char *parent, const uint8_t id[8]);

/*
 * Makes the directory of ephemeral_path() with owner and mode of the tree at 'tree_fd', or as a
 * snapshot of it, and pushes its removal. Those of runs that were killed are removed as well.
 * Complains itself; -EOPNOTSUPP if there can be no snapshot, and an overlay would do.
 */
int ephemeral_make(const char *path, int tree_fd, bool is_snapshot, struct ephemeral *ret,
		   struct undo *undo);
