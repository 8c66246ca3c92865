/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Archives in the pax format (POSIX.1-2001, pax(1)), with what GNU and BSD tar added to it:
 * extended attributes and holes. Names are bytes. Zone: free.
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

struct tar {
	int fd;
	size_t used;
	char buffer[131072];
};

/* What an entry says besides its status. */
struct tar_entry {
	const char *path; /* relative, without a slash at the end */
	const struct stat *status;
	const char *link;      /* text of a symbolic link, or NULL */
	const char *hard_link; /* path of the entry that it is another name of, or NULL */
	int directory_fd;      /* with 'name': for its extended attributes, */
	const char *name;
	int fd; /* and for the content of a regular file, or -EBADF */
};

/* Appends an entry. A file that shrinks meanwhile is filled up with zeros. -errno; silent. */
int tar_add(struct tar *tar, const struct tar_entry *entry);

/* The end of the archive; everything is written then. */
int tar_finish(struct tar *tar);
