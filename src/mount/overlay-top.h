/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The directory of an overlay that takes its changes.
 * Zone: owing.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/undo.h"

struct mount_layer;
struct mount_sources;

/* The directory that takes the changes, and the kernel's own beside it: both on one mount. */
struct overlay_top {
	struct overlay_top *next;
	int lock_fd;   /* the layer itself, locked for as long as the machine runs */
	int parent_fd; /* on the host, for taking the work directory away */
	char name[NAME_MAX + 1], work[NAME_MAX + 1];
};

/*
 * Opens the writable layer, in the tree below 'directory_fd' or on the host, makes it if it is
 * missing, locks it (-EBUSY if another machine has it) and makes the kernel's directory, which
 * 'undo' removes; with 'is_mapped' that belongs to who has the layer. '*ret' lives in the arena of
 * 'sources'. Complains itself.
 */
int overlay_top_open(struct mount_sources *sources, const struct mount_layer *layer,
		     int directory_fd, bool is_mapped, struct undo *undo, struct overlay_top **ret);

/* What a user would know it by. */
const char *overlay_layer_name(const struct mount_layer *layer);
