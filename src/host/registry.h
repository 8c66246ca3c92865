/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of running machines. It stands in the lock file of the machine's name, so that
 * there is one file, made and removed with the lock: who holds the lock is running, and what a
 * killed supervisor left behind counts for nothing. One JSON object in one line; paths have '%' and
 * two hexadecimal digits for each byte that is not printable ASCII, or that JSON would escape.
 * Zone: owing for registry_write(), free for the rest.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct arena;
struct locks;
struct places;

enum registry_changes {
	REGISTRY_CHANGES_IN_TREE,
	REGISTRY_CHANGES_OVERLAY,  /* 'changes' is the top layer of an overlay on the tree */
	REGISTRY_CHANGES_SNAPSHOT, /* 'changes' is a copy of the tree */
	REGISTRY_CHANGES_NONE,     /* not possible: the tree is all there is */
	REGISTRY_CHANGES_LOST,     /* in memory */
};

struct registry_entry {
	const char *machine;
	pid_t leader, supervisor; /* process 1 of the machine, which is the other's child */
	const char *tree;         /* its root, by the kernel's own path */
	uint64_t tree_device, tree_inode;
	enum registry_changes kind;
	const char *changes;   /* directory on the host, or NULL */
	int64_t owners_from;   /* the id on disk that is 0 inside by mapping, or -1 without */
	uint64_t started_usec; /* since 1970 */
};

/* Writes 'entry' into the lock file of the name. Silent. */
int registry_write(const struct locks *locks, const struct registry_entry *entry);

/*
 * Finds a running machine whose locks are in 'places'; texts are in the arena. Complains itself:
 * -ESRCH if there is none of that name, -EAGAIN if it is only about to start.
 */
int registry_find(struct arena *arena, const struct places *places, const char *machine,
		  struct registry_entry *ret);
