/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Picking a range: which candidates there are, who is in the way, and what a lock does.
 */
#include "ids/range.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "base/undo.h"
#include "captured.h"
#include "check.h"
#include "config/config.h"
#include "host/locks.h"

static struct captured captured;
static char directory[] = "/tmp/nspawn-range-XXXXXX";
static char etc[64], lock_directory[64];

static const char *in_etc(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", etc, name);
	return path;
}

static void write_etc(const char *name, const char *text)
{
	int fd = open(in_etc(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
	(void)close(fd);
}

static struct range_request request_for(const char *machine)
{
	return (struct range_request){
		.machine = machine, .lock_directory = lock_directory, .etc = etc};
}

static void test_candidates(void)
{
	struct range_request request = request_for("web");
	struct range range, again;

	CHECK(!range_candidate(&request, 0, &range));
	request.tree_is_known = true;
	request.tree_uid = request.tree_gid = 0;
	CHECK(!range_candidate(&request, 0, &range));
	request.tree_uid = request.tree_gid = RANGE_FIRST - 1;
	CHECK(!range_candidate(&request, 0, &range));
	request.tree_uid = RANGE_FIRST;
	CHECK(!range_candidate(&request, 0, &range)); /* of two ranges */
	request.tree_uid = request.tree_gid = RANGE_LAST + 33;
	CHECK(range_candidate(&request, 0, &range) && range.first == RANGE_LAST &&
	      range.origin == RANGE_OF_TREE);
	request.tree_uid = request.tree_gid = RANGE_LAST + USERS_RANGE;
	CHECK(!range_candidate(&request, 0, &range));
	request.tree_uid = request.tree_gid = RANGE_FOREIGN;
	CHECK(!range_candidate(&request, 0, &range));
	for (unsigned int i = 1; i < RANGE_CANDIDATES; i++) {
		CHECK(range_candidate(&request, i, &range) && range.origin == RANGE_OF_NAME);
		CHECK(range.first >= RANGE_FIRST && range.first <= RANGE_LAST &&
		      range.first % USERS_RANGE == 0);
		CHECK(range_candidate(&request, i, &again) && again.first == range.first);
		CHECK(i == 1 ||
		      (range_candidate(&request, i - 1, &again) && again.first != range.first));
	}
	CHECK(!range_candidate(&request, RANGE_CANDIDATES, &range));
	/* The same for ever: who kept files of a machine outside of its tree relies on it. */
	CHECK(range_candidate(&request, 1, &range) && range.first == 579731456);
}

static void pick(struct range_request request, struct locks *locks, struct undo *undo,
		 struct range *ret, int expected)
{
	capture_start(&captured);
	CHECK(range_pick(&request, locks, undo, ret) == expected);
	CHECK((expected < 0) == (captured.failures > 0));
}

static void test_locks(void)
{
	struct locks locks = {0}, others = {0};
	struct undo undo = {0}, other_undo = {0};
	struct range first, second, seen;
	char path[128];

	pick(request_for("web"), &locks, &undo, &first, 0);
	(void)snprintf(path, sizeof(path), "%s/%u", lock_directory, first.first);
	CHECK(access(path, F_OK) == 0);
	/* The second machine of the name has the second range, and looking says so before. */
	CHECK(range_look(&(struct range_request){.machine = "web",
						 .lock_directory = lock_directory,
						 .etc = etc},
			 &seen) == 0);
	pick(request_for("web"), &others, &other_undo, &second, 0);
	CHECK(second.first != first.first && second.first == seen.first);
	undo_all(&other_undo);
	undo_all(&undo);
	CHECK(access(path, F_OK) < 0 && access(lock_directory, F_OK) < 0);
	/* A range becomes free with its lock. */
	locks = (struct locks){0};
	pick(request_for("web"), &locks, &undo, &seen, 0);
	CHECK(seen.first == first.first);
	undo_all(&undo);
}

/* Whoever has an id of the first range sends us to another one. */
static void test_taken(void)
{
	static const struct {
		const char *file, *format;
		uint32_t offset;
		bool is_in_the_way;
	} rows[] = {
		{"passwd", "root:x:0:0::/:/bin/sh\nu:x:%u:100::/:\n", 0, true},
		{"passwd", "u:x:%u:100::/:\n", 65535, true},
		{"passwd", "u:x:%u:100::/:\n", 65536, false},
		{"passwd", "u:x:100:%u::/:\n", 5, false},
		{"group", "g:x:%u:\n", 65534, true},
		{"group", "g:x:%u", 1, true},
		{"subuid", "a:%u:1\n", 7, true},
		{"subgid", "junk\nb:%u:10\n", 65530, true},
		{"subgid", "b:%u:10\n", 65536, false},
	};
	struct range_request request = request_for("web");
	struct range plain, range;

	CHECK(range_look(&request, &plain) == 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof(text), rows[i].format, plain.first + rows[i].offset);
#pragma GCC diagnostic pop
		write_etc(rows[i].file, text);
		CHECK(range_look(&request, &range) == 0);
		CHECK((range.first != plain.first) == rows[i].is_in_the_way);
		(void)unlink(in_etc(rows[i].file));
	}
}

static void test_exhausted(void)
{
	static const struct id_extent mine = {0, 100000, 65536};
	static const struct id_map own = {&mine, 1};
	struct range_request request = request_for("web");
	struct locks locks = {0};
	struct undo undo = {0};
	struct range range;

	write_etc("subuid", "all:524288:1878458368\n");
	pick(request, &locks, &undo, &range, -EBUSY);
	CHECK(strstr(captured.first, "No range of 65536 ids for machine 'web' is free"));
	CHECK(range_look(&request, &range) == -EBUSY);
	(void)unlink(in_etc("subuid"));
	/* In a container without ids to give away there are none at all. */
	request.own = &own;
	pick(request, &locks, &undo, &range, -EBUSY);
	CHECK(strstr(captured.all, "identity") && locks.count == 0);
	CHECK(range_pick_further(&request, &locks, &undo, &range) == 0 && locks.count == 0);
}

static void test_within(void)
{
	static const struct id_extent items[] = {
		{0, 1, 65536}, {70000, 1, 131072}, {200000, 1, 10}, {4294836224u, 1, 131071}};
	static const struct id_map own = {items, 4}, all = {&items[0], 1};

	CHECK(range_within(&own, 0) == 131072);
	CHECK(range_within(&own, 1) == 4294836224u); /* the last id there is belongs to none */
	CHECK(range_within(&own, 2) == 0 && range_within(&all, 0) == 0);
}

/* Machines inside of one that has been given further ranges, until they are used up. */
static void test_ours(void)
{
	static const struct id_extent mine[] = {{0, 100000, 65536}, {65536, 800000, 196608}};
	static const struct id_map own = {mine, 2};
	struct range_request request = request_for("web");
	struct locks locks[4] = {0};
	struct range ranges[3], seen;
	struct undo undo = {0};
	uint32_t sum = 0;

	request.own = &own;
	for (size_t i = 0; i < 3; i++) {
		CHECK(range_look(&request, &seen) == 0);
		pick(request, &locks[i], &undo, &ranges[i], 0);
		CHECK(ranges[i].first == seen.first && ranges[i].origin == RANGE_OF_OURS);
		sum += ranges[i].first;
	}
	CHECK(sum == 65536 * (1 + 2 + 3));
	pick(request, &locks[3], &undo, &seen, -EBUSY);
	undo_all(&undo);
	/* The tree's own, and a user of the machine's in the way. */
	request.tree_is_known = true;
	request.tree_uid = request.tree_gid = 131072;
	CHECK(range_look(&request, &seen) == 0 && seen.first == 131072);
	write_etc("subuid", "eva:100000:65536\n");
	CHECK(range_look(&request, &seen) == 0 && seen.first == 196608);
	(void)unlink(in_etc("subuid"));
}

static bool is_locked(uint32_t first)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%u", lock_directory, first);
	return locks_look_file(path) == -EBUSY;
}

