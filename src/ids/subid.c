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

static void add_extent(struct arena *arena, struct id_extent **items, size_t *count, size_t *room,
		       struct id_extent extent)
{
	*(struct id_extent *)array_grow(arena, items, count, room, sizeof(**items)) = extent;
}

/* newuidmap(1) takes as many extents as the kernel; nobody has so many ranges on purpose. */
#define EXTENTS_MAX 340

void subid_map(struct arena *arena, const struct subid_request *request, enum subid_way way,
	       struct id_map *ret)
{
	const struct subid_ranges *ranges = request->ranges;
	struct id_extent *items = NULL;
	size_t count = 0, room = 0;
	uint32_t inside = 0;

	if (way == SUBID_SHIFTED) {
		const struct subid_range *range = range_of(ranges, request->tree_id);
		uint32_t left = range ? range->count - (request->tree_id - range->first) : 0;

		if (range)
			add_extent(arena, &items, &count, &room,
				   (struct id_extent){0, request->tree_id,
						      left < USERS_RANGE ? left : USERS_RANGE});
		*ret = (struct id_map){items, count};
		return;
	}
	add_extent(arena, &items, &count, &room, (struct id_extent){inside++, request->own_id, 1});
	for (size_t i = 0; i < ranges->count && inside < USERS_RANGE && count < EXTENTS_MAX; i++) {
		const struct subid_range *range = &ranges->items[i];
		uint32_t room_inside = USERS_RANGE - inside;
		uint32_t taken = range->count < room_inside ? range->count : room_inside;

		/* One id cannot be two: the kernel refuses such a map as a whole. */
		if (ranges_meet(range, request->own_id, 1))
			continue;
		add_extent(arena, &items, &count, &room,
			   (struct id_extent){inside, range->first, taken});
		inside += taken;
	}
	*ret = (struct id_map){items, count};
}
