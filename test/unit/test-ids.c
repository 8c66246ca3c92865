/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decisions about ids, as a table: what is asked for and found, and what comes of it.
 */
#include "ids/ids.h"

#include <errno.h>

#include "base/arena.h"
#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "config/check.h"
#include "config/config.h"

static struct captured captured;
static struct config config;

static const struct restriction forbidden = {"x", "the test says so", "Do not test"};

/* Hosts and callers. */
enum caller {
	ROOT,
	ROOT_FORBIDDEN,
	ROOT_INSIDE,       /* of a container */
	ROOT_INSIDE_USERS, /* of one of an ordinary user's, whose ids are in two pieces */
	USER,              /* 1000, with programs and 65536 ids from 100000 on */
	USER_FORBIDDEN,
	USER_BARE,      /* no programs */
	USER_POOR,      /* no ids */
	USER_POWERLESS, /* whose programs get no rights */
	USER_MANAGED,   /* with services */
	USER_REFUSED,   /* with services that give nothing */
	ROOT_MANAGED,
};

static void find(enum caller caller, struct ids_facts *ret)
{
	static struct subid_range range = {100000, 65536};
	static const struct subid_ranges ranges = {&range, 1, 1};
	static const struct id_extent own = {0, 500000, 131072};
	static const struct id_extent pieces[] = {{0, 1000, 1}, {1, 100000, 65535}};

	*ret = (struct ids_facts){.tree_is_known = true, .has_manager = caller >= USER_MANAGED};
	ret->may_map = caller == ROOT || caller == ROOT_MANAGED || caller == ROOT_FORBIDDEN ||
		       caller == ROOT_INSIDE || caller == ROOT_INSIDE_USERS;
	if (caller == ROOT_INSIDE_USERS)
		ret->own = (struct id_map){pieces, 2};
	if (caller == ROOT_INSIDE)
		ret->own = (struct id_map){&own, 1};
	if (caller == ROOT_FORBIDDEN || caller == USER_FORBIDDEN)
		ret->restriction = &forbidden;
	if (ret->may_map)
		return;
	if (caller == USER_POWERLESS)
		ret->programs_obstacle = "the test";
	ret->uid = ret->gid = 1000;
	ret->user = "eva";
	ret->subid_free = 300000;
	if (caller != USER_POOR)
		ret->subuids = ret->subgids = ranges;
	if (caller != USER_BARE) {
		ret->programs[NEWIDMAP_USERS] = "/usr/bin/newuidmap";
		ret->programs[NEWIDMAP_GROUPS] = "/usr/bin/newgidmap";
	}
}

#define PICKED 1048576u
#define UNMAPPABLE 1
#define NETWORK 2
#define READ_ONLY 4
#define EPHEMERAL 8

/*
 * 'users' and 'ownership' as on the command line, NULL for unsaid ("-U" is that option). The result
 * is "WRITER SHIFT+COUNT OWNERSHIP[@BASE]", or begins with '!' and is what the refusal has in it.
 */
