/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides on ids: first who gives them, then which, then what becomes of the tree's owners.
 * Zone: free. Pure.
 */
#include "ids/ids.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "ids/ids-nesting.h"
#include "ids/ids-owners.h"
#include "ids/shift.h"

static const char *const writer_names[] = {
	[IDS_WRITER_NONE] = "none",          [IDS_WRITER_SELF] = "root",
	[IDS_WRITER_PROGRAMS] = "newuidmap", [IDS_WRITER_SINGLE] = "single",
	[IDS_WRITER_MANAGER] = "managed",
};
static_assert(ARRAY_LEN(writer_names) == IDS_WRITER_MANAGER + 1, "one word for each writer");

const char *ids_writer_name(enum ids_writer writer)
{
	return writer_names[writer];
}

static struct id_map one_extent(struct arena *arena, uint32_t inside, uint32_t outside,
				uint32_t count)
{
	struct id_extent *extent = arena_allocate(arena, sizeof(*extent));

	*extent = (struct id_extent){inside, outside, count};
	return (struct id_map){extent, 1};
}

/*
 * A range of ours in the pieces that our own map has: the kernel finds each extent of a map in one
 * of the map above it, or refuses (user_namespaces(7)). What we have not stays out.
 */
static struct id_map range_of_ours(struct decision *d, uint32_t first, uint32_t count)
{
	const struct id_map *own = &d->facts->own;
	struct id_extent *items;
	size_t used = 0;

	if (own->count < 2)
		return one_extent(d->arena, 0, first, count);
	items = arena_allocate(d->arena, own->count * sizeof(*items));
	for (size_t i = 0; i < own->count; i++) {
		uint64_t begin = own->items[i].inside, end = begin + own->items[i].count;

		begin = begin > first ? begin : first;
		end = end < (uint64_t)first + count ? end : (uint64_t)first + count;
		if (begin < end)
			items[used++] = (struct id_extent){(uint32_t)begin - first, (uint32_t)begin,
							   (uint32_t)(end - begin)};
	}
	return used > 0 ? (struct id_map){items, used} : one_extent(d->arena, 0, first, count);
}

static void give(struct decision *d, enum ids_writer writer, uint32_t shift, uint32_t count)
{
	struct ids *ids = &d->ids;

	ids->writer = writer;
	ids->shift = ids->tree_base = shift;
	ids->count = count;
	ids->maps.users = ids->maps.groups = range_of_ours(d, shift, count);
}

/* --- Ids, where we may give any --- */

static int give_by_tree(struct decision *d)
{
	const struct ids_facts *facts = d->facts;
	uint32_t base = facts->tree_is_known ? ids_base_of(facts->tree_uid) : 0;

	if (facts->tree_is_known && base != ids_base_of(facts->tree_gid)) {
		(void)refuse(
			EINVAL,
			"The tree belongs to user %u and group %u, which are of different ranges",
			facts->tree_uid, facts->tree_gid);
		hint("Name the range, as in --private-users=131072");
		return -EINVAL;
	}
	/* The last range would have the id that is none. */
	give(d, IDS_WRITER_SELF, base,
	     base == ids_base_of(UINT32_MAX) ? USERS_RANGE - 1 : USERS_RANGE);
	d->ids.reason = "where the tree's owner says";
	return 0;
}

static int give_picked(struct decision *d)
{
	const struct ids_facts *facts = d->facts;

	give(d, IDS_WRITER_SELF, facts->has_range ? facts->range.first : 0, USERS_RANGE);
	d->ids.reason = facts->has_range ? range_origin_text(facts->range.origin)
					 : "which ones is found out at the start";
	return 0;
}

static int give_range(struct decision *d)
{
	const struct config *config = d->config;

	give(d, IDS_WRITER_SELF, config->private_users_base, config->private_users_count);
	d->ids.reason = config->private_users == PRIVATE_USERS_IDENTITY
				? "the host's own ids, with no rights outside"
				: "as was asked for";
	return 0;
}

