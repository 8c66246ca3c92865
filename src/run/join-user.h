/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * As whom a further process of a running machine runs.
 * Zone: doomed.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "confine/users.h"

/*
 * USER[:GROUP], each a name of the machine's files or a number; whoever names a group is in no
 * other. 'has_shell': also what shell and home directory passwd(5) gives root, who needs no account
 * otherwise. *ret is the caller's to release. Complains itself; -ESRCH: no such user or group.
 */
int join_user_find(struct arena *arena, int root_fd, const char *who, bool has_shell,
		   struct user_identity *ret);
