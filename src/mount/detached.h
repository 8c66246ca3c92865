/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts that are nowhere yet: made or cloned, given their flags, and attached as a whole
 * (fsopen(2), open_tree(2), mount_setattr(2), move_mount(2)).
 * Zone: any. Silent. All return a
 * descriptor of the caller, or 0, or a negative errno; 'flags' are enum mount_flags.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A new instance of a kernel file system. 'options' is "key=value,flag,…" or NULL. If the kernel
 * disliked them, 'complaint' (of 'bytes', may be NULL) receives its own sentence, else "".
 */
int detached_new(const char *type, const char *options, unsigned int flags, char *complaint,
		 size_t bytes);

/*
 * The same, with 'context' as the SELinux label of everything in it, unless that is NULL: apart
 * from the options, as it may hold commas.
 */
int detached_new_labelled(const char *type, const char *options, const char *context,
			  unsigned int flags, char *complaint, size_t bytes);

/* What the kernel said last about a file system context (fsopen(2)), or "". */
void detached_complaint(int context_fd, char *complaint, size_t bytes);

/* A second view of what 'fd' refers to, with what is mounted below it if 'recursive'. */
int detached_clone(int fd, bool recursive);

/* Adds flags, and ends propagation in either direction unless they ask for it. */
int detached_set_flags(int mount_fd, unsigned int flags, bool recursive);

/*
 * Shows the owners of files by the map of the user namespace 'map_fd' (mount_setattr(2),
 * MOUNT_ATTR_IDMAP). The mount must not have been attached yet. -EINVAL where a file system cannot
 * be mapped or a mount is mapped already.
 */
int detached_map(int mount_fd, int map_fd, bool recursive);

/* Puts the mount onto the object at 'target_fd' (O_PATH), which no link can exchange any more. */
int detached_attach(int mount_fd, int target_fd);
