/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A group and all groups below it, as the guest may have made them.
 * Zone: owing.
 */
#pragma once

/*
 * Removes the group 'name' below 'parent_fd' with all groups in it, waiting up to a second for
 * processes that are dying. -EBUSY if some live on. An absent group is fine.
 */
int cgroup_remove_tree(int parent_fd, const char *name);
