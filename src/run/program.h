/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding and executing the payload's program inside its root.
 * Zone: doomed.
 */
#pragma once

#include <stdbool.h>

struct program {
	int root_fd; /* the payload's root directory, which is also the process's */
	const char *const
		*candidates; /* absolute paths, tried in order; NULL: arguments[0] is searched */
	const char *const *
		arguments; /* argv, NULL-terminated; argv[0] of a candidate is made from its path */
	char *const *environment; /* NAME=VALUE, NULL-terminated */
	bool is_login_shell;      /* argv[0] gets its '-' */
	const char *search_path;  /* PATH as the payload has it */

	/* In the place of execve(2), returning a negative errno; NULL: that itself. */
	int (*execute)(void *userdata, const char *path, char *const *arguments,
		       char *const *environment);
	void *userdata;
};

/* None of the 'candidates' is there: refuses with a hint that names them. Returns -ENOENT. */
int program_refuse_missing(const char *const *candidates, bool is_login_shell);

/* Executes it; returns only on failure, a negative errno after one sentence. */
int program_execute(const struct program *program);

/*
 * Says why an exec of 'path' failed with the negative errno 'r', after another process tried it.
 * Returns -ENOENT where the program is not there, else another negative errno.
 */
int program_explain(int root_fd, const char *path, int r);