static int give_managed(struct decision *d, const char *reason)
{
	const struct ids_facts *facts = d->facts;

	d->ids = (struct ids){
		.writer = IDS_WRITER_MANAGER,
		.maps = facts->lease,
		.count = USERS_RANGE,
		.reason = reason,
		.owners = "systemd-mountfsd maps them",
	};
	for (size_t i = 0; i < facts->lease.users.count; i++)
		if (facts->lease.users.items[i].inside == 0)
			d->ids.shift = facts->lease.users.items[i].outside;
	/* What else is of the tree, such as layers, we map ourselves where we can. */
	if (facts->may_map) {
		if (!ids_lends_tree(facts))
			d->ids.owners = "the mount maps them, nothing on disk changes";
		d->ids.ownership = IDS_OWNERSHIP_MAP;
		d->ids.tree_base = facts->tree_is_known ? ids_base_of(facts->tree_uid) : 0;
	}
	return 0;
}

/* They would show any other of root's as it is on disk, and inside that is nobody's. */
bool ids_lends_tree(const struct ids_facts *facts)
{
	return !facts->may_map || ids_tree_is_foreign(facts);
}

/*
 * Changes are thrown away with an overlay, which systemd-nsresourced lets nobody mount in a user
 * namespace that it lent. Asked for is known before anybody is asked for ids.
 */
static bool throws_away(const struct config *config)
{
	return config->ephemeral && !config->read_only;
}

static int give_managed_only(struct decision *d)
{
	if (throws_away(d->config)) {
		(void)refuse(
			EOPNOTSUPP,
			"Changes of a tree cannot be thrown away with '--private-users=managed': systemd-nsresourced allows no overlay there");
		hint(d->facts->may_map
			     ? "Use -U in place of --private-users=managed"
			     : "Leave out --private-users=managed: there are other ids for -x");
		return -EOPNOTSUPP;
	}
	if (d->facts->has_manager)
		return give_managed(d, "as was asked for");
	(void)refuse(
		EOPNOTSUPP,
		"Nobody manages ids here: systemd-nsresourced and a systemd-mountfsd that mounts directories are not running");
	hint(d->facts->may_map
		     ? "--private-users=pick needs no service"
		     : "Leave out --private-users=managed for the best that works without");
	return -EOPNOTSUPP;
}

/* Half of its files belong to one range and half to another. */
static int refuse_interrupted(void)
{
	(void)refuse(EUCLEAN, "The change of the tree's owners was interrupted");
	hint("--private-users=BASE --private-users-ownership=chown finishes it, with BASE 0 it takes it back");
	return -EUCLEAN;
}

static bool is_interrupted(const struct decision *d)
{
	uint32_t shift;

	return d->facts->tree_is_known &&
	       shift_state(d->facts->tree_uid, d->facts->tree_gid, &shift) == SHIFT_STATE_BUSY;
}

static int decide_as_root(struct decision *d)
{
	const struct config *config = d->config;

	if (config->private_users != PRIVATE_USERS_DEFAULT &&
	    config->private_users != PRIVATE_USERS_NO && is_interrupted(d) &&
	    (config->private_users_ownership != OWNERSHIP_CHOWN ||
	     config->private_users == PRIVATE_USERS_YES))
		return refuse_interrupted();
	switch (d->config->private_users) {
	case PRIVATE_USERS_DEFAULT:
	case PRIVATE_USERS_NO:
		d->ids.reason = "root, who asked for no user namespace";
		return 0;
	case PRIVATE_USERS_MANAGED:
		return give_managed_only(d);
	case PRIVATE_USERS_YES:
		TRY(give_by_tree(d));
		break;
	case PRIVATE_USERS_PICK:
		TRY(give_picked(d));
		break;
	case PRIVATE_USERS_IDENTITY:
	case PRIVATE_USERS_RANGE:
		TRY(give_range(d));
		break;
	}
	return ids_decide_owners(d);
}