/* clang-format off */
static const struct {
	const char *users, *ownership;
	enum caller caller;
	uint32_t tree_uid, tree_gid;
	int circumstances;
	const char *result;
} rows[] = {
	/* Root */
	{NULL, NULL, ROOT, 0, 0, 0, "none"},
	{"no", NULL, ROOT, 0, 0, 0, "none"},
	{"pick", NULL, ROOT, 0, 0, 0, "root 1048576+65536 map@0"},
	{"pick", NULL, ROOT, PICKED, PICKED, 0, "root 1048576+65536 off"},
	{"pick", NULL, ROOT, PICKED + 5, PICKED + 9, 0, "root 1048576+65536 off"},
	{"pick", NULL, ROOT, 1000, 100, 0, "root 1048576+65536 map@0"},
	{"pick", NULL, ROOT, 65536, 65536, 0, "root 1048576+65536 map@65536"},
	{"pick", NULL, ROOT, 65536, 0, 0, "!different ranges"},
	{"pick", NULL, ROOT, RANGE_FOREIGN, RANGE_FOREIGN, 0, "root 1048576+65536 map@2147352576"},
	{"pick", "map", ROOT, 0, 0, 0, "root 1048576+65536 map@0"},
	{"pick", "off", ROOT, 0, 0, 0, "root 1048576+65536 off lost"},
	{"pick", "chown", ROOT, 0, 0, 0, "root 1048576+65536 chown"},
	{"pick", "chown", ROOT, PICKED, PICKED, 0, "root 1048576+65536 off"},
	{"pick", "foreign", ROOT, RANGE_FOREIGN + 3, RANGE_FOREIGN, 0, "root 1048576+65536 map@2147352576"},
	{"pick", "foreign", ROOT, 0, 0, 0, "!foreign range"},
	/* What cannot be mapped is rewritten only for who asked for something of the kind. */
	{"pick", NULL, ROOT, 0, 0, UNMAPPABLE, "!cannot be mapped on its file system, tmpfs"},
	{"pick", "map", ROOT, 0, 0, UNMAPPABLE, "!cannot be mapped"},
	{"pick", "auto", ROOT, 0, 0, UNMAPPABLE, "root 1048576+65536 chown"},
	{"pick", "auto", ROOT, 0, 0, UNMAPPABLE | READ_ONLY, "!cannot be mapped"},
	{"pick", NULL, ROOT, PICKED, PICKED, UNMAPPABLE, "root 1048576+65536 off"},
	{"-U", NULL, ROOT, 0, 0, 0, "root 1048576+65536 map@0"},
	{"-U", NULL, ROOT_FORBIDDEN, 0, 0, 0, "none"},
	{"pick", NULL, ROOT_FORBIDDEN, 0, 0, 0, "!the test says so"},
	{NULL, NULL, ROOT_FORBIDDEN, 0, 0, 0, "none"},
	{"yes", NULL, ROOT, 196608, 196608, 0, "root 196608+65536 off"},
	{"yes", NULL, ROOT, 196610, 196700, 0, "root 196608+65536 off"},
	{"yes", NULL, ROOT, 0, 0, 0, "root 0+65536 off"},
	{"yes", NULL, ROOT, 65536, 131072, 0, "!different ranges"},
	{"yes", NULL, ROOT, 4294967290u, 4294967290u, 0, "root 4294901760+65535 off"},
	{"identity", NULL, ROOT, 0, 0, 0, "root 0+65536 off"},
	{"131072:10", NULL, ROOT, 131072, 131072, 0, "root 131072+10 off"},
	{"131072", NULL, ROOT, 0, 0, 0, "root 131072+65536 off lost"},
	{"131072", "map", ROOT, 0, 0, 0, "root 131072+65536 map@0"},
	{"0", "chown", ROOT, 0, 0, 0, "root 0+65536 off"},
	{"0", "chown", ROOT, 131072, 131072, 0, "root 0+65536 chown"},
	{"pick", NULL, ROOT_INSIDE, 0, 0, 0, "root 1048576+65536 map@0"},
	{"pick", NULL, ROOT_INSIDE, 0, 0, UNMAPPABLE, "!cannot be mapped"},
	{"pick", "auto", ROOT_INSIDE, 0, 0, UNMAPPABLE, "!cannot be changed on disk"},
	{"65536", "chown", ROOT_INSIDE, 0, 0, 0, "!cannot be changed on disk"},
	{"65536", "chown", ROOT_INSIDE, 65536, 65536, 0, "root 65536+65536 off"},
	{"managed", NULL, ROOT, 0, 0, NETWORK, "!Nobody manages ids here"},
	{"managed", NULL, ROOT_MANAGED, 0, 0, NETWORK, "managed 524288+65536 map@0"},
	{"managed", NULL, ROOT_MANAGED, RANGE_FOREIGN, RANGE_FOREIGN, NETWORK, "managed 524288+65536 map@2147352576"},
	{"managed", NULL, ROOT_MANAGED, 0, 0, NETWORK | EPHEMERAL, "!cannot be thrown away"},
	{"managed", NULL, ROOT_MANAGED, RANGE_FOREIGN, RANGE_FOREIGN, NETWORK | EPHEMERAL, "!cannot be thrown away"},
	{"pick", NULL, ROOT_MANAGED, 0, 0, NETWORK, "root 1048576+65536 map@0"},

	/* A user, down the ladder */
	{NULL, NULL, USER_MANAGED, RANGE_FOREIGN, RANGE_FOREIGN, NETWORK, "managed 524288+65536 off"},
	{NULL, NULL, USER_MANAGED, RANGE_FOREIGN, RANGE_FOREIGN, NETWORK | EPHEMERAL, "newuidmap 1000+65536 off lost"},
	{NULL, NULL, USER_REFUSED, RANGE_FOREIGN, RANGE_FOREIGN, NETWORK, "newuidmap 1000+65536 off lost"},
	{"managed", NULL, USER_MANAGED, 1000, 1000, NETWORK | EPHEMERAL, "!cannot be thrown away"},
	{NULL, NULL, USER_MANAGED, RANGE_FOREIGN, RANGE_FOREIGN, 0, "newuidmap 1000+65536 off lost"},
	{NULL, NULL, USER_MANAGED, 1000, 1000, NETWORK, "newuidmap 1000+65536 off"},
	{NULL, NULL, USER, 1000, 1000, 0, "newuidmap 1000+65536 off"},
	{NULL, NULL, USER, 1000, 50, 0, "newuidmap 1000+65536 off"},
	{NULL, NULL, USER, 100000, 100000, 0, "newuidmap 100000+65536 off"},
	{NULL, NULL, USER, 100000, 7, 0, "newuidmap 1000+65536 off lost"},
	{NULL, NULL, USER, 0, 0, 0, "newuidmap 1000+65536 off lost"},
	{"pick", NULL, USER, 1000, 1000, 0, "newuidmap 1000+65536 off"},
	{"-U", NULL, USER, 1000, 1000, 0, "newuidmap 1000+65536 off"},
	{NULL, NULL, USER_BARE, 1000, 1000, 0, "single 1000+1 off lost"},
	{NULL, NULL, USER_POOR, 1000, 1000, 0, "single 1000+1 off lost"},
	{NULL, NULL, USER_POWERLESS, 1000, 1000, 0, "single 1000+1 off lost"},
	{"100000", NULL, USER_POWERLESS, 1000, 1000, 0, "!get no rights under the test"},
	{NULL, NULL, USER_FORBIDDEN, 1000, 1000, 0, "!the test says so"},
	{"-U", NULL, USER_FORBIDDEN, 1000, 1000, 0, "!the test says so"},
	{"no", NULL, USER, 1000, 1000, 0, "!only root can start"},
	{"no", NULL, USER_FORBIDDEN, 1000, 1000, 0, "!only root can start"},
	{"identity", NULL, USER, 1000, 1000, 0, "!Only root can give"},
	{"managed", NULL, USER, 1000, 1000, NETWORK, "!Nobody manages"},
	{"managed", NULL, USER_MANAGED, 1000, 1000, NETWORK, "managed 524288+65536 off"},
	{"100000", NULL, USER, 100000, 100000, 0, "newuidmap 100000+65536 off"},
	{"100100:100", NULL, USER, 1000, 1000, 0, "newuidmap 100100+100 off lost"},
	{"100001", NULL, USER, 1000, 1000, 0, "!not yours"},
	{"100000", NULL, USER_BARE, 1000, 1000, 0, "!not installed"},
	{NULL, "map", USER, 1000, 1000, 0, "!Only root can make the tree's owners follow by 'map'"},
	{NULL, "chown", USER, 1000, 1000, 0, "!Only root can make the tree's owners follow by 'chown'"},
	{NULL, "off", USER, 1000, 1000, 0, "newuidmap 1000+65536 off"},
};
/* clang-format on */

