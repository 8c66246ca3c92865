/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides how the owners of the tree's files follow ids that we may choose.
 * Zone: free.
 */
#include "ids/ids-owners.h"

#include <errno.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"

uint32_t ids_base_of(uint32_t id)
{
	return id & ~(USERS_RANGE - 1);
}

/* True if both owners are in the 'count' ids from 'first' on; a tree that is not known is. */
static bool is_tree_in(const struct ids_facts *facts, uint32_t first, uint32_t count)
{
	return !facts->tree_is_known ||
	       (facts->tree_uid >= first && facts->tree_uid - first < count &&
		facts->tree_gid >= first && facts->tree_gid - first < count);
}

bool ids_tree_is_foreign(const struct ids_facts *facts)
{
	return facts->tree_is_known && is_tree_in(facts, RANGE_FOREIGN, USERS_RANGE);
}

static int refuse_mapping(const struct decision *d)
{
	const char *name = d->facts->tree_file_system;

	(void)refuse(EOPNOTSUPP, "The tree's owners cannot be mapped on its file system%s%s",
		     name ? ", " : "", name ? name : "");
	if (d->facts->own.count > 0)
		hint("In a container only what is mounted there can be mapped, such as a tmpfs; "
		     "--private-users=identity needs no mapping");
	else if (d->config->read_only || d->config->ephemeral)
		hint("Copy the tree to a file system that can, such as ext4, xfs or btrfs");
	else
		hint("--private-users-ownership=chown rewrites each owner on disk; ext4, xfs and btrfs need not");
	return -EOPNOTSUPP;
}

static int map_from(struct decision *d, uint32_t base, const char *why)
{
	if (d->facts->tree_mapping == IDS_MAPPING_IMPOSSIBLE)
		return refuse_mapping(d);
	d->ids.ownership = IDS_OWNERSHIP_MAP;
	d->ids.tree_base = base;
	d->ids.owners = why;
	return 0;
}

static int map_foreign(struct decision *d)
{
	if (!is_tree_in(d->facts, RANGE_FOREIGN, USERS_RANGE)) {
		(void)refuse(EINVAL,
			     "The tree belongs to user %u, not to the foreign range from %u on",
			     d->facts->tree_uid, RANGE_FOREIGN);
		hint("--private-users-ownership=auto takes a tree as it is");
		return -EINVAL;
	}
	return map_from(d, RANGE_FOREIGN, "the tree belongs to the foreign range");
}

/* A tree that another range's machine has left behind is mapped from there. */
static int map_tree(struct decision *d)
{
	const struct ids_facts *facts = d->facts;

	if (ids_tree_is_foreign(facts))
		return map_foreign(d);
	if (!facts->tree_is_known || ids_base_of(facts->tree_uid) == 0)
		return map_from(d, 0, "the mount maps them, nothing on disk changes");
	if (ids_base_of(facts->tree_uid) == ids_base_of(facts->tree_gid))
		return map_from(d, ids_base_of(facts->tree_uid),
				"the mount maps them from the range that they belong to on disk");
	(void)refuse(EINVAL,
		     "The tree belongs to user %u and group %u, which are of different ranges",
		     facts->tree_uid, facts->tree_gid);
	hint("--private-users-ownership=off takes owners as they are");
	return -EINVAL;
}

static int chown_tree(struct decision *d)
{
	/* That a change is unfinished is told by an owner and attributes that only its root may
	 * set. */
	if (d->facts->own.count > 0) {
		(void)refuse(EPERM, "In a container the tree's owners cannot be changed on disk");
		hint("--private-users=identity takes a tree as it is");
		return -EPERM;
	}
	d->ids.ownership = IDS_OWNERSHIP_CHOWN;
	d->ids.owners = "each owner is rewritten on disk";
	return 0;
}

static bool is_asked(const struct decision *d)
{
	return d->config->origin[SETTING_PRIVATE_USERS_OWNERSHIP] != ORIGIN_DEFAULT;
}

/* Nobody's files are rewritten who did not ask for anything of the kind. */
static int follow(struct decision *d)
{
	if (d->facts->tree_mapping != IDS_MAPPING_IMPOSSIBLE)
		return map_tree(d);
	if (!is_asked(d) || d->config->read_only || d->config->ephemeral)
		return refuse_mapping(d);
	return chown_tree(d);
}

/* A dry run does not know each range. */
static bool range_is_known(const struct decision *d)
{
	return d->facts->has_range || !ids_wants_range(d->config, d->facts);
}

int ids_leave_owners(struct decision *d)
{
	d->ids.owners = "as on disk";
	if (range_is_known(d) && !is_tree_in(d->facts, d->ids.shift, d->ids.count)) {
		d->ids.lost =
			arena_format(d->arena, "the tree belongs to user %u, who is nobody inside",
				     d->facts->tree_uid);
		if (d->facts->may_map)
			d->ids.improvement =
				"--private-users-ownership=auto makes the owners follow";
	}
	return 0;
}

int ids_decide_owners(struct decision *d)
{
	enum users_ownership ownership = d->config->private_users_ownership;

	if (ownership == OWNERSHIP_OFF)
		return ids_leave_owners(d);
	/* Also for --private-users=0 with 'chown', which takes an earlier one back. */
	if (range_is_known(d) && d->facts->tree_is_known &&
	    is_tree_in(d->facts, d->ids.shift, d->ids.count)) {
		d->ids.owners = "the tree belongs to the range already";
		return 0;
	}
	if (ownership == OWNERSHIP_CHOWN)
		return chown_tree(d);
	if (ownership == OWNERSHIP_FOREIGN)
		return map_foreign(d);
	return ownership == OWNERSHIP_MAP ? map_tree(d) : follow(d);
}
