/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Picks USERS_RANGE ids of the host that nobody else has, and keeps others from picking them.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ids/id-map.h"

struct locks;
struct undo;

/* A file for each range in use, named by its first id: the place and meaning of systemd-nspawn. */
#define RANGE_LOCK_DIRECTORY "/run/systemd/nspawn-uid"

/* The first ids that ranges can have: above what distributions give to users, below 2^31. */
#define RANGE_FIRST 0x00080000u
#define RANGE_LAST 0x6FFF0000u

/* Owners of trees that belong to no machine (systemd's "foreign" range). */
#define RANGE_FOREIGN 0x7FFE0000u

enum range_origin {
	RANGE_OF_TREE,   /* the tree's files belong to it already */
	RANGE_OF_NAME,   /* follows from the machine's name */
	RANGE_BY_CHANCE, /* all those were taken */
	RANGE_OF_OURS,   /* one of the few that we have in a container ourselves */
};

struct range_request {
	const char *machine;
	bool tree_is_known;
	uint32_t tree_uid, tree_gid; /* of the tree's root directory */
	const struct id_map *own;    /* the ids we have ourselves, NULL: all there are */
	const char *lock_directory;  /* NULL: RANGE_LOCK_DIRECTORY */
	const char *etc;             /* NULL: "/etc" */
};

struct range {
	uint32_t first;
	enum range_origin origin;
};

/*
 * The candidates in their order, from 0 on: the tree's own range, then such as follow from the
 * name. False where there is none of that number or it can be no range. Pure.
 */
#define RANGE_CANDIDATES 9
bool range_candidate(const struct range_request *request, unsigned int number, struct range *ret);

/*
 * Takes the first range that is free and locks it until 'undo' is done: pick once for all boots of
 * a run. Complains itself; -EBUSY if no range is free.
 */
int range_pick(const struct range_request *request, struct locks *locks, struct undo *undo,
	       struct range *ret);

/*
 * Further ranges, for containers inside the machine: so many that what useradd(8) gives to the
 * first user, 65536 ids from 100000 on, is among them, and one more range. They are in a row, as
 * the kernel takes an extent of a container inside only from within one of ours.
 */
#define RANGES_FURTHER 3

/*
 * Takes and locks them, or as many as can be had; '*ret' is the first one. Returns how many, 0 if
 * none is free, or a negative errno after messages.
 */
int range_pick_further(const struct range_request *request, struct locks *locks, struct undo *undo,
		       struct range *ret);

/*
 * Whole ranges that who has these ids can give to others: not the first, which is the own. The
 * first id of the one of that number, counted from 0 on; 0 if there is none. Pure.
 */
uint32_t range_within(const struct id_map *own, uint32_t number);

/* The range that would be taken, by looking only. Chance has no say: -EBUSY then, without a word.
 */
int range_look(const struct range_request *request, struct range *ret);

/* "the tree belongs to it" and the like, for --dry-run. */
const char *range_origin_text(enum range_origin origin);
