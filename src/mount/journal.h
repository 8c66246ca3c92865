/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether host and machine can read each other's journals, by a mount or by a link
 * (--link-journal=). What is made for it stays when the machine is gone: that is how its journal
 * can be read afterwards.
 * Zone: free for gathering and planning, owing for linking.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct arena;

/* Where journald keeps the journals of all machines (systemd-journald.service(8)). */
#define JOURNAL_DIRECTORY "/var/log/journal"

/* What the plan depends on. */
struct journal_facts {
	const char *machine; /* its name, before any number that tells it from others */
	/* JOURNAL_DIRECTORY/ID may be mounted; only looked at for 'auto'. */
	bool host_has_directory;
	bool is_same_machine; /* the tree has the host's own machine id */
	bool has_id;          /* the machine has one that outlives this start */
};

enum journal_how {
	JOURNAL_LEAVE, /* nothing is done */
	JOURNAL_BIND,  /* the host's directory is mounted in the tree */
	JOURNAL_LINK,  /* the host gets a link to the tree's directory */
};

struct journal_plan {
	const char *mark; /* the machine that the directory on the host is given to, or NULL */
	enum journal_how how;
	bool is_try;           /* what cannot be done is left, */
	bool is_default;       /* and nobody asked for it anyway */
	const char *directory; /* JOURNAL_DIRECTORY/ID, on the host and in the tree */
};

/*
 * Looks at the host. 'machine_id' is NULL if this start chooses one that nobody has seen. By
 * default this is one system call, and without an id none.
 */
void journal_facts_gather(const struct config *config, const char *machine,
			  const uint8_t machine_id[16], struct journal_facts *ret);

/*
 * Pure but for messages. 'machine_uuid' is dashed. Returns 0, or a negative errno after one
 * refusal.
 */
int journal_plan_make(struct arena *arena, const struct config *config,
		      const struct journal_facts *facts, const char *machine_uuid,
		      struct journal_plan *ret);

/*
 * Does what the plan says on the host. In the tree at 'tree_fd' the directory is made, in-root,
 * unless the tree is read-only. For JOURNAL_BIND, *ret_mount_fd is a detached mount of the host's
 * directory, -EBADF if a try came to nothing. Returns 0, or a negative errno after one sentence.
 */
int journal_prepare(const struct journal_plan *plan, int tree_fd, bool tree_is_read_only,
		    int *ret_mount_fd);
