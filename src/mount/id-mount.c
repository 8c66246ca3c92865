/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cuts ranges of ids until none is on one side twice.
 * Zone: free. Pure.
 */
#include "mount/id-mount.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"

struct extents {
	struct id_extent *items;
	size_t count, room;
};

/* All ids there are; 4294967295 is none. */
#define ALL_IDS UINT32_MAX

enum side {
	SIDE_INSIDE,
	SIDE_OUTSIDE,
};

static uint64_t first_of(const struct id_extent *extent, enum side side)
{
	return side == SIDE_INSIDE ? extent->inside : extent->outside;
}

static bool do_meet(const struct id_extent *a, const struct id_extent *b, enum side side)
{
	return first_of(a, side) < first_of(b, side) + b->count &&
	       first_of(b, side) < first_of(a, side) + a->count;
}

static void add(struct arena *arena, struct extents *list, uint32_t inside, uint32_t outside,
		uint32_t count)
{
	if (count > 0)
		*ARRAY_ADD(arena, list) = (struct id_extent){inside, outside, count};
}

/* Leaves of 'extent' what does not meet 'taken' on that side: nothing, one piece, or two. */
static void add_rest(struct arena *arena, struct extents *list, const struct id_extent *extent,
		     const struct id_extent *taken, enum side side)
{
	uint64_t first = first_of(extent, side), end = first + extent->count,
		 taken_first = first_of(taken, side), taken_end = taken_first + taken->count;
	uint32_t before, after;

	if (!do_meet(extent, taken, side)) {
		*ARRAY_ADD(arena, list) = *extent;
		return;
	}
	before = taken_first > first ? (uint32_t)(taken_first - first) : 0;
	after = taken_end < end ? (uint32_t)(end - taken_end) : 0;
	add(arena, list, extent->inside, extent->outside, before);
	add(arena, list, extent->inside + (extent->count - after),
	    extent->outside + (extent->count - after), after);
}

/* Takes the ids of 'taken' out of the list, on both sides. */
static void cut(struct arena *arena, struct extents *list, const struct id_extent *taken)
{
	for (enum side side = SIDE_INSIDE; side <= SIDE_OUTSIDE; side++) {
		struct extents rest = {0};

		for (size_t i = 0; i < list->count; i++)
			add_rest(arena, &rest, &list->items[i], taken, side);
		*list = rest;
	}
}

/* 'count' ids that the machine has from 'inside' on are those of the disk from 'disk' on. */
static int add_seen(struct arena *arena, struct extents *list, const struct id_map *machine,
		    uint32_t disk, uint32_t inside, uint32_t count)
{
	if (!machine) {
		add(arena, list, disk, inside, count);
		return 0;
	}
	while (count > 0) {
		const struct id_extent *found = NULL;
		uint32_t offset, length;

		for (size_t i = 0; i < machine->count; i++)
			if (inside >= machine->items[i].inside &&
			    inside - machine->items[i].inside < machine->items[i].count)
				found = &machine->items[i];
		if (!found)
			return -ERANGE;
		offset = inside - found->inside;
		length = found->count - offset < count ? found->count - offset : count;
		add(arena, list, disk, found->outside + offset, length);
		disk += length;
		inside += length;
		count -= length;
	}
	return 0;
}

static bool meets_any(const struct extents *list, const struct id_extent *extent)
{
	for (size_t i = 0; i < list->count; i++)
		if (do_meet(&list->items[i], extent, SIDE_INSIDE) ||
		    do_meet(&list->items[i], extent, SIDE_OUTSIDE))
			return true;
	return false;
}

static int add_pairs(struct arena *arena, struct extents *list, const struct id_request *request,
		     const struct id_map *machine, bool of_groups)
{
	for (size_t i = 0; i < request->pairs.count; i++) {
		const struct owner_pair *pair = &request->pairs.items[i];
		struct extents seen = {0};

		if (pair->is_group != of_groups)
			continue;
		TRY(add_seen(arena, &seen, machine, pair->host, pair->guest, pair->count));
		for (size_t each = 0; each < seen.count; each++) {
			if (meets_any(list, &seen.items[each]))
				return -EEXIST;
			*ARRAY_ADD(arena, list) = seen.items[each];
		}
	}
	return 0;
}

/* What the rule itself says, which yields to what was said of owners. */
static int add_rule(struct arena *arena, struct extents *list, const struct id_request *request,
		    const struct id_mount_facts *facts, const struct id_map *machine)
{
	switch (request->rule) {
	case ID_RULE_PLAIN:
		add(arena, list, 0, 0, ALL_IDS);
		return 0;
	case ID_RULE_SAME:
		if (!machine)
			add(arena, list, 0, 0, ALL_IDS);
		for (size_t i = 0; machine && i < machine->count; i++)
			add(arena, list, facts->base + machine->items[i].inside,
			    machine->items[i].outside, machine->items[i].count);
		return 0;
	case ID_RULE_ROOT:
		return add_seen(arena, list, machine, facts->source_owner, 0, 1);
	case ID_RULE_OWNER:
		return add_seen(arena, list, machine, facts->source_owner, facts->destination_owner,
				1);
	case ID_RULE_ONLY:
	default:
		return 0;
	}
}

static int compare(const void *left, const void *right)
{
	const struct id_extent *a = left, *b = right;

	return a->inside < b->inside ? -1 : a->inside > b->inside;
}

static int make_map(struct arena *arena, const struct id_request *request,
		    const struct id_mount_facts *facts, bool of_groups, struct id_map *ret)
{
	const struct id_map *machine = !facts->machine ? NULL
				       : of_groups     ? &facts->machine->groups
						       : &facts->machine->users;
	struct extents said = {0}, rest = {0};

	TRY(add_pairs(arena, &said, request, machine, of_groups));
	TRY(add_rule(arena, &rest, request, facts, machine));
	for (size_t i = 0; i < said.count; i++)
		cut(arena, &rest, &said.items[i]);
	for (size_t i = 0; i < rest.count; i++)
		*ARRAY_ADD(arena, &said) = rest.items[i];
	if (said.count > ID_EXTENTS_MAX)
		return -E2BIG;
	if (said.count > 0)
		qsort(said.items, said.count, sizeof(*said.items), compare);
	*ret = (struct id_map){said.items, said.count};
	return 0;
}

int id_mount_maps(struct arena *arena, const struct id_request *request,
		  const struct id_mount_facts *facts, struct id_maps *ret)
{
	struct id_maps maps;

	TRY(make_map(arena, request, facts, /* of_groups= */ false, &maps.users));
	TRY(make_map(arena, request, facts, /* of_groups= */ true, &maps.groups));
	*ret = maps;
	return 0;
}

int id_mount_options(struct arena *arena, const char *options, const struct id_maps *maps,
		     const char **ret)
{
	struct strings words = {0};
	const char *text = "";

	text_words(arena, options, ",", &words);
	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.items[i];
		const struct id_map *map = text_has_prefix(word, "uid=")   ? &maps->users
					   : text_has_prefix(word, "gid=") ? &maps->groups
									   : NULL;
		uint32_t id;

		if (map) {
			TRY(parse_u32(word + strlen("uid="), &id));
			id = id_map_to_outside(map, id);
			if (id == UINT32_MAX)
				return -ERANGE;
			word = arena_format(arena, "%.4s%u", word, id);
		}
		text = arena_format(arena, "%s%s%s", text, *text ? "," : "", word);
	}
	*ret = text;
	return 0;
}
