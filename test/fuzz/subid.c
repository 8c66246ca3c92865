/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* subid(5), of whoever may write it; the input begins with two bytes that are the user's id and the
 * tree's owner. */
#include "base/arena.h"
#include "fuzz.h"
#include "ids/subid.h"

/* Where ids outside count twice the kernel refuses the map. */
static void check_map(const struct id_map *map)
{
	uint64_t inside = 0;

	MUST(map->count > 0);
	for (size_t i = 0; i < map->count; i++) {
		MUST(map->items[i].count > 0 && map->items[i].inside == inside);
		MUST((uint64_t)map->items[i].outside + map->items[i].count <= UINT32_MAX);
		inside += map->items[i].count;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t own = input_byte(&data, &size), tree = input_byte(&data, &size) * UINT32_C(1000);
	struct subid_ranges ranges = {0};
	struct arena arena = {0};
	char *text = input_text(data, size);

	subid_parse(&arena, text, "eva", own, &ranges);
	for (size_t i = 0; i < ranges.count; i++) {
		const struct subid_range *range = &ranges.items[i];

		MUST(range->count > 0 && (uint64_t)range->first + range->count <= UINT32_MAX);
		MUST(subid_covers(&ranges, range->first, range->count));
		MUST(subid_overlaps(text, range->first, range->count));
	}
	if (ranges.count > 0) {
		const struct subid_request request = {own, tree, true, &ranges};
		struct id_map map = {0};

		subid_map(&arena, &request, subid_way(&request), &map);
		check_map(&map);
	}
	arena_done(&arena);
	free(text);
	return 0;
}
