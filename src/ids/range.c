/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks for a free range: candidates, then who else could have it, then its lock.
 *
 * Who has an id is read out of /etc, not asked of the name service: an executable without a loader
 * cannot load that service's modules (nss(5)), and one that could would wait for servers. What such
 * servers hand out, in their hundreds of thousands, is seldom asked for id by id anyway: that is
 * what subuid(5) and the range below 2^31 were set aside for. The files are replaced as a whole, so
 * no lock is needed to read them; a user who is made later would go unnoticed with one, too.
 * Zone: owing.
 */
#include "ids/range.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "config/config.h"
#include "host/host.h"
#include "host/locks.h"
#include "ids/subid.h"

#define FILE_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define CHANCES 100
#define RANGE_COUNT ((RANGE_LAST - RANGE_FIRST) / USERS_RANGE + 1)

static const char *const origin_texts[] = {
	[RANGE_OF_TREE] = "the tree belongs to it",
	[RANGE_OF_NAME] = "follows from the machine's name",
	[RANGE_BY_CHANCE] = "by chance, as others are taken",
	[RANGE_OF_OURS] = "of those that nspawn has itself, in a container",
};

const char *range_origin_text(enum range_origin origin)
{
	return origin_texts[origin];
}

/* --- Candidates --- */

/* In a container ourselves, we have what we were given, wherever that is. */
static bool can_be_range(const struct range_request *request, uint32_t first)
{
	return first >= (request->own ? USERS_RANGE : RANGE_FIRST) && first <= RANGE_LAST &&
	       first % USERS_RANGE == 0;
}

/*
 * FNV-1a, and a round of mixing as its upper bits are lazy. The key is the number of the attempt: a
 * machine gets the same range on each host and at each start, where nobody is in the way.
 */
static uint64_t hash_name(const char *name, uint64_t key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (key * UINT64_C(0x9e3779b97f4a7c15));

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	hash ^= hash >> 33;
	hash *= UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 33;
}

static uint32_t range_number(uint64_t number)
{
	return RANGE_FIRST + (uint32_t)(number % RANGE_COUNT) * USERS_RANGE;
}

bool range_candidate(const struct range_request *request, unsigned int number, struct range *ret)
{
	uint32_t of_tree = request->tree_uid & ~(USERS_RANGE - 1);

	if (number == 0) {
		if (!request->tree_is_known || !can_be_range(request, of_tree) ||
		    of_tree != (request->tree_gid & ~(USERS_RANGE - 1)))
			return false;
		*ret = (struct range){of_tree, RANGE_OF_TREE};
		return true;
	}
	if (number >= RANGE_CANDIDATES)
		return false;
	*ret = (struct range){range_number(hash_name(request->machine, number)), RANGE_OF_NAME};
	return true;
}

uint32_t range_within(const struct id_map *own, uint32_t number)
{
	for (size_t i = 0; i < own->count; i++) {
		uint64_t end = (uint64_t)own->items[i].inside + own->items[i].count;
		uint64_t first =
			own->items[i].inside > USERS_RANGE ? own->items[i].inside : USERS_RANGE;
		uint64_t count;

		first = (first + USERS_RANGE - 1) / USERS_RANGE * USERS_RANGE;
		count = end > first ? (end - first) / USERS_RANGE : 0;
		if (number < count)
			return (uint32_t)(first + (uint64_t)number * USERS_RANGE);
		number -= (uint32_t)count;
	}
	return 0;
}

/* --- Who else has it --- */

/* The third field of a line of passwd(5) or group(5) is in the range. */
static bool line_is_in(const char *line, uint32_t first)
{
	char field[16];
	size_t length;
	uint32_t id;

	for (int i = 0; i < 2; i++) {
		line += strcspn(line, ":\n");
		if (*line++ != ':')
			return false;
	}
	length = strcspn(line, ":\n");
	if (length >= sizeof(field))
		return false;
	memcpy(field, line, length);
	field[length] = '\0';
	return parse_u32(field, &id) == 0 && id >= first && id - first < USERS_RANGE;
}

