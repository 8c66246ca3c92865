/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories on top of each other (the kernel's Documentation/filesystems/overlayfs.rst).
 * Zone: owing for overlay_open(), doomed for overlay_make().
 */
#pragma once

#include <stdbool.h>

#include "base/undo.h"

struct mount_operation;
struct mount_sources;
struct overlay_sources;

/*
 * Opens the layers of 'operation' on the host with the caller's view; those of the tree are looked
 * for later, with what is mounted there by then. A writable top layer, in the tree below
 * 'directory_fd' or on the host, is made if it is missing, belongs to this machine until the end
 * (-EBUSY if another one has it), and gets a sibling directory for the kernel, which 'undo'
 * removes. The result lives in the arena of 'sources', its descriptors until overlay_close().
 * Complains itself.
 */
int overlay_open(struct mount_sources *sources, const struct mount_operation *operation,
		 int directory_fd, struct undo *undo, struct overlay_sources **ret);
void overlay_close(struct overlay_sources *overlay);

/*
 * Has each descriptor replaced by a mount of the namespace that we are in now, see
 * mount_sources_adopt(). 0 or what 'adopt' said.
 */
typedef int (*overlay_adopt_function)(int *fd, bool recursive);
int overlay_adopt(struct overlay_sources *overlay, overlay_adopt_function adopt);

/*
 * Returns the overlay as a detached mount. To be called in the payload's mount namespace, as long
 * as the host's /sys is in reach: layers must be attached somewhere while the kernel looks at them.
 * 'root_fd' is where layers of the tree are. Changes the current directory. Complains itself
 * (-ECANCELED).
 */
int overlay_make(const struct mount_operation *operation, int root_fd,
		 const struct overlay_sources *overlay);

/* The root of an overlay shows owner and mode of its top layer: gives it those of the tree. */
int overlay_copy_attributes(int from_fd, int to_fd);
