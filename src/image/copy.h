/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies files and trees with everything that belongs to them: contents (shared with the original
 * where the file system can, holes stay holes), modes, owners, times, extended attributes, access
 * lists, hard links, device nodes, sockets and FIFOs. By descriptor; nothing is ever followed.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/progress.h"

/* What a copy gets instead of what its original has. A function that is NULL changes nothing. */
struct copy_rules {
	void *argument;

	/*
	 * Changes owner and mode in '*status', which is that of what 'fd' (O_PATH perhaps) is open
	 * to. True: that is left out, which it has told itself.
	 */
	bool (*leaves_out)(void *argument, int fd, struct stat *status);

	/*
	 * Changes the value of an extended attribute in place, which has room for COPY_VALUE_BYTES.
	 * False: it is left out.
	 */
	bool (*keeps)(void *argument, const char *attribute, char *value, size_t *size);
};

/* What an extended attribute may have at most (xattr(7)). */
#define COPY_VALUE_BYTES 65536

/* What lasts from one object to the next. Starts zeroed and ends with copying_done(). */
struct copying {
	const char *from, *to;     /* for messages */
	struct progress *progress; /* NULL: not shown */
	bool is_interruptible;     /* -EINTR as soon as interrupt_came(); the caller holds */
	bool target_is_fresh;      /* objects that are made there inherit no access list */
	bool is_layer;             /* of an overlay: what that notes in attributes is not copied */
	const struct copy_rules *rules; /* NULL: none. Else others may be at work in the target. */

	uint64_t count, bytes;
	bool clones_fail;   /* between these two file systems */
	bool mounts_told;   /* what is mounted was left out */
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
 * The same for what 'path_fd' is open to, with O_PATH and without having followed a link.
 * COPY_LEFT_OUT if the rules leave it out.
 */
#define COPY_LEFT_OUT 1
int copy_opened(struct copying *copying, int path_fd, int to_directory_fd, const char *to_name);

/* True for what belongs to whom our files belong to: who swaps names has put none of his there. */
bool copy_is_ours(int fd);

/* Called now and then by what copies by other means: shows progress; -EINTR when it is to end. */
int copy_look_up(struct copying *copying);

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
	bool merges;   /* 'to_fd' may have something in it: directories stay as they are, and
			* everything else is finished under a name of its own; -EEXIST for a name that
			* is taken */
	bool replaces; /* ... but if it is a file's, the new one takes its place */
};

/*
 * Copies what is below 'from_fd' into 'to_fd', and the attributes of the directory itself. What is
 * mounted there is left out, its mount point is an empty directory; what vanishes meanwhile too.
 * Complains itself, but not of -EINTR; what was made until then stays.
 */
int copy_tree(struct copying *copying, const struct copy_tree_request *request);

/*
 * Gives what is called 'from' in its directory another name, at once: -EEXIST if that is taken,
 * unless what has it may be replaced.
 */
int copy_move(int directory_fd, const char *from, int to_directory_fd, const char *to,
	      bool replaces);
