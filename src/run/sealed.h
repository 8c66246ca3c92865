/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs in memory that nobody can write to once they are sealed, whatever their rights
 * (memfd_create(2), F_SEAL_WRITE in fcntl(2)).
 * Zone: any.
 */
#pragma once

#include <stdbool.h>

/* A new file, which may be executed. The descriptor is the caller's; or a negative errno. */
int sealed_make(const char *name);

/* From here on neither its bytes nor its length nor the seals change. 0 or a negative errno. */
int sealed_close(int fd);

/* True if 'fd' is such a file. */
bool sealed_is(int fd);
