/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: the owners of a mount mapped, as its plan says (mount_setattr(2), MOUNT_ATTR_IDMAP).
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

#include "mount/id-mount.h"

/* One user namespace for each different map: making one costs a process. */
struct id_namespace {
	struct id_maps maps;
	int fd;
};

struct id_namespaces {
	struct id_namespace *items;
	size_t count, room;
};

/* One mount whose owners are to be mapped. */
struct id_mount {
	const struct id_request *request;
	const char *name; /* of the source, for messages */
	bool is_on_host;  /* 'name' is its path there */
	bool recursive;
	struct id_mount_facts facts; /* but for 'source_owner', which is looked up */
	int owner_fd;                /* whose owner that is, -EBADF: the mount's own */
};

/*
 * Maps the owners of the detached clone '*mount_fd' of which nobody else has a descriptor yet. If
 * it has a map already, that is dropped first, and '*mount_fd' may become another one. Needs root,
 * but no user namespace of the machine. Returns 0, or a negative errno after one sentence.
 */
int id_mount_apply(struct arena *arena, struct id_namespaces *namespaces,
		   const struct id_mount *mount, int *mount_fd);

void id_namespaces_close(struct id_namespaces *namespaces);
