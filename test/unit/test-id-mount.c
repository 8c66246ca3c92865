/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of mount/id-mount: who is who on a mount, one id after the other and for many random maps,
 * against a slow definition of the same.
 * Zone: free.
 */
#include "mount/id-mount.h"

#include <errno.h>

#include "base/scope.h"
#include "check.h"

#define NOBODY UINT32_MAX
#define SHIFT 524288u

static struct arena arena;

/* What a user namespace as of --private-users=pick has. */
static const struct id_extent shifted[] = {{0, SHIFT, 65536}};
static const struct id_maps shifted_maps = {{shifted, 1}, {shifted, 1}};

/* A machine whose ids come in pieces. */
static const struct id_extent pieces[] = {{0, 100000, 10}, {10, 1000, 1}, {11, 200000, 500}};
static const struct id_maps pieces_maps = {{pieces, 3}, {pieces, 3}};

static struct id_maps maps_of(enum id_rule rule, const struct id_maps *machine, uint32_t source,
			      uint32_t destination)
{
	const struct id_request request = {.rule = rule};
	const struct id_mount_facts facts = {machine, source, destination};
	struct id_maps maps = {0};

	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == 0);
	return maps;
}

/* On disk 'disk' is 'inside', in both directions. */
static void is_seen(const struct id_map *map, const struct id_map *machine, uint32_t disk,
		    uint32_t inside)
{
	uint32_t outside = id_map_to_outside(map, disk);

	CHECK(outside != NOBODY);
	CHECK((machine ? id_map_to_inside(machine, outside) : outside) == inside);
	CHECK(id_map_to_inside(map, outside) == disk);
}

static void is_nobody(const struct id_map *map, const struct id_map *machine, uint32_t disk)
{
	uint32_t outside = id_map_to_outside(map, disk);

	CHECK(outside == NOBODY || (machine && id_map_to_inside(machine, outside) == NOBODY));
}

static void test_rules(void)
{
	const struct id_map *machine = &shifted_maps.users;
	struct id_maps maps;

	/* noidmap: z inside is x+z on disk. */
	maps = maps_of(ID_RULE_PLAIN, &shifted_maps, 1000, 0);
	is_seen(&maps.users, machine, SHIFT + 33, 33);
	is_nobody(&maps.users, machine, 33);
	/* idmap: z is z. */
	maps = maps_of(ID_RULE_SAME, &shifted_maps, 1000, 0);
	is_seen(&maps.users, machine, 0, 0);
	is_seen(&maps.groups, machine, 65535, 65535);
	is_nobody(&maps.users, machine, 65536);
	/* A tree that belongs to another range on disk. */
	CHECK(id_mount_maps(&arena, &(struct id_request){.rule = ID_RULE_SAME},
			    &(struct id_mount_facts){.machine = &shifted_maps, .base = 131072},
			    &maps) == 0);
	is_seen(&maps.users, machine, 131072 + 33, 33);
	/* rootidmap: 0 is p, and nobody else is anybody. */
	maps = maps_of(ID_RULE_ROOT, &shifted_maps, 1000, 7);
	is_seen(&maps.users, machine, 1000, 0);
	is_seen(&maps.groups, machine, 1000, 0);
	CHECK(maps.users.count == 1 && maps.users.items[0].count == 1);
	is_nobody(&maps.users, machine, 0);
	/* owneridmap: who owns the destination is p. */
	maps = maps_of(ID_RULE_OWNER, &shifted_maps, 1000, 7);
	is_seen(&maps.users, machine, 1000, 7);
	is_nobody(&maps.users, machine, 7);
	maps = maps_of(ID_RULE_OWNER, &pieces_maps, 1000, 10);
	is_seen(&maps.users, &pieces_maps.users, 1000, 10);
}

static void test_owners(void)
{
	struct owner_pair pairs[] = {{1000, 33, 1, false}, {100, 34, 1, true}};
	struct id_request request = {.pairs = {pairs, 2, 2}};
	struct id_mount_facts facts = {0};
	struct id_maps maps;

	/* Without a user namespace: all others stay, but nobody is two. */
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == 0);
	is_seen(&maps.users, NULL, 1000, 33);
	is_seen(&maps.users, NULL, 0, 0);
	is_seen(&maps.users, NULL, 999, 999);
	is_seen(&maps.users, NULL, 4294967294, 4294967294);
	is_nobody(&maps.users, NULL, 33);
	CHECK(id_map_to_inside(&maps.users, 1000) == NOBODY);
	is_seen(&maps.groups, NULL, 100, 34);
	is_seen(&maps.groups, NULL, 1000, 1000);
	/* With one: the rest as without a word. */
	facts.machine = &shifted_maps;
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == 0);
	is_seen(&maps.users, &shifted_maps.users, 1000, 33);
	is_seen(&maps.users, &shifted_maps.users, SHIFT, 0);
	is_nobody(&maps.users, &shifted_maps.users, SHIFT + 33);
	is_nobody(&maps.users, &shifted_maps.users, 0);
	/* Only these. */
	request.rule = ID_RULE_ONLY;
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == 0);
	CHECK(maps.users.count == 1 && maps.groups.count == 1);
	/* And before the rule: root is somebody else now. */
	request.rule = ID_RULE_ROOT;
	facts.source_owner = 1000;
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == 0);
	is_seen(&maps.users, &shifted_maps.users, 1000, 33);
	is_seen(&maps.groups, &shifted_maps.groups, 1000, 0);
}

static void test_ranges(void)
{
	struct owner_pair pair = {5000, 5, 20, false};
	struct id_request request = {.rule = ID_RULE_ONLY, .pairs = {&pair, 1, 1}};
	struct id_mount_facts facts = {.machine = &pieces_maps};
	struct id_maps maps;

	/* Ids that come in pieces are mapped in pieces. */
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == 0);
	CHECK(maps.users.count == 3 && maps.groups.count == 0);
	for (uint32_t i = 0; i < pair.count; i++)
		is_seen(&maps.users, &pieces_maps.users, 5000 + i, 5 + i);
}

