/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies files and trees with everything that belongs to them: contents (shared with the original
 * where the file system can, holes stay holes), modes, owners, times, extended attributes, access
 * lists, hard links, device nodes, sockets and FIFOs. By descriptor; nothing is ever followed.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/progress.h"

/* What lasts from one object to the next. Starts zeroed and ends with copying_done(). */
struct copying {
	const char *from, *to;     /* for messages */
	struct progress *progress; /* NULL: not shown */
	bool is_interruptible;     /* -EINTR as soon as interrupt_came(); the caller holds */
	bool target_is_fresh;      /* objects that are made there inherit no access list */
	bool is_layer;             /* of an overlay: what that notes in attributes is not copied */

	uint64_t count, bytes;
	bool clones_fail;   /* between these two file systems */
	bool loss_was_told; /* attributes that the target's file system does not take */
	char *names, *value;
};

void copying_done(struct copying *copying);
#define auto_copying __attribute__((cleanup(copying_done)))

/* True for extended attributes by which an overlay keeps its books. */
bool copy_is_internal(const char *attribute);

/*
 * Copies 'from_name', which may be anything but a directory (-EISDIR), to 'to_name', which must not
 * exist. Nothing is left on failure. Silent, but for one warning about attributes that the target's
 * file system does not take.
 */
int copy_object(struct copying *copying, int from_directory_fd, const char *from_name,
		int to_directory_fd, const char *to_name);

/*
 * Gives what 'to_fd' is open to owner, mode, extended attributes, access lists and times of what
 * 'from_fd' is open to; O_PATH will do for both. What only the target has is taken away.
 */
int copy_attributes(struct copying *copying, int from_fd, int to_fd);

struct copy_tree_request {
	int from_fd;  /* the directory to be copied */
	int to_fd;    /* an empty one */
	int links_fd; /* one to keep names of hard links in meanwhile, on the file system of to_fd
		       */
	const struct stat *except; /* a directory to be left out, or NULL */
};

/*
 * Copies what is below 'from_fd' into 'to_fd', and the attributes of the directory itself. What is
 * mounted there is left out, its mount point is an empty directory. Complains itself, but not of
 * -EINTR; what was made until then stays.
 */
int copy_tree(struct copying *copying, const struct copy_tree_request *request);
