/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose ids the payload has, and whose the files of its mounts are.
 * Zone: free.
 */
#include <string.h>

#include "base/scope.h"
#include "ids/shift.h"
#include "run/explain-rows.h"

bool explain_has_user_namespace(const struct explanation *e)
{
	return e->plan->ids.writer != IDS_WRITER_NONE;
}

/* There is a letter and a word, and the last of them counts. */
static enum setting said_last(const struct explanation *e)
{
	const struct said_list *said = &e->config->said;

	for (size_t i = said->count; i > 0; i--)
		if (said->items[i - 1].setting == SETTING_PRIVATE_USERS ||
		    said->items[i - 1].setting == SETTING_PRIVATE_USERS_PICK)
			return said->items[i - 1].setting;
	return SETTING_PRIVATE_USERS;
}

/* Nobody need ask for what an ordinary user cannot do without. */
struct explain_origin explain_origin_of_ids(const struct explanation *e)
{
	struct explain_origin origin = explain_origin(e, said_last(e));

	if (origin.source == EXPLAIN_DEFAULT && e->config->private_users > PRIVATE_USERS_NO)
		origin = explain_origin(e, SETTING_PRIVATE_USERS_OWNERSHIP);
	if (origin.source == EXPLAIN_DEFAULT && explain_has_user_namespace(e))
		origin = EXPLAIN_FOUND_ORIGIN;
	return origin;
}

/* --- Maps --- */

/* Which ids is not known before the start. */
static bool ids_are_unknown(const struct explanation *e)
{
	const struct ids *ids = &e->plan->ids;

	return ids->writer == IDS_WRITER_MANAGER ||
	       (ids_wants_range(e->config, &e->facts->ids) && !e->facts->ids.has_range);
}

static const char *range_text(struct explanation *e, uint32_t first, uint32_t count)
{
	return count == 1 ? arena_format(e->arena, "%u", first)
			  : arena_format(e->arena, "%u-%u", first, first + (count - 1));
}

static void explain_extent(struct explanation *e, const char *name, const struct id_extent *extent)
{
	struct explain_row *row = explain_rowf(
		e, name, NULL, "%s %s %s of the host", range_text(e, extent->inside, extent->count),
		extent->count == 1 ? "is" : "are", range_text(e, extent->outside, extent->count));

	explain_number(e, row, "inside", extent->inside);
	explain_number(e, row, "outside", extent->outside);
	explain_number(e, row, "count", extent->count);
}

static void explain_map(struct explanation *e, const char *name, const struct id_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		explain_extent(e, name, &map->items[i]);
}

static void explain_unknown_range(struct explanation *e, const char *name, uint32_t inside,
				  uint32_t count)
{
	struct explain_row *row =
		explain_rowf(e, name, NULL, "%s are %u of the host that the start picks",
			     range_text(e, inside, count), count);

	explain_number(e, row, "inside", inside);
	explain_text(e, row, "outside", NULL);
	explain_number(e, row, "count", count);
}

static void explain_unknown_maps(struct explanation *e)
{
	const struct id_map *map = &e->plan->ids.maps.users;
	static const char *const names[] = {"users", "groups"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		explain_unknown_range(e, names[i], 0, e->plan->ids.count);
		/* For containers inside. */
		for (size_t j = 1; j < map->count; j++)
			explain_unknown_range(e, names[i], map->items[j].inside,
					      map->items[j].count);
	}
}

static void explain_writer(struct explanation *e)
{
	static const char *const values[] = {
		[IDS_WRITER_SELF] = "nspawn itself, as root",
		[IDS_WRITER_PROGRAMS] = "newuidmap and newgidmap",
		[IDS_WRITER_SINGLE] = "nspawn itself, for a single id",
		[IDS_WRITER_MANAGER] = "systemd-nsresourced",
	};
	const struct ids *ids = &e->plan->ids;
	struct explain_row *row = explain_row(e, "maps by", values[ids->writer], NULL);

	row->origin = explain_origin_of_ids(e);
	explain_flag(e, row, "is_mapped", true);
	explain_text(e, row, "writer", ids_writer_name(ids->writer));
	(void)explain_row(e, "chosen",
			  arena_format(e->arena, "%u id%s", ids->count, ids->count == 1 ? "" : "s"),
			  ids->reason);
	if (ids_are_unknown(e)) {
		explain_unknown_maps(e);
		return;
	}
	explain_map(e, "users", &ids->maps.users);
	explain_map(e, "groups", &ids->maps.groups);
}

/* --- Owners of the tree --- */

static const char *ownership_text(struct explanation *e)
{
	const struct ids *ids = &e->plan->ids;

	if (ids->writer == IDS_WRITER_MANAGER)
		return "mapped";
	switch (ids->ownership) {
	case IDS_OWNERSHIP_MAP:
		return arena_format(e->arena, "mapped: %u on disk is 0 inside", ids->tree_base);
	case IDS_OWNERSHIP_CHOWN:
		return ids_are_unknown(e)
			       ? "rewritten on disk"
			       : arena_format(e->arena, "rewritten on disk: %u becomes 0 inside",
					      ids->shift);
	case IDS_OWNERSHIP_OFF:
	default:
		return "as on disk";
	}
}