static void test_refusals(void)
{
	struct owner_pair pairs[400] = {{1, 510, 2, false}};
	struct id_request request = {.rule = ID_RULE_ONLY, .pairs = {pairs, 1, 1}};
	struct id_mount_facts facts = {.machine = &pieces_maps};
	struct id_maps maps = {.users.count = 77};

	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == -ERANGE);
	pairs[0] = (struct owner_pair){1, 2, 5, false};
	pairs[1] = (struct owner_pair){5, 20, 1, false};
	request.pairs.count = 2;
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == -EEXIST);
	pairs[1] = (struct owner_pair){50, 6, 1, false};
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == -EEXIST);
	for (uint32_t i = 0; i < ARRAY_LEN(pairs); i++)
		pairs[i] = (struct owner_pair){1000 + 2 * i, 1 + 3 * i, 1, false};
	request.pairs.count = ARRAY_LEN(pairs);
	facts.machine = NULL;
	CHECK(id_mount_maps(&arena, &request, &facts, &maps) == -E2BIG);
	CHECK(maps.users.count == 77);
}

static void test_options(void)
{
	static const char *const refused[] = {
		"uid=x", "uid=65536", "gid=-1", "uid=", "uid=0x1", "uid=01", "gid=4294967295"};
	const char *options = "untouched";

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		CHECK(id_mount_options(&arena, refused[i], &shifted_maps, &options) < 0);
	CHECK_TEXT(options, "untouched");
	CHECK(id_mount_options(&arena, "mode=0700,uid=33,size=1m,gid=0", &shifted_maps, &options) ==
	      0);
	CHECK_TEXT(options, "mode=0700,uid=524321,size=1m,gid=524288");
	CHECK(id_mount_options(&arena, "mode=1777,mpol=bind:0-3,uidx=3", &shifted_maps, &options) ==
	      0);
	CHECK_TEXT(options, "mode=1777,mpol=bind:0-3,uidx=3");
}

/* --- Any --- */

static uint32_t state = 2463534242u;

static uint32_t any(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

/* The definition, for one id: pairs first, then the rule unless a pair has either side of it. */
static uint32_t expected(const struct id_request *request, const struct id_mount_facts *facts,
			 uint32_t disk)
{
	const struct id_map *machine = facts->machine ? &facts->machine->users : NULL;
	uint32_t outside = NOBODY;

	for (size_t i = 0; i < request->pairs.count; i++) {
		const struct owner_pair *pair = &request->pairs.items[i];

		if (!pair->is_group && disk >= pair->host && disk - pair->host < pair->count)
			return machine ? id_map_to_outside(machine,
							   pair->guest + (disk - pair->host))
				       : pair->guest + (disk - pair->host);
	}
	if (request->rule == ID_RULE_PLAIN || (request->rule == ID_RULE_SAME && !machine))
		outside = disk;
	else if (request->rule == ID_RULE_SAME)
		outside = id_map_to_outside(machine, disk);
	for (size_t i = 0; i < request->pairs.count && outside != NOBODY; i++) {
		const struct owner_pair *pair = &request->pairs.items[i];
		uint32_t inside = machine ? id_map_to_inside(machine, outside) : outside;

		if (!pair->is_group && inside != NOBODY && inside >= pair->guest &&
		    inside - pair->guest < pair->count)
			return NOBODY;
	}
	return outside;
}

static void check_any(const struct id_request *request, const struct id_mount_facts *facts)
{
	struct id_maps maps;
	int r = id_mount_maps(&arena, request, facts, &maps);

	CHECK(r == 0 || r == -EEXIST || r == -ERANGE);
	if (r < 0)
		return;
	for (uint32_t disk = 0; disk < 700; disk++)
		CHECK(id_map_to_outside(&maps.users, disk) == expected(request, facts, disk));
	/* What the kernel insists on: no id twice on either side, no empty extent, in order. */
	for (size_t i = 0; i < maps.users.count; i++) {
		const struct id_extent *a = &maps.users.items[i];

		CHECK(a->count > 0);
		CHECK((uint64_t)a->inside + a->count <= UINT32_MAX);
		CHECK((uint64_t)a->outside + a->count <= UINT32_MAX);
		for (size_t j = i + 1; j < maps.users.count; j++) {
			const struct id_extent *b = &maps.users.items[j];

			CHECK((uint64_t)a->inside + a->count <= b->inside);
			CHECK((uint64_t)a->outside + a->count <= b->outside ||
			      (uint64_t)b->outside + b->count <= a->outside);
		}
	}
}

static void test_any(void)
{
	static const enum id_rule rules[] = {ID_RULE_PLAIN, ID_RULE_SAME, ID_RULE_ONLY};
	static const struct id_maps *const machines[] = {NULL, &shifted_maps, &pieces_maps};

	for (int round = 0; round < 600; round++) {
		struct owner_pair pairs[5];
		struct id_request request = {
			.rule = rules[any(ARRAY_LEN(rules))],
			.pairs = {pairs, any(ARRAY_LEN(pairs) + 1), ARRAY_LEN(pairs)},
		};
		struct id_mount_facts facts = {.machine = machines[any(ARRAY_LEN(machines))]};

		for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
			pairs[i] = (struct owner_pair){any(600), any(520), 1 + any(60), i == 4};
		check_any(&request, &facts);
	}
}

int main(void)
{
	test_rules();
	test_owners();
	test_ranges();
	test_refusals();
	test_options();
	test_any();
	arena_done(&arena);
	return check_result();
}
