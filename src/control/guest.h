/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A running machine, held by descriptors: whatever becomes of numbers and names meanwhile, they
 * lead to its leader and its root, or nowhere.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "host/registry.h"
#include "ids/id-map.h"

struct places;

/* Starts as GUEST_NONE and ends with guest_close(). */
struct guest {
	struct registry_entry entry;
	int pidfd;           /* of the leader */
	int root_fd;         /* O_PATH: '/' as the leader has it */
	bool has_own_ids;    /* it lives in another user namespace than we do */
	bool is_joined;      /* we are an ordinary user's, root of the machine's ids */
	struct id_maps maps; /* of the machine's, unless 'is_joined': outside are the host's */
};

#define GUEST_NONE \
	{ \
		.pidfd = -EBADF, .root_fd = -EBADF \
	}

/* Finds the machine and opens it. Texts are in the arena. Complains itself. */
int guest_open(struct arena *arena, const struct places *places, const char *machine,
	       struct guest *ret);
void guest_close(struct guest *guest);

/*
 * path_open() in the guest's root. One system call resolves the whole path, so that nobody inside
 * can lead it astray; who moves directories about all the time can only make the kernel decline,
 * and is frozen for a moment then. Silent.
 */
int guest_resolve(const struct guest *guest, const char *path, int flags);

/* path_open_parent(), likewise. */
int guest_resolve_parent(const struct guest *guest, const char *path, char *ret_name);
