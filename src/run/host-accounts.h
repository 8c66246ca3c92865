/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Users and groups of the host: out of its files, else asked of its getent(1), as a static
 * executable has no name service of its own.
 * Zone: free. Silent.
 */
#pragma once

#include "confine/users.h"

/* As users_find(), for the host. */
int host_find_user(const char *name_or_number, struct user_identity *ret);

/* As users_find_group(), for the host. */
int host_find_group(const char *name, gid_t *ret);

/*
 * The password of a user as it is stored, malloc'ed. -ESRCH: there is none to pass on; else what
 * reading the file failed with.
 */
int host_find_password(const char *name, char **ret);

/* The field of 'name' that tells about the person, malloc'ed, or NULL. */
char *host_find_real_name(const char *name);
