/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that give ids away, well-formed and not, and the maps that come of them.
 */
#include "ids/subid.h"

#include "base/arena.h"
#include "base/scope.h"
#include "check.h"

static struct arena arena;

static const char *show(const struct subid_ranges *ranges)
{
	const char *text = "";

	for (size_t i = 0; i < ranges->count; i++)
		text = arena_format(&arena, "%s%s%u+%u", text, i ? " " : "", ranges->items[i].first,
				    ranges->items[i].count);
	return text;
}

static const char *parse(const char *text)
{
	struct subid_ranges ranges = {0};

	subid_parse(&arena, text, "eva", 1000, &ranges);
	return show(&ranges);
}

static void test_parse(void)
{
	CHECK_TEXT(parse(""), "");
	CHECK_TEXT(parse("eva:100000:65536\n"), "100000+65536");
	CHECK_TEXT(parse("eva:100000:65536"), "100000+65536");
	CHECK_TEXT(parse("1000:100000:65536\n"), "100000+65536");
	CHECK_TEXT(parse("bob:1:2\neva:5:6\n1000:7:8\n1001:9:9\nev:1:1\nevad:1:1\n"), "5+6 7+8");
	/* What is no line, or no range. */
	CHECK_TEXT(parse("# eva:1:2\n\n\n:1:2\neva\neva:1\neva::2\neva:1:\neva:1:2:3\n"), "");
	CHECK_TEXT(parse("eva:x:2\neva:1:x\neva:-1:2\neva: 1:2\neva:1:2 \neva:01:2\neva:1:0\n"),
		   "");
	CHECK_TEXT(
		parse("eva:4294967295:1\neva:4294967294:2\neva:99999999999:1\neva:1:4294967295\n"),
		"");
	CHECK_TEXT(parse("eva:4294967294:1\n"), "4294967294+1");
	/* A line too long to be meant is not cut to one that fits. */
	CHECK_TEXT(parse(arena_format(&arena, "%0300d:1:2\neva:3:4%0300d\neva:5:6\n", 0, 0)),
		   "5+6");
}

static void test_ranges(void)
{
	struct subid_range items[] = {{100, 50}, {4294967000u, 200}, {1, 4294967290u}};
	struct subid_ranges ranges = {items, 2, 3};

	CHECK(subid_covers(&ranges, 100, 50) && subid_covers(&ranges, 149, 1));
	CHECK(!subid_covers(&ranges, 99, 2) && !subid_covers(&ranges, 149, 2));
	CHECK(!subid_covers(&ranges, 150, 1) && !subid_covers(&ranges, 100, 4294967295u));
	CHECK(subid_total(&ranges) == 250);
	ranges.count = 3;
	CHECK(subid_total(&ranges) == UINT32_MAX);
	CHECK(subid_overlaps("a:100:50\n", 149, 1) && subid_overlaps("a:100:50\n", 0, 101));
	CHECK(!subid_overlaps("a:100:50\n", 150, 10) && !subid_overlaps("a:100:50\n", 0, 100));
	CHECK(!subid_overlaps("junk\n", 0, 100) && subid_overlaps("junk\na:5:1\n", 0, 100));
}

static const char *map_for(uint32_t own, uint32_t tree, const char *file, bool wants_all)
{
	struct subid_ranges ranges = {0};
	struct subid_request request = {own, tree, true, &ranges, wants_all};
	static const char *const ways[] = {"own", "shifted", "foreign"};
	struct id_map result;
	enum subid_way way;
	const char *text;

	subid_parse(&arena, file, "eva", 1000, &ranges);
	way = subid_way(&request);
	subid_map(&arena, &request, way, &result);
	text = ways[way];
	for (size_t i = 0; i < result.count; i++)
		text = arena_format(&arena, "%s %u=%u+%u", text, result.items[i].inside,
				    result.items[i].outside, result.items[i].count);
	return text;
}

static const char *map(uint32_t own, uint32_t tree, const char *file)
{
	return map_for(own, tree, file, false);
}

/* What containers inside are given ids of: all there is, and whole ranges where they begin. */
static void test_all(void)
{
	static const struct {
		uint32_t tree;
		const char *file, *map;
	} rows[] = {
		{1000, "eva:100000:65536\n", "own 0=1000+1 1=100000+65535 65536=165535+1"},
		{1000, "eva:100000:1000000\n", "own 0=1000+1 1=100000+65535 65536=165535+934465"},
		{1000, "eva:100000:65536\neva:231072:196608\n",
		 "own 0=1000+1 1=100000+65535 65536=231072+196608 262144=165535+1"},
		{1000, "eva:100000:10\neva:200000:20\n", "own 0=1000+1 1=100000+10 11=200000+20"},
		{1000, "eva:100000:65537\neva:300000:5\neva:400000:7\n",
		 "own 0=1000+1 1=100000+65535 65536=400000+7 65543=300000+5 65548=165535+2"},
		/* No id is given twice, whatever the file says. */
		{1000, "eva:100000:65536\neva:100000:65536\neva:90000:131072\n",
		 "own 0=1000+1 1=100000+65535 65536=165536+55536 121072=90000+10000 131072=165535+1"},
		{1000, "eva:500:65536\neva:100000:10\n",
		 "own 0=1000+1 1=100000+10 11=1001+65035 65046=500+500"},
		{165536, "eva:100000:300000\n",
		 "shifted 0=165536+65536 65536=231072+168928 262144=100000+65536"},
		{100000, "eva:100000:65536\n", "shifted 0=100000+65536"},
		{1000, "eva:4294900000:67295\neva:5:1\n",
		 "own 0=1000+1 1=4294900000+65535 65536=4294965535+1760 67296=5+1"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_TEXT(map_for(1000, rows[i].tree, rows[i].file, true), rows[i].map);
}

static void test_map(void)
{
	CHECK_TEXT(map(1000, 1000, "eva:100000:65536\n"), "own 0=1000+1 1=100000+65535");
	CHECK_TEXT(map(1000, 1000, "eva:100000:1000\neva:7000:10\n"),
		   "own 0=1000+1 1=100000+1000 1001=7000+10");
	CHECK_TEXT(map(1000, 1000, "eva:100000:65000\neva:300000:65000\n"),
		   "own 0=1000+1 1=100000+65000 65001=300000+535");
	/* One's own id cannot be given twice. */
	CHECK_TEXT(map(1000, 1000, "eva:500:1000\neva:100000:10\n"), "own 0=1000+1 1=100000+10");
	CHECK_TEXT(map(1000, 100000, "eva:100000:65536\n"), "shifted 0=100000+65536");
	CHECK_TEXT(map(1000, 100000, "eva:100000:10\n"), "shifted 0=100000+10");
	CHECK_TEXT(map(1000, 165536, "eva:100000:200000\n"), "shifted 0=165536+65536");
	CHECK_TEXT(map(1000, 100033, "eva:100000:65536\n"), "foreign 0=1000+1 1=100000+65535");
	CHECK_TEXT(map(1000, 0, "eva:100000:65536\n"), "foreign 0=1000+1 1=100000+65535");
}

int main(void)
{
	test_parse();
	test_ranges();
	test_map();
	test_all();
	arena_done(&arena);
	return check_result();
}
