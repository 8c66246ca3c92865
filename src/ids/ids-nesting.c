/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives a machine ids for containers of its own: root adds a row of ranges that was picked,
 * ordinary users have given all their ids already (subid_map()). Zone: free. Pure.
 */
#include "ids/ids-nesting.h"

#include <string.h>

#include "base/arena.h"
#include "config/config.h"
#include "ids/ids.h"

/* Above the machine's own range, so that nothing of it moves when there are none. */
static void add_further(struct arena *arena, uint32_t outside, uint32_t count, struct ids *ids)
{
	const struct id_map *own = &ids->maps.users;
	struct id_extent *extents = arena_allocate(arena, (own->count + 1) * sizeof(*extents));

	memcpy(extents, own->items, own->count * sizeof(*extents));
	extents[own->count] = (struct id_extent){USERS_RANGE, outside, count};
	ids->maps.users = ids->maps.groups = (struct id_map){extents, own->count + 1};
	ids->reason =
		arena_format(arena, "%s, and %u more for containers inside", ids->reason, count);
}

static void lose(struct arena *arena, struct ids *ids, const char *what)
{
	ids->lost = ids->lost ? arena_format(arena, "%s; %s", ids->lost, what) : what;
}

static const char *find_improvement(struct arena *arena, const struct config *config,
				    const struct ids_facts *facts, const struct ids *ids)
{
	if (ids->writer == IDS_WRITER_PROGRAMS && config->private_users != PRIVATE_USERS_RANGE)
		return arena_format(
			arena, "Add as root the line '%s:%u:%u' to '/etc/subuid' and '/etc/subgid'",
			facts->user ? facts->user : arena_format(arena, "%u", facts->uid),
			facts->subid_free, RANGES_FURTHER * USERS_RANGE);
	if (ids->writer == IDS_WRITER_MANAGER)
		return "--private-users-delegate=1 asks for ids for them";
	return config->private_users == PRIVATE_USERS_PICK
		       ? "Machines, users, and '/etc/subuid' and '/etc/subgid' have all that were tried"
		       : "--private-users=pick gives them some";
}

void ids_nest(struct arena *arena, const struct config *config, const struct ids_facts *facts,
	      struct ids *ids)
{
	if (ids->writer == IDS_WRITER_NONE || ids->writer == IDS_WRITER_SINGLE ||
	    (ids->writer == IDS_WRITER_MANAGER && config->private_users_delegate > 0))
		return;
	if (ids->writer == IDS_WRITER_SELF && config->private_users == PRIVATE_USERS_PICK) {
		if (!facts->has_range) /* nobody looked */
			add_further(arena, USERS_RANGE, RANGES_FURTHER * USERS_RANGE, ids);
		else if (facts->further_count > 0)
			add_further(arena, facts->further.first, facts->further_count, ids);
	}
	if (range_within(&ids->maps.users, 0) == 0 || range_within(&ids->maps.groups, 0) == 0) {
		lose(arena, ids, "containers inside cannot have ids of their own");
		if (!ids->improvement)
			ids->improvement = find_improvement(arena, config, facts, ids);
	} else if (ids->ownership == IDS_OWNERSHIP_MAP && ids->tree_base > 0) {
		/* On disk those would be ids of another range. */
		lose(arena, ids,
		     "in a tree that belongs to another range they are nobody's, so containers inside "
		     "can only keep files elsewhere");
	}
}
