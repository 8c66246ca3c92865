/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a tree is an operating system, asked where the answer can be known: outside, before
 * anything is made, or inside, when mounts that were asked for take part in making it one.
 * Zone: free. Pure, but for the hint.
 */
#pragma once

#include "config/config.h"
#include "image/os-tree.h"

enum os_check {
	OS_CHECK_NONE,      /* switched off, or the answer follows from what was asked */
	OS_CHECK_TREE,      /* as it lies there */
	OS_CHECK_ROOT,      /* what is mounted over the tree's root, before anything else is */
	OS_CHECK_ASSEMBLED, /* with everything mounted */
};

/* Where to look. */
enum os_check os_check_place(const struct config *config, bool tree_is_unseen);

/* For OS_CHECK_TREE. Returns 0, or -ENOENT after one refusal that says what is missing. */
int os_check(const struct config *config, const struct os_tree *tree, const char *directory);
