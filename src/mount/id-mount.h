/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: who owns the files of one mount, as the ids of a user namespace by which the kernel maps
 * it: inside are the ids on disk, outside those of the processes (mount_setattr(2)).
 * Zone: free. Pure.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "config/config.h"
#include "ids/id-map.h"

/* The kernel's own limit (UID_GID_MAP_MAX_EXTENTS). */
#define ID_EXTENTS_MAX 340

struct id_mount_facts {
	const struct id_maps *machine; /* NULL: its ids are the host's */
	uint32_t source_owner;         /* the user, as on disk */
	uint32_t destination_owner;    /* the user, as seen inside */
	uint32_t base;                 /* ID_RULE_SAME: what id 0 inside is on disk */
};

/*
 * Makes the map of the one mount out of what was asked for. Each id is on one side only once: what
 * a pair of owners says goes before the rule, and the rule's own id before the rest of it. Returns
 * 0, or -ERANGE if an id that is to be seen inside is none of the machine's, -EEXIST if two pairs
 * meet, -E2BIG for more extents than the kernel takes; all in the arena. Silent.
 */
int id_mount_maps(struct arena *arena, const struct id_request *request,
		  const struct id_mount_facts *facts, struct id_maps *ret);

/*
 * The options of a file system in memory: 'uid=' and 'gid=' are ids of the payload, and whoever
 * mounts it sees the other side of 'maps'. -ERANGE for an id that the payload does not have,
 * -EINVAL for one that is not plain decimal.
 */
int id_mount_options(struct arena *arena, const char *options, const struct id_maps *maps,
		     const char **ret);