/* How far the tree is from its range, by the owner of its root directory. */
static void explain_way(struct explanation *e)
{
	const struct ids_facts *facts = &e->facts->ids;
	struct explain_row *row;
	uint32_t shift;

	if (e->plan->ids.ownership != IDS_OWNERSHIP_CHOWN || !facts->tree_is_known)
		return;
	switch (shift_state(facts->tree_uid, facts->tree_gid, &shift)) {
	case SHIFT_STATE_BUSY:
		row = explain_row(e, "on disk", "between two ranges",
				  "a change was interrupted, which the start finishes");
		break;
	case SHIFT_STATE_DIFFERENT:
		row = explain_row(e, "on disk", "of different ranges", "all become of one");
		break;
	case SHIFT_STATE_PLAIN:
	case SHIFT_STATE_SHIFTED:
	default:
		row = explain_rowf(e, "on disk", "once, and the longer the more files there are",
				   "of %s, all still to be rewritten",
				   range_text(e, shift, SHIFT_RANGE));
	}
	row->origin = EXPLAIN_FOUND_ORIGIN;
}

static void explain_tree_owners(struct explanation *e)
{
	static const char *const words[] = {
		[IDS_OWNERSHIP_OFF] = "off",
		[IDS_OWNERSHIP_MAP] = "map",
		[IDS_OWNERSHIP_CHOWN] = "chown",
	};
	const struct ids *ids = &e->plan->ids;
	const char *text = ownership_text(e);
	struct explain_row *row =
		explain_row(e, "the tree's owners", text,
			    ids->owners && strcmp(text, ids->owners) != 0 ? ids->owners : NULL);

	row->origin = explain_origin(e, SETTING_PRIVATE_USERS_OWNERSHIP);
	explain_text(e, row, "ownership", words[ids->ownership]);
	explain_number(e, row, "base", ids->tree_base);
	explain_way(e);
}

void explain_ids(struct explanation *e)
{
	const struct ids *ids = &e->plan->ids;
	struct explain_row *row;

	(void)explain_section(e, "ids", "User and group ids", NULL);
	if (explain_has_user_namespace(e)) {
		explain_writer(e);
		explain_tree_owners(e);
	} else if (ids->reason) {
		row = explain_row(e, "map", "none", "an id inside is the same id on the host");
		row->origin = explain_origin(e, said_last(e));
		explain_flag(e, row, "is_mapped", false);
		if (e->facts->ids.restriction)
			explain_row(e, "without", "a user namespace", ids->reason)->origin =
				EXPLAIN_FOUND_ORIGIN;
	} else {
		row = explain_row(e, "map", "undecided", "what was asked for cannot be had");
		row->origin = explain_origin(e, said_last(e));
		explain_flag(e, row, "is_mapped", false);
	}
	if (ids->lost)
		explain_row(e, "lost", ids->lost, ids->improvement)->origin = EXPLAIN_FOUND_ORIGIN;
}

/* --- Owners of mounts --- */

/* Of what was mapped for the tree, and what was not. */
static const char *owners_by_default(const struct explanation *e,
				     const struct mount_operation *operation)
{
	const struct ids *ids = &e->plan->ids;
	bool is_mapped = ids->ownership == IDS_OWNERSHIP_MAP;

	if (ids->writer != IDS_WRITER_SELF)
		return NULL;
	if (operation->kind == OPERATION_OVERLAY)
		return is_mapped ? "mapped like the tree's" : NULL;
	/* The host's root is somebody inside: at most some of its users are not. */
	if (operation->kind != OPERATION_BIND || !operation->is_custom ||
	    operation->place != SOURCE_HOST || id_map_to_inside(&ids->maps.users, 0) == 0)
		return NULL;
	return "not mapped";
}

void explain_owners(struct explanation *e, const struct mount_operation *operation,
		    struct strings *list)
{
	static const char *const rules[] = {
		[ID_RULE_PLAIN] = NULL,       [ID_RULE_SAME] = "idmap",
		[ID_RULE_ROOT] = "rootidmap", [ID_RULE_OWNER] = "owneridmap",
		[ID_RULE_ONLY] = NULL,
	};
	const struct id_request *ids = operation->ids;
	const char *word = ids ? rules[ids->rule] : owners_by_default(e, operation);

	if (word)
		strings_add(e->arena, list, word);
	for (size_t i = 0; ids && i < ids->pairs.count; i++) {
		const struct owner_pair *pair = &ids->pairs.items[i];
		const char *what = pair->is_group ? "group" : "user";

		strings_add(e->arena, list,
			    pair->count == 1
				    ? arena_format(e->arena, "%s %u is %u", what, pair->host,
						   pair->guest)
				    : arena_format(e->arena, "%ss %u-%u are %u-%u", what,
						   pair->host, pair->host + (pair->count - 1),
						   pair->guest, pair->guest + (pair->count - 1)));
	}
}

const char *explain_lost_owners(const struct explanation *e,
				const struct mount_operation *operation)
{
	return !operation->ids && operation->kind == OPERATION_BIND &&
			       owners_by_default(e, operation)
		       ? "what the host's users own belongs to nobody inside; :idmap maps it"
		       : NULL;
}