/* --- Ids, where we have none to give --- */

/* Why the programs cannot help, and what would change that; false if they can. */
static bool lacks_programs(struct decision *d, const char **ret_why, const char **ret_fix)
{
	const struct ids_facts *facts = d->facts;

	if (!facts->programs[NEWIDMAP_USERS] || !facts->programs[NEWIDMAP_GROUPS]) {
		*ret_why = "newuidmap and newgidmap are not installed";
		*ret_fix =
			"Install them for a whole range of ids: on Debian and Ubuntu the package "
			"is uidmap, elsewhere shadow or shadow-utils";
		return true;
	}
	if (facts->programs_obstacle && facts->subuids.count > 0 && facts->subgids.count > 0) {
		*ret_why = arena_format(d->arena, "newuidmap and newgidmap get no rights under %s",
					facts->programs_obstacle);
		*ret_fix =
			arena_format(d->arena, "For a whole range of ids start nspawn without %s",
				     facts->programs_obstacle);
		return true;
	}
	if (facts->subuids.count > 0 && facts->subgids.count > 0)
		return false;
	*ret_why = facts->subuids.count ? "'/etc/subgid' gives you no ids"
					: "'/etc/subuid' gives you no ids";
	*ret_fix = arena_format(
		d->arena,
		"For a whole range of ids, add as root the line '%s:%u:65536' to '/etc/subuid' and '/etc/subgid'",
		facts->user ? facts->user : arena_format(d->arena, "%u", facts->uid),
		facts->subid_free);
	return true;
}

static int give_subids(struct decision *d)
{
	const struct ids_facts *facts = d->facts;
	bool nests = d->config->nesting;
	const struct subid_request users = {facts->uid, facts->tree_uid, facts->tree_is_known,
					    &facts->subuids, nests},
				   groups = {facts->gid, facts->tree_gid, facts->tree_is_known,
					     &facts->subgids, nests};
	enum subid_way way = subid_way(&users);
	struct ids *ids = &d->ids;

	if (way == SUBID_SHIFTED && subid_way(&groups) != SUBID_SHIFTED)
		way = SUBID_FOREIGN;
	ids->writer = IDS_WRITER_PROGRAMS;
	subid_map(d->arena, &users, way, &ids->maps.users);
	subid_map(d->arena, &groups, way, &ids->maps.groups);
	ids->shift = ids->tree_base = ids->maps.users.items[0].outside;
	for (size_t i = 0; i < ids->maps.users.count; i++)
		ids->count += ids->maps.users.items[i].count;
	ids->reason = way == SUBID_SHIFTED
			      ? "'/etc/subuid' gives you the range that the tree belongs to"
			      : "root inside is you, the others are yours by '/etc/subuid'";
	ids->owners = way == SUBID_OWN ? "what is yours belongs to root inside" : "as on disk";
	if (way == SUBID_FOREIGN)
		ids->lost =
			arena_format(d->arena, "the tree belongs to user %u, who is nobody inside",
				     facts->tree_uid);
	else if (ids->count < USERS_RANGE - 1)
		ids->lost = arena_format(d->arena, "there are %u ids, where systems expect 65536",
					 ids->count);
	return 0;
}

static int give_single(struct decision *d, const char *why, const char *fix)
{
	const struct ids_facts *facts = d->facts;
	struct ids *ids = &d->ids;

	ids->writer = IDS_WRITER_SINGLE;
	ids->shift = ids->tree_base = facts->uid;
	ids->count = 1;
	ids->maps.users = one_extent(d->arena, 0, facts->uid, 1);
	ids->maps.groups = one_extent(d->arena, 0, facts->gid, 1);
	ids->reason = why;
	ids->owners = "what is yours belongs to root inside";
	ids->lost =
		"root is the only user inside, which does for a command but not for most systems";
	ids->improvement = fix;
	return 0;
}

