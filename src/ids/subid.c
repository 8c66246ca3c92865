/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the files that give ids away, and makes maps out of what they give.
 * Zone: free.
 */
#include "ids/subid.h"

#include <string.h>

#include "base/arena.h"
#include "base/numbers.h"
#include "config/config.h"

#define LINE_MAX_BYTES 256

/* One line, cut into its three fields; 'owner' is in 'buffer'. */
struct line {
	char buffer[LINE_MAX_BYTES];
	const char *owner;
	struct subid_range range;
};

/* False for what is no line of subuid(5): comments, blanks, junk, ranges beyond the last id. */
static bool parse_line(const char *text, size_t length, struct line *ret)
{
	char *first, *count;

	if (length >= sizeof(ret->buffer) || memchr(text, '\0', length))
		return false;
	memcpy(ret->buffer, text, length);
	ret->buffer[length] = '\0';
	first = strchr(ret->buffer, ':');
	count = first ? strchr(first + 1, ':') : NULL;
	if (!count || first == ret->buffer)
		return false;
	*first++ = '\0';
	*count++ = '\0';
	ret->owner = ret->buffer;
	return parse_uid(first, &ret->range.first) == 0 &&
	       parse_u32(count, &ret->range.count) == 0 && ret->range.count > 0 &&
	       ret->range.count <= UINT32_MAX - ret->range.first;
}

/* The next line of '*text' that is one; false at the end. */
static bool next_line(const char **text, struct line *ret)
{
	while (**text) {
		const char *line = *text;
		size_t length = strcspn(line, "\n");

		*text = line + length + (line[length] == '\n');
		if (parse_line(line, length, ret))
			return true;
	}
	return false;
}

/* A user whose name is the number of another one gets that one's ranges nowhere else either. */
static bool is_owner(const char *owner, const char *name, uint32_t uid)
{
	uint32_t number;

	return (name && strcmp(owner, name) == 0) ||
	       (parse_uid(owner, &number) == 0 && number == uid);
}

void subid_parse(struct arena *arena, const char *text, const char *name, uint32_t uid,
		 struct subid_ranges *ret)
{
	struct line line;

	while (next_line(&text, &line))
		if (is_owner(line.owner, name, uid))
			*ARRAY_ADD(arena, ret) = line.range;
}

/* Both end before UINT32_MAX, so no sum overflows. */
static bool ranges_meet(const struct subid_range *a, uint32_t first, uint32_t count)
{
	return a->first < first + count && first < a->first + a->count;
}

bool subid_overlaps(const char *text, uint32_t first, uint32_t count)
{
	struct line line;

	while (next_line(&text, &line))
		if (ranges_meet(&line.range, first, count))
			return true;
	return false;
}

bool subid_covers(const struct subid_ranges *ranges, uint32_t first, uint32_t count)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const struct subid_range *range = &ranges->items[i];

		if (first >= range->first && first - range->first < range->count &&
		    count <= range->count - (first - range->first))
			return true;
	}
	return false;
}

uint32_t subid_total(const struct subid_ranges *ranges)
{
	uint32_t total = 0;

	for (size_t i = 0; i < ranges->count; i++)
		total += ranges->items[i].count < UINT32_MAX - total ? ranges->items[i].count
								     : UINT32_MAX - total;
	return total;
}

/* The range that 'id' begins, or is far enough before the end of; NULL if none. */
static const struct subid_range *range_of(const struct subid_ranges *ranges, uint32_t id)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (ranges->items[i].first == id)
			return &ranges->items[i];
	for (size_t i = 0; i < ranges->count; i++) {
		const struct subid_range *range = &ranges->items[i];

		if (id > range->first && id - range->first < range->count &&
		    range->count - (id - range->first) >= USERS_RANGE)
			return range;
	}
	return NULL;
}

enum subid_way subid_way(const struct subid_request *request)
{
	if (!request->tree_is_known || request->tree_id == request->own_id)
		return SUBID_OWN;
	return range_of(request->ranges, request->tree_id) ? SUBID_SHIFTED : SUBID_FOREIGN;
}

/* newuidmap(1) takes as many extents as the kernel; nobody has so many ranges on purpose. */
#define EXTENTS_MAX 340

