/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The programs that may write an ordinary user's maps: newuidmap(1) and newgidmap(1).
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "ids/id-map.h"

enum newidmap_program {
	NEWIDMAP_USERS,
	NEWIDMAP_GROUPS,
	_NEWIDMAP_COUNT,
};

/*
 * Where the program is, looked for in the system's own directories only: it runs with more rights
 * than ours and $PATH is anybody's. NULL if there is none. 'directories' (NULL: those) ends with
 * NULL.
 */
struct arena;
const char *newidmap_find(struct arena *arena, enum newidmap_program program,
			  const char *const *directories);

/*
 * Why a program that we start gets no more rights than we have, as words after "under"; NULL if it
 * does (execve(2)).
 */
const char *newidmap_obstacle(void);

/*
 * Runs both for the user namespace that 'pid' lives in, without a shell and with an empty
 * environment. What they say is in our sentence. Returns 0 or a negative errno after messages.
 */
int newidmap_write(const char *const programs[_NEWIDMAP_COUNT], pid_t pid,
		   const struct id_maps *maps);
