/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subvolumes of btrfs, by its own calls (ioctl(2) with linux/btrfs.h): copies that take no time
 * and no room, whatever their size. The subvolumes in a subvolume are found by the file system's
 * own list of them, so nothing is walked through.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

/* True for the top directory of a subvolume. 'fd' may be O_PATH. */
bool btrfs_is_subvolume(int fd);

/* True if both are on one file system of btrfs, though perhaps of different mounts. */
bool btrfs_is_shared(int fd, int other_fd);

/*
 * Makes 'name' in 'parent_fd' a writable snapshot of the subvolume 'source_fd' (O_PATH will do) and
 * of those in it. On failure nothing stays: -EINVAL if it is no subvolume, -EXDEV if 'parent_fd' is
 * on another file system, -EEXIST, -ELOOP if they are nested too deeply, … Silent.
 */
int btrfs_snapshot(int source_fd, int parent_fd, const char *name);

/*
 * Removes the subvolume 'name' in 'parent_fd' with those in it, also read-only ones and whatever a
 * guest made there. -EINVAL if it is none. Silent; what cannot be found by its path (-ENAMETOOLONG)
 * or is frozen (-EPERM) is left for tree_remove().
 */
int btrfs_remove(int parent_fd, const char *name);
