/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the services that manage ids lend to one run of the program: a user namespace with a range
 * of its own, for as long as somebody has it open, and for each boot the tree mounted with its ids.
 * Zone: owing.
 */
#pragma once

#include "ids/id-map.h"
#include "ids/nsresource.h"

struct undo;

struct lease_request {
	const struct nsresource_sockets *sockets; /* NULL: the host's */
	const char *machine;                      /* what the range is called by */
	unsigned int delegated;                   /* further ranges, for machines inside */
	int directory_fd; /* the tree; may be O_PATH; -EBADF: it is mounted by somebody else */
};

struct lease {
	int users_fd; /* the namespace; nobody lives in it yet */
	int tree_fd;  /* a detached mount that no boot has used yet, or -EBADF */
	struct id_maps maps;
};

#define LEASE_NONE ((struct lease){.users_fd = -EBADF, .tree_fd = -EBADF})

/*
 * Takes a lease, which ends with 'undo'. With 'ret_why' nothing is complained about: a failure's
 * sentence is there instead, in the arena, for who knows another way. Else complains itself.
 */
int lease_take(struct arena *arena, const struct lease_request *request, struct undo *undo,
	       struct lease *ret, const char **ret_why);

/* The tree for one boot, a descriptor of the caller's; or a negative errno after messages. */
int lease_open_tree(const struct lease_request *request, struct lease *lease);