/* A map on its way. */
struct mapping {
	struct arena *arena;
	struct id_extent *items;
	size_t count, room;
};

static void add_extent(struct mapping *mapping, uint32_t inside, uint32_t outside, uint32_t count)
{
	if (count > 0 && mapping->count < EXTENTS_MAX)
		*ARRAY_ADD(mapping->arena, mapping) = (struct id_extent){inside, outside, count};
}

static void map_shifted(const struct subid_request *request, struct mapping *mapping)
{
	const struct subid_range *range = range_of(request->ranges, request->tree_id);
	uint32_t left = range ? range->count - (request->tree_id - range->first) : 0;

	add_extent(mapping, 0, request->tree_id, left < USERS_RANGE ? left : USERS_RANGE);
}

static void map_own(const struct subid_request *request, struct mapping *mapping)
{
	uint32_t inside = 0;

	add_extent(mapping, inside++, request->own_id, 1);
	for (size_t i = 0; i < request->ranges->count && inside < USERS_RANGE; i++) {
		const struct subid_range *range = &request->ranges->items[i];
		uint32_t room_inside = USERS_RANGE - inside;
		uint32_t taken = range->count < room_inside ? range->count : room_inside;

		/* One id cannot be two: the kernel refuses such a map as a whole. */
		if (ranges_meet(range, request->own_id, 1))
			continue;
		add_extent(mapping, inside, range->first, taken);
		inside += taken;
	}
}

/* --- What is left of the ranges --- */

/* Those ids are no longer in the ranges from number 'i' on; what is used up has the count 0. */
static void take_away(struct arena *arena, struct subid_ranges *ranges, size_t i, uint32_t first,
		      uint32_t count)
{
	uint32_t end = first + count;

	for (; i < ranges->count; i++) {
		struct subid_range range = ranges->items[i];
		uint32_t range_end = range.first + range.count;

		if (count == 0 || !ranges_meet(&range, first, count))
			continue;
		ranges->items[i].count = first > range.first ? first - range.first : 0;
		if (range_end > end)
			*ARRAY_ADD(arena, ranges) = (struct subid_range){end, range_end - end};
	}
}

/* What the extents leave of the ranges. Two lines of the file may give one id. */
static struct subid_ranges find_left(const struct subid_request *request,
				     const struct mapping *mapping)
{
	struct subid_ranges left = {0};

	for (size_t i = 0; i < request->ranges->count; i++) {
		size_t before = left.count;

		*ARRAY_ADD(mapping->arena, &left) = request->ranges->items[i];
		for (size_t j = 0; j < mapping->count; j++)
			take_away(mapping->arena, &left, before, mapping->items[j].outside,
				  mapping->items[j].count);
		for (size_t j = 0; j < before; j++)
			take_away(mapping->arena, &left, before, left.items[j].first,
				  left.items[j].count);
	}
	return left;
}

static struct subid_range *longest(const struct subid_ranges *ranges)
{
	struct subid_range *best = NULL;

	for (size_t i = 0; i < ranges->count; i++)
		if (ranges->items[i].count > (best ? best->count : 0))
			best = &ranges->items[i];
	return best;
}

static void map_left(const struct subid_request *request, struct mapping *mapping)
{
	struct subid_ranges left = find_left(request, mapping);
	const struct id_extent *last =
		mapping->count > 0 ? &mapping->items[mapping->count - 1] : NULL;
	uint64_t inside = last ? last->inside + last->count : 0;
	struct subid_range *range;

	for (; (range = longest(&left)) && mapping->count < EXTENTS_MAX; range->count = 0) {
		if (range->count >= USERS_RANGE)
			inside = (inside + USERS_RANGE - 1) / USERS_RANGE * USERS_RANGE;
		if (inside + range->count >= UINT32_MAX)
			return;
		add_extent(mapping, (uint32_t)inside, range->first, range->count);
		inside += range->count;
	}
}

void subid_map(struct arena *arena, const struct subid_request *request, enum subid_way way,
	       struct id_map *ret)
{
	struct mapping mapping = {.arena = arena};

	if (way == SUBID_SHIFTED)
		map_shifted(request, &mapping);
	else
		map_own(request, &mapping);
	if (request->wants_all)
		map_left(request, &mapping);
	*ret = (struct id_map){mapping.items, mapping.count};
}
