/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Moves the owners of a tree on disk to another range of 65536 ids: each id becomes the shift plus
 * its own lower half, so that doing it twice changes nothing and a shift of 0 undoes it.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHIFT_RANGE 65536u
/* Upper half of the owner of a tree that is being shifted; no machine ever gets this range. */
#define SHIFT_BUSY 0xFFFE0000u

enum shift_state {
	SHIFT_STATE_PLAIN,    /* owned by ids below 65536 */
	SHIFT_STATE_SHIFTED,  /* owned by ids of the range that *ret_shift begins */
	SHIFT_STATE_BUSY,     /* being shifted, or nobody finished it */
	SHIFT_STATE_DIFFERENT /* user and group are of two ranges: nobody shifted that */
};

/* What the owner of its root directory says of a tree. *ret_shift is 0 but where it is shifted.
 * Pure. */
enum shift_state shift_state(uid_t uid, gid_t gid, uint32_t *ret_shift);

/* True for what a tree can be shifted to. Pure. */
bool shift_is_valid(uint32_t shift);

/* The id in the range that 'shift' begins. Pure. */
uint32_t shift_id(uint32_t shift, uint32_t id);

/*
 * Rewrites the ids in an access list (the value of system.posix_acl_access and its like,
 * linux/posix_acl_xattr.h). 1: changed, 0: nothing to change, -EINVAL: it is none. Pure.
 */
int shift_acl(uint32_t shift, void *value, size_t size);

/*
 * Rewrites the root id in file capabilities (the value of security.capability, linux/capability.h),
 * in place; what has none keeps having none, and those of id 0 need none. *size becomes what it
 * then is. Results as shift_acl(). Pure.
 */
int shift_file_capabilities(uint32_t shift, void *value, size_t *size);

struct shift_request {
	const char *path; /* of the tree, for messages */
};

/*
 * Shifts the tree at 'directory_fd' (O_PATH will do), which nobody uses meanwhile. Mounts in it are
 * crossed, unless they are read-only or of a kind that the kernel fills. While that goes on, the
 * root directory has an owner that says SHIFT_STATE_BUSY; ended at any moment, it is finished by
 * the next call, with whatever shift. A root directory that has the owner already is taken for the
 * whole tree. Complains itself; -EINTR when the user interrupted it.
 */
int shift_tree(int directory_fd, uint32_t shift, const struct shift_request *request);