/*
 * The first rung: whose tree it is matters, as in one that is the user's own no file could be made.
 */
static bool fits_manager(const struct config *config, const struct ids_facts *facts)
{
	return facts->has_manager && !facts->lease_refusal && config->private_network &&
	       !config->ephemeral && ids_tree_is_foreign(facts);
}

static int give_ladder(struct decision *d)
{
	const char *why, *fix;

	if (fits_manager(d->config, d->facts))
		return give_managed(
			d, "systemd-nsresourced gives a range of their own to machines of users");
	return lacks_programs(d, &why, &fix) ? give_single(d, why, fix) : give_subids(d);
}

static int give_asked_range(struct decision *d)
{
	const struct ids_facts *facts = d->facts;
	uint32_t first = d->config->private_users_base, count = d->config->private_users_count;
	const char *why, *fix;

	if (lacks_programs(d, &why, &fix)) {
		(void)refuse(EPERM, "The ids from %u on cannot be had: %s", first, why);
		hint("%s", fix);
		return -EPERM;
	}
	if (!subid_covers(&facts->subuids, first, count) ||
	    !subid_covers(&facts->subgids, first, count)) {
		(void)refuse(
			EPERM,
			"The %u ids from %u on are not yours by '/etc/subuid' and '/etc/subgid'",
			count, first);
		hint("Without --private-users= those are taken that are");
		return -EPERM;
	}
	give(d, IDS_WRITER_PROGRAMS, first, count);
	d->ids.reason = "as was asked for";
	return ids_leave_owners(d);
}

static const char *const ownership_words[] = {
	[OWNERSHIP_CHOWN] = "chown",
	[OWNERSHIP_MAP] = "map",
	[OWNERSHIP_FOREIGN] = "foreign",
};

/* What a user asks for who leaves it to us. */
static bool asks_for_ladder(const struct config *config)
{
	enum users_ownership ownership = config->private_users_ownership;
	enum private_users users = config->private_users;

	return (users == PRIVATE_USERS_DEFAULT || users == PRIVATE_USERS_YES ||
		users == PRIVATE_USERS_PICK) &&
	       !(ownership < ARRAY_LEN(ownership_words) && ownership_words[ownership]);
}

static int decide_as_user(struct decision *d)
{
	enum users_ownership ownership = d->config->private_users_ownership;
	enum private_users users = d->config->private_users;

	if (users == PRIVATE_USERS_NO) {
		(void)refuse(EPERM, "Without a user namespace only root can start a machine");
		hint("Leave out --private-users=no, or run nspawn as root");
		return -EPERM;
	}
	if (users == PRIVATE_USERS_IDENTITY) {
		(void)refuse(EPERM, "Only root can give the host's ids to a machine");
		hint("Leave out --private-users=identity");
		return -EPERM;
	}
	if (users == PRIVATE_USERS_MANAGED)
		return give_managed_only(d);
	if (ownership < ARRAY_LEN(ownership_words) && ownership_words[ownership]) {
		(void)refuse(EPERM, "Only root can make the tree's owners follow by '%s'",
			     ownership_words[ownership]);
		hint("Leave out --private-users-ownership=: ids are chosen to fit the tree");
		return -EPERM;
	}
	return users == PRIVATE_USERS_RANGE ? give_asked_range(d) : give_ladder(d);
}

/* --- The way in --- */

static bool wants_namespace(const struct config *config, const struct ids_facts *facts)
{
	return config->private_users > PRIVATE_USERS_NO || !facts->may_map;
}

bool ids_wants_range(const struct config *config, const struct ids_facts *facts)
{
	return facts->may_map && !facts->restriction && config->private_users == PRIVATE_USERS_PICK;
}

