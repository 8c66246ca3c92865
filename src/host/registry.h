/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of running machines. It stands in the lock file of the machine's name, so that
 * there is one file, made and removed with the lock: who holds the lock is running, and what a
 * killed supervisor left behind counts for nothing. One JSON object in one line; texts have '%' and
 * two hexadecimal digits for each byte that is not printable ASCII, or that JSON would escape.
 * Zone: owing for registry_write() and registry_write_filter(), free for the rest.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"

struct locks;
struct places;

enum registry_changes {
	REGISTRY_CHANGES_IN_TREE,
	REGISTRY_CHANGES_OVERLAY,  /* 'changes' is the top layer of an overlay on the tree */
	REGISTRY_CHANGES_SNAPSHOT, /* 'changes' is a copy of the tree */
	REGISTRY_CHANGES_NONE,     /* not possible: the tree is all there is */
	REGISTRY_CHANGES_LOST,     /* in memory */
};

/* Indexes of interfaces. */
struct registry_interfaces {
	const int *items;
	size_t count;
};

struct registry_entry {
	const char *machine;
	const char *directory;    /* of its runtime files; filled by who reads */
	pid_t leader, supervisor; /* process 1 of the machine, which is the other's child */
	const char *tree;         /* its root, by the kernel's own path */
	uint64_t tree_device, tree_inode;
	enum registry_changes kind;
	const char *changes;   /* directory on the host, or NULL */
	int64_t owners_from;   /* the id on disk that is 0 inside by mapping, or -1 without */
	uint64_t started_usec; /* since 1970 */

	const char *uuid;    /* its id: 32 hexadecimal digits */
	const char *service; /* who made it: "nspawn" */
	const char *start;   /* "boot", "pid2" or "command" */
	const char *init;    /* init_kind_name() of a tree that was booted, else "unknown" */
	const char *unit;    /* of the service manager, all of it the machine's; or NULL */
	bool unit_is_users;  /* the manager is the user's own */
	const char *cgroup;  /* directory of the payload's group on the host, or NULL */
	int64_t shift;       /* the host's id of its root; 0 without a user namespace */
	struct registry_interfaces interfaces; /* the host's ends of its links */
	bool has_own_network;
	struct strings ports, host_ports; /* published and of the host's, as options take them */

	/* What a further process inside gets, as its first one did. */
	uint64_t caps_bounding, caps_ambient; /* as in struct capability_plan */
	bool no_new_privileges;
	const char *filter;         /* "default", "none", or "own": it is in REGISTRY_FILTER_FILE */
	struct strings environment; /* NAME=VALUE, without what is the first process's alone */

	bool is_ready;      /* nobody who waits for it need wait any longer */
	const char *status; /* what the guest said of itself, escaped for a terminal; or NULL */
};

/* In the machine's directory: the system call filter as an array of struct sock_filter. */
#define REGISTRY_FILTER_FILE "filter"

/* --- Writing (registry-write.c) --- */

/* Writes 'entry' into the lock file of the name, over what was there. Silent. */
int registry_write(const struct locks *locks, const struct registry_entry *entry);

/* Writes the filter of an entry whose 'filter' is "own". The caller removes the file. Silent. */
int registry_write_filter(const char *directory, const struct sock_filter *filter, size_t length);

/* --- Reading --- */

/* Where the runtime files of a machine of that name are, or would be. In the arena. */
const char *registry_directory(struct arena *arena, const struct places *places,
			       const char *machine);

/*
 * Finds a running machine whose locks are in 'places'; texts are in the arena. Complains itself:
 * -ESRCH if there is none of that name, -EAGAIN if it is only about to start.
 */
int registry_find(struct arena *arena, const struct places *places, const char *machine,
		  struct registry_entry *ret);

/*
 * All that run, sorted by name, in the arena. Those that are about to start, or that we may not
 * look at, are left out. Complains itself; no machines are no failure.
 */
int registry_list(struct arena *arena, const struct places *places, struct registry_entry **ret,
		  size_t *ret_count);

/*
 * The same for what a killed supervisor left of a machine: names, and what it knew of one. Silent,
 * but for the directory as a whole.
 */
int registry_list_left(struct arena *arena, const struct places *places, struct strings *ret);
int registry_read_left(struct arena *arena, const struct places *places, const char *machine,
		       struct registry_entry *ret);

/*
 * Whether the machine of that name still runs: 0, or -ESRCH. Also for one that was killed and only
 * left its files.
 */
int registry_look(const char *directory);

/*
 * A pidfd of the machine's leader, which the caller closes. It is the leader's and not that of a
 * process which has got its number since: it was a child of the supervisor, which held the lock
 * meanwhile. -ESRCH if it has ended. Silent.
 */
int registry_leader(const struct registry_entry *entry, int *ret_pidfd);

/* The filter of an entry whose 'filter' is "own", in the arena. Silent. */
int registry_read_filter(struct arena *arena, const struct registry_entry *entry,
			 const struct sock_filter **ret, size_t *ret_length);