static bool names_overlap(const char *text, uint32_t first)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (line_is_in(text, first))
			return true;
	return false;
}

/* What the files of the host say, read once for all candidates. */
enum {
	FILE_PASSWD,
	FILE_GROUP,
	FILE_SUBUID,
	FILE_SUBGID,
	_FILE_COUNT,
};

struct taken {
	char *texts[_FILE_COUNT];
};

static void free_taken(struct taken *taken)
{
	for (size_t i = 0; i < _FILE_COUNT; i++)
		free(taken->texts[i]);
}

/* A host without such a file has no such users. */
static void read_taken(const struct range_request *request, struct taken *ret)
{
	static const char *const names[_FILE_COUNT] = {"passwd", "group", "subuid", "subgid"};

	for (size_t i = 0; i < _FILE_COUNT; i++) {
		char path[512];
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s", request->etc ? request->etc : "/etc",
			       names[i]);
		r = file_read(AT_FDCWD, path, FILE_MAX_BYTES, &ret->texts[i], NULL);
		if (r < 0 && r != -ENOENT)
			warn(r, "Cannot read '%s', taking no notice of the ids in it", path);
	}
}

static bool is_taken(const struct taken *taken, uint32_t first)
{
	for (size_t i = 0; i < _FILE_COUNT; i++)
		if (taken->texts[i] &&
		    (i < FILE_SUBUID ? names_overlap(taken->texts[i], first)
				     : subid_overlaps(taken->texts[i], first, USERS_RANGE)))
			return true;
	return false;
}

/* In a user namespace ourselves, we can give away what is in its map only. */
static bool is_ours(const struct id_map *own, uint32_t first, uint32_t count)
{
	for (size_t i = 0; own && i < own->count; i++) {
		const struct id_extent *extent = &own->items[i];

		if (first >= extent->inside && first - extent->inside < extent->count &&
		    extent->count - (first - extent->inside) >= count)
			return true;
	}
	return !own;
}

/* --- Locks --- */

static const char *lock_path(const struct range_request *request, uint32_t first, char *buffer,
			     size_t bytes)
{
	(void)snprintf(buffer, bytes, "%s/%u", request->lock_directory ?: RANGE_LOCK_DIRECTORY,
		       first);
	return buffer;
}

/* With 'locks' takes it, else looks. 0, -EBUSY if it cannot be had, or what the lock says. */
static int try_range(const struct range_request *request, const struct taken *taken, uint32_t first,
		     struct locks *locks, struct undo *undo)
{
	char path[512];
	int r;

	if (!is_ours(request->own, first, USERS_RANGE) || is_taken(taken, first))
		return -EBUSY;
	(void)lock_path(request, first, path, sizeof(path));
	r = locks ? locks_take_file(locks, path, undo) : locks_look_file(path);
	return r < 0 && r != -EBUSY && locks ? fail(r, "Cannot lock the ids from %u on", first) : r;
}

static int try_candidates(const struct range_request *request, const struct taken *taken,
			  struct locks *locks, struct undo *undo, struct range *ret)
{
	for (unsigned int number = 0; number < RANGE_CANDIDATES; number++) {
		struct range range;
		int r;

		if (!range_candidate(request, number, &range))
			continue;
		r = try_range(request, taken, range.first, locks, undo);
		if (r == 0)
			*ret = range;
		if (r != -EBUSY)
			return r;
	}
	return -EBUSY;
}

static int try_chances(const struct range_request *request, const struct taken *taken,
		       struct locks *locks, struct undo *undo, struct range *ret)
{
	for (int i = 0; i < CHANCES; i++) {
		uint64_t random;
		int r;

		if (host_random(&random, sizeof(random)) < 0)
			return -EBUSY;
		r = try_range(request, taken, range_number(random), locks, undo);
		if (r == 0)
			*ret = (struct range){range_number(random), RANGE_BY_CHANCE};
		if (r != -EBUSY)
			return r;
	}
	return -EBUSY;
}

/* The name decides where to begin, so that machines keep their ranges as far as that is possible.
 */
static int try_ours(const struct range_request *request, const struct taken *taken,
		    struct locks *locks, struct undo *undo, struct range *ret)
{
	uint32_t total = 0, first;