static void test_further(void)
{
	static const struct id_extent mine[] = {{0, 100000, 65536}, {65536, 800000, 196608}};
	static const struct id_map own = {mine, 2};
	struct range_request request = request_for("web");
	struct locks locks = {0}, others = {0};
	struct range range, first, second;
	struct undo undo = {0};

	pick(request, &locks, &undo, &range, 0);
	CHECK(range_pick_further(&request, &locks, &undo, &first) == RANGES_FURTHER);
	CHECK(locks.count == 1 + RANGES_FURTHER);
	for (uint32_t i = 0; i < RANGES_FURTHER; i++)
		CHECK(is_locked(first.first + i * USERS_RANGE));
	/* Another machine of the name. */
	CHECK(range_pick_further(&request, &others, &undo, &second) == RANGES_FURTHER);
	CHECK(second.first + 2 * USERS_RANGE < first.first ||
	      second.first > first.first + 2 * USERS_RANGE);
	undo_all(&undo);
	CHECK(!is_locked(first.first) && !is_locked(second.first));
	/* The same again at the next start; within what we have there may be fewer. */
	locks = others = (struct locks){0};
	CHECK(range_pick_further(&request, &locks, &undo, &second) == RANGES_FURTHER &&
	      second.first == first.first);
	request.own = &own;
	pick(request, &others, &undo, &range, 0);
	CHECK(range_pick_further(&request, &others, &undo, &second) ==
	      (range.first == 131072 ? 1 : 2));
	undo_all(&undo);
}

/* Only one of eight is left by the name: chance decides. */
static void test_chance(void)
{
	struct range_request request = request_for("web");
	struct locks locks = {0};
	struct undo undo = {0};
	char text[1024] = "";
	struct range range;

	for (unsigned int i = 1; i < RANGE_CANDIDATES; i++) {
		size_t used = strlen(text);

		CHECK(range_candidate(&request, i, &range));
		(void)snprintf(text + used, sizeof(text) - used, "a:%u:65536\n", range.first);
	}
	write_etc("subuid", text);
	CHECK(range_look(&request, &range) == -EBUSY);
	pick(request, &locks, &undo, &range, 0);
	CHECK(range.origin == RANGE_BY_CHANCE && strstr(range_origin_text(range.origin), "chance"));
	undo_all(&undo);
	(void)unlink(in_etc("subuid"));
}

int main(void)
{
	CHECK(mkdtemp(directory));
	(void)snprintf(etc, sizeof(etc), "%s/etc", directory);
	(void)snprintf(lock_directory, sizeof(lock_directory), "%s/locks", directory);
	CHECK(mkdir(etc, 0700) == 0);
	test_candidates();
	test_locks();
	test_taken();
	test_exhausted();
	test_within();
	test_ours();
	test_further();
	test_chance();
	CHECK(rmdir(etc) == 0);
	CHECK(rmdir(directory) == 0);
	return check_result();
}
