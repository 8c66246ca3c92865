/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: which ids of the host an ordinary user may give away (subuid(5), subgid(5)).
 * DECIDED: how the ids of a machine are made out of these and the user's own.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ids/id-map.h"

struct arena;

/* 'count' ids from 'first' on; at least one, and never the last id there is. */
struct subid_range {
	uint32_t first, count;
};

struct subid_ranges {
	struct subid_range *items;
	size_t count, room;
};

/*
 * Appends the ranges that 'text', a subuid(5) file, gives to the user: by name or by number, in as
 * many lines as there are. Lines of others, lines that are none and ranges that run over the last
 * id are left out, as newuidmap(1) leaves them out. 'name' may be NULL.
 */
void subid_parse(struct arena *arena, const char *text, const char *name, uint32_t uid,
		 struct subid_ranges *ret);

/* True if some range of the file, whoever's, has one of 'count' ids from 'first' on. */
bool subid_overlaps(const char *text, uint32_t first, uint32_t count);

/* True if one range has all of 'count' ids from 'first' on. */
bool subid_covers(const struct subid_ranges *ranges, uint32_t first, uint32_t count);

/* How many ids the ranges have together, at most UINT32_MAX. */
uint32_t subid_total(const struct subid_ranges *ranges);

struct subid_request {
	uint32_t own_id;    /* the user's */
	uint32_t tree_id;   /* whom the tree's root directory belongs to */
	bool tree_is_known; /* else it counts as the user's */
	const struct subid_ranges *ranges;
	bool wants_all; /* for containers inside, too */
};

enum subid_way {
	SUBID_OWN,     /* 0 inside is the user, the ids above are the ranges */
	SUBID_SHIFTED, /* 0 inside is the tree's owner, the beginning of a range */
	SUBID_FOREIGN, /* as SUBID_OWN, but the tree is neither's: its files belong to nobody */
};

/*
 * Which of the ways a tree wants. Pure. A tree whose owner is in the middle of a range counts as
 * shifted if 65536 ids follow: a range may hold several machines.
 */
enum subid_way subid_way(const struct subid_request *request);

/*
 * The map of that way, without gaps inside, of no more than USERS_RANGE ids but for the user's
 * range being shorter. Users and groups may differ in everything but the way. In the arena. Who
 * wants all gets what is left of the ranges above these, the longest first; one that is as long as
 * a range of a machine's begins at a multiple of that.
 */
void subid_map(struct arena *arena, const struct subid_request *request, enum subid_way way,
	       struct id_map *ret);
