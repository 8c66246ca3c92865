/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes directories that a payload could write to.
 * Zone: owing.
 */
#pragma once

/*
 * Removes what 'name' in 'parent_fd' (AT_FDCWD allowed) is, with all that is below it however deep,
 * following no link and crossing no mount. Nothing there is no error.
 */
int tree_remove(int parent_fd, const char *name);
