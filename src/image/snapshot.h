/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots of btrfs subvolumes, with the subvolumes in them: copies that take no time.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

/* True if 'fd' is open to the root of a subvolume. */
bool snapshot_is_possible(int fd);

/* True if both descriptors are of one btrfs file system. */
bool snapshot_is_shared(int fd, int other_fd);

/*
 * Makes 'name' in 'to_directory_fd' a writable snapshot of the subvolume at 'from_fd' (O_RDONLY),
 * and each subvolume below it one of its own. Silent. -EXDEV and -EOPNOTSUPP: a copy will have to
 * do. On other failures as well a part may be there.
 */
int snapshot_make(int from_fd, int to_directory_fd, const char *name);

/* Deletes that snapshot if that can be done at once; what is then still there takes longer. */
void snapshot_delete(int directory_fd, const char *name);