static const char *show(const struct ids *ids)
{
	static const char *const ownerships[] = {"off", "map@", "chown"};

	if (ids->writer == IDS_WRITER_NONE)
		return "none";
	return arena_format(&config.arena, "%s %u+%u %s%s%s", ids_writer_name(ids->writer),
			    ids->shift, ids->count, ownerships[ids->ownership],
			    ids->ownership == IDS_OWNERSHIP_MAP
				    ? arena_format(&config.arena, "%u", ids->tree_base)
				    : "",
			    ids->lost ? " lost" : "");
}

static int apply(enum setting setting, const char *value)
{
	return setting_apply(
		&config,
		&(struct said){.setting = setting, .value = value, .origin = ORIGIN_OPTION});
}

static void ask(size_t i)
{
	arena_done(&config.arena);
	config_defaults(&config);
	if (rows[i].users && strcmp(rows[i].users, "-U") == 0)
		CHECK(apply(SETTING_PRIVATE_USERS_PICK, NULL) == 0);
	else if (rows[i].users)
		CHECK(apply(SETTING_PRIVATE_USERS, rows[i].users) == 0);
	if (rows[i].ownership)
		CHECK(apply(SETTING_PRIVATE_USERS_OWNERSHIP, rows[i].ownership) == 0);
	config.private_network = rows[i].circumstances & NETWORK;
	config.read_only = rows[i].circumstances & READ_ONLY;
	config.ephemeral = rows[i].circumstances & EPHEMERAL;
	CHECK(config_check(&config) == 0);
}

