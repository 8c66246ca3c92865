/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: where things of machines are on the host, in the scope of the system or of an ordinary
 * user. Whoever needs a directory takes it from here and does not ask who started us.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"

struct undo;

struct places {
	bool is_user;
	const char *runtime; /* of a user: the sockets of managers are in it; NULL for the system */
	/*
	 * A directory for each machine that runs, by its name (host/registry.h). Whatever else is
	 * in there has a name that begins with a dot, which no machine's does.
	 */
	const char *machines;
	/* Locks. They are shared with systemd-nspawn, which thereby respects ours, and we its. */
	const char *inode_locks;
	/* What the host mounts for a machine, and its sockets; NULL: mounting takes root. */
	const char *incoming, *export;
	const char *logs;        /* what consoles of ended machines showed; NULL: nowhere */
	const char *journals;    /* sockets on which journals are received */
	const char *registry;    /* where a machine manager keeps what it knows */
	const char *settings[3]; /* trusted files, the first that has one counts; NULL ends it */
	const char *images[7];   /* by name, in order of precedence; NULL ends it */
	const char *image_home;  /* the one of them where users put theirs */
	const char *units;       /* where an administrator's units are, and what changes them */
	const char *changes;     /* those that are thrown away, unless the user says where */
};

extern const struct places places_of_system;

/* What places of a user are made of. Pointers may be NULL. */
struct places_environment {
	const char *runtime; /* a directory that is the user's alone */
	const char *home, *config_home, *state_home;
};

/* Pure. What cannot be told without the environment's directories is left out. */
void places_of_user(struct arena *arena, const struct places_environment *environment,
		    struct places *ret);

/*
 * The places of the scope that was asked for, or of the caller's: the system's for root. A user's
 * runtime directory is $XDG_RUNTIME_DIR, /run/user/UID or one of a known name in /tmp, whichever is
 * the user's alone; only the last may still have to be made. Complains itself where there is none,
 * and where only root could have what was asked for.
 */
int places_find(struct arena *arena, enum scope scope, struct places *ret);

/* Makes what places_find() found wanting, until 'undo' runs. Complains itself. */
int places_make(const struct places *places, struct undo *undo);
