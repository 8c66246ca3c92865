/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: what becomes of owners and rights of files that are copied into a machine or out of it.
 * Zone: any. What decides is pure; what it changed is told once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "ids/id-map.h"
#include "image/copy.h"

struct copy_owners {
	const char *machine;
	const struct id_maps *maps; /* NULL: ids inside are those of the host */
	bool is_into;               /* the machine, else out of it */
	bool all_to_root;           /* ids of others are not ours to give */
	bool owners_told, rights_told, devices_told;
};

enum copy_change {
	COPY_CHANGE_OWNER = 1 << 0,  /* an id that is none on the other side */
	COPY_CHANGE_RIGHTS = 1 << 1, /* set-user-id and the like */
	COPY_CHANGE_DEVICE = 1 << 2, /* not to be copied at all */
};

/*
 * Owner and mode as the copy gets them. An id that the other side does not have becomes its root.
 * What comes out of a machine has no rights on the host that whoever is root inside could have
 * given it: no set-user-id, no device. Returns enum copy_change.
 */
unsigned int copy_owners_map(const struct copy_owners *owners, struct stat *status);

/*
 * The value of an extended attribute likewise: ids in access lists are mapped, and entries for
 * others go. False if it is left out; *ret_change says whether that is to be told.
 */
bool copy_owners_map_attribute(const struct copy_owners *owners, const char *name, char *value,
			       size_t *size, unsigned int *ret_change);

/* Makes rules of 'owners', which is borrowed. */
void copy_owners_rules(struct copy_owners *owners, struct copy_rules *ret);
