/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a throw-away machine changed: walks through its changes beside its tree. Both may change
 * meanwhile, and the changes are a stranger's: everything is opened by descriptor, one name at a
 * time, without following a link or crossing a mount, however deep.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "host/registry.h"

enum change_kind {
	CHANGE_ADDED,
	CHANGE_CHANGED,
	CHANGE_REMOVED,
	CHANGE_SAME, /* a directory that has to be gone through, or what is wanted with 'wants_all'
		      */
};

enum change_aspects {
	CHANGE_OF_TYPE = 1 << 0,
	CHANGE_OF_CONTENT = 1 << 1,
	CHANGE_OF_METADATA =
		1 << 2, /* owner, mode, extended attributes; but of a directory, time */
};

struct change {
	enum change_kind kind;
	unsigned int aspects; /* of CHANGE_CHANGED */
	const char *path;     /* "/etc/passwd" */
	const char *name;     /* its last part, in both of: */
	int changes_fd, tree_fd;
	int now_fd;              /* that of the two in which it is now */
	struct stat now, before; /* as far as there is such a thing */
	bool is_end;             /* of a directory, said again after all that is in it */
};

/*
 * What is called for each change, in the order of names. For a directory it may return a descriptor
 * that stands for it in the tree from there on, for the walk to close; otherwise 0. What is
 * negative ends the walk.
 */
typedef int (*change_function)(void *argument, const struct change *change);

struct changes_walk {
	int changes_fd, tree_fd; /* the two top directories, open for reading */
	bool is_overlay;
	bool wants_same; /* also told of directories that are the same */
	bool wants_all;  /* told of everything there is; nothing is compared */
	change_function function;
	/* NULL, or true for paths that nobody asked for, nor for anything below them. */
	bool (*skips)(void *argument, const char *path);
	void *argument;
};

/* Opens both sides of a running machine. Complains itself. */
int changes_open(const struct registry_entry *entry, struct changes_walk *ret);
void changes_close(struct changes_walk *walk);

/* Complains itself; what 'function' returns is passed on, and said already. */
int changes_walk(const struct changes_walk *walk);

/* Opens a directory for reading without leaving a trace in its time of access. -errno. */
int changes_open_at(int parent_fd, const char *name, int flags);

/* Names in 'fd', sorted, without '.' and '..'; malloc'ed in one piece. -errno, or how many. */
int changes_list(int fd, char ***ret);