bool ids_wants_lease(const struct config *config, const struct ids_facts *facts, bool *ret_is_vital)
{
	enum private_users users = config->private_users;

	*ret_is_vital = users == PRIVATE_USERS_MANAGED;
	if (facts->restriction || !facts->has_manager)
		return false;
	return *ret_is_vital
		       ? !throws_away(config)
		       : !facts->may_map && asks_for_ladder(config) && fits_manager(config, facts);
}

bool ids_are_written_late(const struct ids *ids)
{
	return ids->writer == IDS_WRITER_PROGRAMS || ids->writer == IDS_WRITER_SINGLE;
}

int ids_decide(struct arena *arena, const struct config *config, const struct ids_facts *facts,
	       struct ids *ret)
{
	struct decision d = {.arena = arena, .config = config, .facts = facts};

	if (wants_namespace(config, facts) && facts->restriction &&
	    config->private_users != PRIVATE_USERS_NO) {
		if (!config->private_users_if_possible || !facts->may_map)
			return restriction_refuse(facts->restriction);
		d.ids.reason = facts->restriction->cause;
	} else {
		TRY(facts->may_map ? decide_as_root(&d) : decide_as_user(&d));
	}
	if (config->nesting)
		ids_nest(arena, config, facts, &d.ids);
	*ret = d.ids;
	return 0;
}

/* The same map, and the host's root beside it, unless one side of that is somebody's already. */
static struct id_map with_root_of_host(struct arena *arena, const struct id_map *map)
{
	struct id_extent *items;

	if (id_map_to_inside(map, 0) != UINT32_MAX ||
	    id_map_to_outside(map, ID_ROOT_OF_HOST) != UINT32_MAX)
		return *map;
	items = arena_allocate(arena, (map->count + 1) * sizeof(*items));
	memcpy(items, map->items, map->count * sizeof(*items));
	items[map->count] = (struct id_extent){ID_ROOT_OF_HOST, 0, 1};
	return (struct id_map){items, map->count + 1};
}

struct id_maps ids_tree_maps(struct arena *arena, const struct ids *ids)
{
	struct id_extent *items;
	struct id_map map;

	if (ids->ownership != IDS_OWNERSHIP_MAP)
		return ids->maps;
	if (ids->tree_base == 0 && ids->writer != IDS_WRITER_SELF)
		return ids->maps;
	if (ids->tree_base == 0)
		return (struct id_maps){with_root_of_host(arena, &ids->maps.users),
					with_root_of_host(arena, &ids->maps.groups)};
	/* Where there are fewer ids inside than a range has, the rest on disk belongs to nobody. */
	items = arena_allocate(arena, 2 * sizeof(*items));
	items[0] = (struct id_extent){ids->tree_base, ids->shift, ids->count};
	/* What we make for an overlay is the host's root's; inside it is nobody's. */
	items[1] = (struct id_extent){0, 0, 1};
	map = (struct id_map){items, ids->shift > 0 ? 2 : 1};
	return (struct id_maps){map, map};
}

void ids_mention(const struct ids *ids, const struct ids_facts *facts)
{
	if (ids->writer == IDS_WRITER_NONE && facts->restriction)
		note("Running without a user namespace: %s", ids->reason);
	if (ids->writer == IDS_WRITER_NONE || (facts->may_map && !ids->lost))
		return;
	if (ids->writer == IDS_WRITER_SINGLE)
		note("Running with a single id, as %s: %s", ids->reason, ids->lost);
	else if (ids->writer == IDS_WRITER_PROGRAMS)
		note("Running with %u ids, by newuidmap%s%s", ids->count, ids->lost ? ": " : "",
		     ids->lost ? ids->lost : "");
	else if (ids->writer == IDS_WRITER_MANAGER)
		note("Running with a range of ids by systemd-nsresourced");
	else
		note("Running with %u ids from %u on: %s", ids->count, ids->shift, ids->lost);
	if (facts->lease_refusal)
		note("That is the next best: %s", facts->lease_refusal);
	if (ids->improvement)
		note("%s", ids->improvement);
}