/* As the start does between finding and deciding. */
static void take_lease(enum caller caller, struct ids_facts *facts)
{
	static const struct id_extent extent = {0, 524288, 65536};
	bool is_vital;

	facts->has_lease = ids_wants_lease(&config, facts, &is_vital);
	if (!facts->has_lease)
		return;
	if (caller == USER_REFUSED)
		facts->lease_refusal = "the test says so";
	else
		facts->lease = (struct id_maps){{&extent, 1}, {&extent, 1}};
}

static void test_decisions(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ids_facts facts;
		struct ids ids = {0};
		const char *got;
		int r;

		capture_start(&captured);
		ask(i);
		find(rows[i].caller, &facts);
		facts.tree_uid = rows[i].tree_uid;
		facts.tree_gid = rows[i].tree_gid;
		if (rows[i].circumstances & UNMAPPABLE) {
			facts.tree_mapping = IDS_MAPPING_IMPOSSIBLE;
			facts.tree_file_system = "tmpfs";
		}
		facts.has_range = ids_wants_range(&config, &facts);
		facts.range = (struct range){PICKED, RANGE_OF_NAME};
		take_lease(rows[i].caller, &facts);
		r = ids_decide(&config.arena, &config, &facts, &ids);
		/* A refusal is one sentence and its advice. */
		if (*rows[i].result == '!') {
			CHECK(r < 0 && captured.failures == 2);
			got = strstr(captured.first, rows[i].result + 1) ? rows[i].result
									 : captured.first;
		} else {
			CHECK(r == 0 && captured.failures == 0);
			CHECK(ids.writer == IDS_WRITER_NONE || (ids.reason && ids.owners));
			got = show(&ids);
		}
		if (strcmp(got, rows[i].result) != 0)
			fprintf(stderr, "row %zu: ", i);
		CHECK_TEXT(got, rows[i].result);
	}
}

static void test_tree_maps(void)
{
	static const struct id_extent extent = {0, PICKED, 65536}, identity = {0, 0, 65536};
	struct ids ids = {.writer = IDS_WRITER_SELF,
			  .maps = {{&extent, 1}, {&extent, 1}},
			  .shift = PICKED,
			  .count = 65536,
			  .ownership = IDS_OWNERSHIP_MAP};
	struct id_maps maps = ids_tree_maps(&config.arena, &ids);

	/* The host's root may make files there, and the machine cannot become who owns them. */
	CHECK(id_map_to_outside(&maps.users, 33) == PICKED + 33);
	CHECK(id_map_to_inside(&maps.users, 0) == ID_ROOT_OF_HOST);
	CHECK(id_map_to_inside(&maps.groups, 0) == ID_ROOT_OF_HOST);
	CHECK(id_map_to_inside(&ids.maps.users, 0) == UINT32_MAX);
	ids.maps.users.items = &identity;
	maps = ids_tree_maps(&config.arena, &ids);
	CHECK(maps.users.items == &identity && maps.users.count == 1);
	ids.maps.users.items = &extent;
	ids.writer = IDS_WRITER_MANAGER;
	maps = ids_tree_maps(&config.arena, &ids);
	CHECK(maps.users.items == &extent && maps.users.count == 1);
	ids.writer = IDS_WRITER_SELF;
	ids.tree_base = 131072;
	maps = ids_tree_maps(&config.arena, &ids);
	CHECK(id_map_to_outside(&maps.users, 131072 + 33) == PICKED + 33);
	CHECK(id_map_to_outside(&maps.groups, 33) == UINT32_MAX);
}