	while (range_within(request->own, total) > 0)
		total++;
	for (uint32_t i = 0; i < total; i++) {
		int r;

		first = range_within(request->own,
				     (uint32_t)((hash_name(request->machine, 1) + i) % total));
		r = try_range(request, taken, first, locks, undo);
		if (r == 0)
			*ret = (struct range){first, RANGE_OF_OURS};
		if (r != -EBUSY)
			return r;
	}
	return -EBUSY;
}

#define auto_taken __attribute__((cleanup(free_taken)))

int range_pick(const struct range_request *request, struct locks *locks, struct undo *undo,
	       struct range *ret)
{
	auto_taken struct taken taken = {0};
	int r;

	read_taken(request, &taken);
	r = try_candidates(request, &taken, locks, undo, ret);
	if (r == -EBUSY)
		r = request->own ? try_ours(request, &taken, locks, undo, ret)
				 : try_chances(request, &taken, locks, undo, ret);
	if (r != -EBUSY)
		return r;
	(void)refuse(EBUSY, "No range of 65536 ids for machine '%s' is free", request->machine);
	if (request->own)
		hint("nspawn itself has only the ids of the container it runs in, to which '--nesting' adds "
		     "some; --private-users=identity needs no others");
	else
		hint("Machines, users, and '/etc/subuid' and '/etc/subgid' have all that were tried: "
		     "name one with --private-users=FIRST");
	return -EBUSY;
}

int range_look(const struct range_request *request, struct range *ret)
{
	auto_taken struct taken taken = {0};
	int r;

	read_taken(request, &taken);
	r = try_candidates(request, &taken, NULL, NULL, ret);
	return r == -EBUSY && request->own ? try_ours(request, &taken, NULL, NULL, ret) : r;
}

/* --- More of them --- */

/* 0, -EBUSY if one of them cannot be had, or what its lock says. */
static int look_at_row(const struct range_request *request, const struct taken *taken,
		       uint32_t first, uint32_t count)
{
	uint32_t last = first + (count - 1) * USERS_RANGE;

	if (last < first || !can_be_range(request, first) || !can_be_range(request, last) ||
	    !is_ours(request->own, first, count * USERS_RANGE))
		return -EBUSY;
	for (uint32_t i = 0; i < count; i++)
		TRY(try_range(request, taken, first + i * USERS_RANGE, NULL, NULL));
	return 0;
}

/* Whom another start outruns in the middle of a row has a shorter one. */
static int take_row(const struct range_request *request, const struct taken *taken, uint32_t first,
		    uint32_t count, struct locks *locks, struct undo *undo)
{
	uint32_t i;
	int r = 0;

	for (i = 0; i < count; i++) {
		r = try_range(request, taken, first + i * USERS_RANGE, locks, undo);
		if (r < 0)
			break;
	}
	return i > 0 ? (int)i : r;
}

/* Where a row could begin: as the name says, then by chance; or wherever we have ids. */
static uint32_t row_candidate(const struct range_request *request, unsigned int number)
{
	uint64_t random;

	if (request->own)
		return range_within(request->own, number);
	if (number < RANGE_CANDIDATES)
		return range_number(hash_name(request->machine, RANGE_CANDIDATES + number));
	return number < CHANCES && host_random(&random, sizeof(random)) == 0 ? range_number(random)
									     : 0;
}

int range_pick_further(const struct range_request *request, struct locks *locks, struct undo *undo,
		       struct range *ret)
{
	auto_taken struct taken taken = {0};
	uint32_t first;

	read_taken(request, &taken);
	for (uint32_t count = RANGES_FURTHER; count > 0; count--)
		for (unsigned int i = 0; (first = row_candidate(request, i)) > 0; i++) {
			int r = look_at_row(request, &taken, first, count);

			if (r != -EBUSY)
				r = take_row(request, &taken, first, count, locks, undo);
			if (r > 0)
				*ret = (struct range){first, RANGE_OF_NAME};
			if (r != -EBUSY)
				return r;
		}
	return 0;
}
