/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One file of a throw-away machine, copied with all that belongs to it.
 * Zone: owing; what is half made has a name of its own, which the caller removes.
 */
#pragma once

#include <sys/stat.h>

/*
 * Makes 'name' in 'to_fd' what 'from_name' in 'from_fd' is: a file with its holes, a link, a device
 * or a FIFO, with owner, mode, times and extended attributes. A directory is made empty, with mode
 * 0700, and dressed later. -ENOTSUP for a socket, -ESTALE if it is no longer of the type in
 * 'status'. Silent.
 */
int file_copy(int from_fd, const char *from_name, const struct stat *status, int to_fd,
	      const char *name);

/* Gives 'name' in 'to_fd' owner, mode, extended attributes and times of the other. Silent. */
int file_dress(int from_fd, const char *from_name, const struct stat *status, int to_fd,
	       const char *name);
