/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The environment block of the payload: built from nothing, so that none of the host's leaks.
 * Zone: free; environment_add_user() is called in the doomed zone, where the user is known.
 */
#pragma once

#include "base/arena.h"

/* Unless the user says otherwise. */
#define ENVIRONMENT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct plan;
struct user_identity;

/* Adds NAME=VALUE, replacing an earlier entry of that name. */
void environment_set(struct arena *arena, struct strings *environment, const char *assignment);

/* The value of NAME, or NULL. */
const char *environment_get(const struct strings *environment, const char *name);

/* Everything but HOME, USER and LOGNAME, in the order of precedence (later wins). */
void environment_plan(struct arena *arena, const struct plan *plan, struct strings *ret);

/* HOME, USER and LOGNAME, unless the user of nspawn set them. */
void environment_add_user(struct arena *arena, struct strings *environment,
			  const struct user_identity *user);
