/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last step into a machine whose root could write to our executable: not by us, but by a small
 * program that is sealed in memory (run/last-step.c). Nobody there ever sees a process of ours.
 * Zone: free for making and explaining, doomed for the step.
 */
#pragma once

#include "run/handshake.h"
#include "run/last-step.h"
#include "run/program.h"

/*
 * A file in memory with that program, to be sealed later: made before limits are taken, which
 * may be for the size of files. Returns the descriptor, the caller's, or a negative errno after a
 * sentence.
 */
int join_last_make(void);

/* What it does with what 'step' says, all but the program's text, which is here. */
struct join_last {
	int image_fd;
	int handshake_fd, master_fd; /* as in struct last_step */
	int terminal;
	const struct sock_filter *filter; /* NULL: none */
	size_t filter_length;
};

/* For struct program: seals the file and becomes it. Returns a negative errno only. */
int join_last_execute(void *userdata, const char *path, char *const *words,
		      char *const *environment);

/*
 * What became of it: prints the sentence for 'fault', which is another than that of the exec.
 * Returns a negative errno.
 */
int join_last_explain(const struct handshake_fault *fault, const char *machine);
