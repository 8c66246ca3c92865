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
};

/* None of the 'candidates' is there: refuses with a hint that names them. Returns -ENOENT. */
int program_refuse_missing(const char *const *candidates, bool is_login_shell);

/* Executes it; returns only on failure, a negative errno after one sentence. */
int program_execute(const struct program *program);