/* What a machine gets for containers inside, and what is said where it gets nothing. */
static const struct {
	const char *users;
	enum caller caller;
	uint32_t tree, subids, further;
	const char *map, *said;
} nests[] = {
	{"pick", ROOT, 0, 0, 196608, "0=1048576+65536 65536=7000000+196608", ""},
	{"pick", ROOT, 0, 0, 65536, "0=1048576+65536 65536=7000000+65536", ""},
	{"pick", ROOT, 0, 0, 0, "0=1048576+65536",
	 "containers inside cannot have ids of their own"},
	{"pick", ROOT, 65536, 0, 196608, "0=1048576+65536 65536=7000000+196608",
	 "from 1048576 on: in a tree that belongs to another range they are nobody's"},
	{"pick", ROOT, PICKED, 0, 196608, "0=1048576+65536 65536=7000000+196608", ""},
	{"131072:65536", ROOT, 131072, 0, 0, "0=131072+65536",
	 "--private-users=pick gives them some"},
	{"131072:262144", ROOT, 131072, 0, 0, "0=131072+262144", ""},
	{"identity", ROOT, 0, 0, 0, "0=0+65536", "containers inside cannot"},
	{"identity", ROOT_INSIDE_USERS, 0, 0, 0, "0=0+1 1=1+65535", "containers inside cannot"},
	{"0:200000", ROOT_INSIDE_USERS, 0, 0, 0, "0=0+1 1=1+65535", "containers inside cannot"},
	{"10:100", ROOT_INSIDE_USERS, 10, 0, 0, "0=10+100", "containers inside cannot"},
	{"managed", USER_MANAGED, RANGE_FOREIGN, 0, 0, "", "--private-users-delegate=1 asks"},
	{NULL, USER, 1000, 65536, 0, "0=1000+1 1=100000+65535 65536=165535+1",
	 "the line 'eva:300000:196608' to '/etc/subuid'"},
	{NULL, USER, 1000, 65536, 0, "0=1000+1 1=100000+65535 65536=165535+1",
	 "Running with 65537 ids, by newuidmap: containers inside cannot have ids of their own"},
	{NULL, USER, 1000, 262144, 0, "0=1000+1 1=100000+65535 65536=165535+196609",
	 "Running with 262145 ids, by newuidmap\n"},
	{NULL, USER, 100000, 262144, 0, "0=100000+65536 65536=165536+196608", "262144 ids"},
	{"100000:65536", USER, 100000, 262144, 0, "0=100000+65536", "containers inside cannot"},
	{NULL, USER_BARE, 1000, 65536, 0, "0=1000+1", "Running with a single id"},
};

static const char *show_map(const struct id_map *map)
{
	const char *text = "";

	for (size_t i = 0; i < map->count; i++)
		text = arena_format(&config.arena, "%s%s%u=%u+%u", text, i ? " " : "",
				    map->items[i].inside, map->items[i].outside,
				    map->items[i].count);
	return text;
}

static void test_nesting(void)
{
	for (size_t i = 0; i < ARRAY_LEN(nests); i++) {
		struct subid_range range = {100000, nests[i].subids};
		struct ids_facts facts;
		struct ids ids = {0};

		arena_done(&config.arena);
		config_defaults(&config);
		if (nests[i].users)
			CHECK(apply(SETTING_PRIVATE_USERS, nests[i].users) == 0);
		config.nesting = config.private_network = true;
		if (!nests[i].users)
			config.private_users = PRIVATE_USERS_DEFAULT;
		find(nests[i].caller, &facts);
		facts.tree_uid = facts.tree_gid = nests[i].tree;
		if (nests[i].subids > 0)
			facts.subuids = facts.subgids = (struct subid_ranges){&range, 1, 1};
		facts.has_range = ids_wants_range(&config, &facts);
		facts.range = (struct range){PICKED, RANGE_OF_NAME};
		facts.further = (struct range){7000000, RANGE_OF_NAME};
		facts.further_count = nests[i].further;
		capture_start(&captured);
		CHECK(ids_decide(&config.arena, &config, &facts, &ids) == 0);
		ids_mention(&ids, &facts);
		CHECK_TEXT(show_map(&ids.maps.users), nests[i].map);
		CHECK_TEXT(show_map(&ids.maps.groups), nests[i].map);
		if (!strstr(captured.all, nests[i].said) || (!*nests[i].said && *captured.all))
			CHECK_TEXT(captured.all, nests[i].said);
	}
}

/* One line for the way, and one for what would change it. */
static const struct {
	enum caller caller;
	const char *said;
} mentions[] = {
	{ROOT, ""},
	{USER, "Running with 65536 ids, by newuidmap\n"},
	{USER_BARE, "Install them for a whole range of ids"},
	{USER_BARE,
	 "Running with a single id, as newuidmap and newgidmap are not installed: root is"},
	{USER_POOR, "the line 'eva:300000:65536' to '/etc/subuid' and '/etc/subgid'"},
};

static void test_mentions(void)
{
	for (size_t i = 0; i < ARRAY_LEN(mentions); i++) {
		struct ids_facts facts;
		struct ids ids = {0};

		arena_done(&config.arena);
		config_defaults(&config);
		CHECK(config_check(&config) == 0);
		find(mentions[i].caller, &facts);
		facts.tree_uid = facts.tree_gid = 1000;
		CHECK(ids_decide(&config.arena, &config, &facts, &ids) == 0);
		capture_start(&captured);
		ids_mention(&ids, &facts);
		CHECK(strstr(captured.all, mentions[i].said));
		CHECK(*mentions[i].said || !*captured.all);
		CHECK(captured.failures == 0 && captured.warnings == 0);
	}
}

int main(void)
{
	test_decisions();
	test_tree_maps();
	test_nesting();
	test_mentions();
	arena_done(&config.arena);
	return check_result();
}
