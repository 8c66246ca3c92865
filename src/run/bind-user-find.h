/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: the users of --bind-user=, on the host, and what the tree has in their way.
 * Zone: free.
 */
#pragma once

#include "confine/users.h"
#include "mount/bind-user.h"

/*
 * Looks every user of the configuration up on the host and gives it an id that is free in the tree
 * at 'tree_fd', which is only read. Returns 0, or a negative errno after one sentence.
 */
int bound_users_find(const struct config *config, int tree_fd, struct bound_users *ret);

/*
 * The one that is meant by a name or an id inside, as an identity of the caller's, its groups
 * looked up in the tree at 'root_fd'. -ESRCH: none of them.
 */
int bound_users_identify(const struct bound_users *users, int root_fd, const char *name_or_number,
			 struct user_identity *ret);
