/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plan out of a case's text, without looking at this machine: the words of a command line, the
 * text of a settings file, and what is pretended to have been found.
 *
 * A case has sections that begin with a word in brackets: [command] with one command line,
 * [environment] with NAME=VALUE lines, [file PATH] or [trusted PATH] with a settings file up to
 * [end], and [found] with the lines that fake_found() knows. Lines with '#' before the first
 * section are comments.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/config.h"
#include "config/merge.h"
#include "config/settings-text.h"
#include "config/values.h"
#include "manager/cgroup-find.h"
#include "run/dry-run.h"
#include "run/explain.h"

#define FAKE_WORDS_MAX 96

struct fake {
	struct config config;
	struct facts facts;
	struct plan plan;
	struct explain_found found;
	struct explanation explanation;
	struct dry_run_listener listener;
	struct said_list files;
};

/* What a quiet host with a Debian tree looks like. */
static inline void fake_defaults(struct fake *fake)
{
	struct facts *facts = &fake->facts;

	*fake = (struct fake){0};
	facts->places = places_of_system;
	facts->tree.has_usr = true;
	facts->net.may_make_links = true;
	facts->host = (struct os_identity){.id = "debian", .version_id = "12"};
	facts->host_os_release = "/etc/os-release";
	facts->host_files.has_resolv_conf = true;
	facts->host_files.localtime = HOST_FILE_LINK;
	facts->host_files.localtime_link = "/usr/share/zoneinfo/Europe/Berlin";
	facts->limits.nr_open = 1048576;
	for (int i = 0; i < (int)RLIM_NLIMITS; i++) {
		facts->limits.init_is_known[i] = true;
		facts->limits.of_init[i] = (struct rlimit){7000, 7000};
	}
	facts->capabilities = CAPABILITIES_ALL;
	facts->ids.may_map = true;
	fake->found.is_root = true;
	fake->found.cgroup = "/sys/fs/cgroup/system.slice/web.service";
}

static inline bool fake_os(struct fake *fake, const char *value)
{
	struct os_tree *tree = &fake->facts.tree;

	if (strcmp(value, "debian") == 0) {
		tree->has_os_release = true;
		tree->identity.id = "debian";
		tree->identity.version_id = "12";
		tree->identity.pretty_name = "Debian GNU/Linux 12 (bookworm)";
		tree->init_path = "/usr/lib/systemd/systemd";
		tree->init_kind = INIT_SYSTEMD;
		return true;
	}
	if (strcmp(value, "alpine") == 0) {
		tree->has_os_release = true;
		tree->identity.id = "alpine";
		tree->identity.pretty_name = "Alpine Linux v3.20";
		tree->init_path = "/sbin/init";
		tree->init_kind = INIT_BUSYBOX;
		return true;
	}
	return false;
}

static inline void fake_user(struct fake *fake, bool is_user)
{
	static const struct places_environment user = {"/run/user/1000", "/home/user", NULL, NULL};

	fake->found.is_root = !is_user;
	if (!is_user)
		return;
	places_of_user(&fake->config.arena, &user, &fake->facts.places);
	fake->facts.ids = (struct ids_facts){
		.uid = 1000,
		.gid = 1000,
		.user = "user",
		.subid_free = 100000,
		.programs = {"/usr/bin/newuidmap", "/usr/bin/newgidmap"},
	};
}

/*
 * What was found of ids: "tree-owner=UID GID", "subids=FIRST COUNT", "range=FIRST tree|name",
 * "forbidden=CAUSE".
 */
static inline bool fake_ids(struct fake *fake, const char *key, const char *value)
{
	struct arena *arena = &fake->config.arena;
	struct ids_facts *ids = &fake->facts.ids;
	struct restriction *restriction;
	struct subid_range subids;
	char origin[8] = "";

	if (strcmp(key, "tree-owner") == 0) {
		ids->tree_is_known = true;
		return sscanf(value, "%u %u", &ids->tree_uid, &ids->tree_gid) == 2;
	}
	if (strcmp(key, "range") == 0) {
		ids->has_range = sscanf(value, "%u %7s", &ids->range.first, origin) == 2;
		ids->range.origin = strcmp(origin, "tree") == 0 ? RANGE_OF_TREE : RANGE_OF_NAME;
		return ids->has_range;
	}
	if (strcmp(key, "subids") == 0 &&
	    sscanf(value, "%u %u", &subids.first, &subids.count) == 2) {
		*ARRAY_ADD(arena, &ids->subuids) = subids;
		ids->subgids = ids->subuids;
		return true;
	}
	if (strcmp(key, "forbidden") != 0)
		return false;
	restriction = arena_allocate(arena, sizeof(*restriction));
	*restriction = (struct restriction){.cause = value};
	ids->restriction = restriction;
	return true;
}

static inline bool fake_flags(struct fake *fake, const char *key, const char *value)
{
	bool flag;

	if (parse_bool(value, &flag) < 0)
		return false;
	if (strcmp(key, "root") == 0)
		fake_user(fake, !flag);
	else if (strcmp(key, "id-manager") == 0)
		fake->facts.ids.has_manager = flag;
	else if (strcmp(key, "manager") == 0)
		fake->found.has_scope = flag;
	else if (strcmp(key, "terminal") == 0)
		for (int i = 0; i < 3; i++)
			fake->facts.is_terminal[i] = flag;
	else if (strcmp(key, "seen") == 0)
		fake->found.tree_is_unseen = !flag;
	else if (strcmp(key, "stub") == 0)
		fake->facts.host_files.has_stub_resolv_conf = flag;
	else if (strcmp(key, "apparmor") == 0)
		fake->facts.labels.has_apparmor = flag;
	else if (strcmp(key, "tun") == 0)
		fake->found.devices_missing = flag ? 0 : 1 << 7;
	else
		return false;
	return true;
}

/* NAME: somebody with the ids 1000 and a home on the host. */
static inline void fake_bound_user(struct fake *fake, const char *name)
{
	struct arena *arena = &fake->config.arena;
	struct bound_users *users = &fake->facts.bound_users;

	users->groups = fake->config.bind_user_groups;
	*ARRAY_ADD(arena, users) = (struct bound_user){
		.name = name,
		.host_uid = 1000,
		.host_gid = 1000,
		.id = BIND_USER_FIRST,
		.host_home = arena_format(arena, "/home/%s", name),
		.home = arena_format(arena, BIND_USER_HOMES "/%s", name),
		.shell = fake->config.bind_user_shell,
	};
	bind_user_describe(arena, &users->items[users->count - 1], NULL, NULL, &users->groups);
}

/* "user 1000 33 1": what was found of the owners of the first mount. */
static inline void fake_owner(struct fake *fake, const char *value)
{
	struct id_request *ids = fake->config.mounts.items[0].ids;
	struct owner_pair pair = {0};
	char kind[8];

	if (ids && sscanf(value, "%7s %u %u %u", kind, &pair.host, &pair.guest, &pair.count) == 4) {
		pair.is_group = strcmp(kind, "group") == 0;
		*ARRAY_ADD(&fake->config.arena, &ids->pairs) = pair;
	}
}

/* "b8:0 /dev/sda": the device that the next --device names. */
static inline bool fake_node(struct fake *fake, const char *value)
{
	struct arena *arena = &fake->config.arena;
	struct device_node node = {.request = fake->facts.devices.nodes.count};
	struct strings words = {0};
	char kind;

	text_words(arena, value, BLANKS, &words);
	if (words.count != 2 || node.request >= fake->config.devices.count ||
	    sscanf(words.items[0], "%c%u:%u", &kind, &node.major, &node.minor) != 3)
		return false;
	node.mode = kind == 'b' ? S_IFBLK | 0660 : S_IFCHR | 0660;
	node.host = words.items[1];
	node.inside = fake->config.devices.items[node.request].inside ?: node.host;
	node.inside += strlen("/dev/");
	node.access = fake->config.devices.items[node.request].access;
	*ARRAY_ADD(arena, &fake->facts.devices.nodes) = node;
	return true;
}

/* One "key=value" of [found]. */
static inline bool fake_found(struct fake *fake, const char *line)
{
	struct arena *arena = &fake->config.arena;
	const char *value = strchr(line, '=');
	char key[32];

	if (!value || value - line >= (int)sizeof(key))
		return false;
	(void)snprintf(key, sizeof(key), "%.*s", (int)(value - line), line);
	value = arena_copy(arena, value + 1);
	if (strcmp(key, "os") == 0)
		return fake_os(fake, value);
	if (strcmp(key, "pretty-name") == 0)
		fake->facts.tree.identity.pretty_name = value;
	else if (strcmp(key, "machine-id") == 0)
		fake->facts.tree.machine_id_state =
			parse_id128(value, fake->facts.tree.machine_id) == 0 ? MACHINE_ID_VALID
									     : MACHINE_ID_EMPTY;
	else if (strcmp(key, "term") == 0)
		fake->facts.term = value;
	else if (strcmp(key, "cgroup") == 0)
		fake->found.cgroup = *value ? value : NULL;
	else if (strcmp(key, "template") == 0) {
		fake->facts.template = fake->config.template;
		fake->facts.template_is_snapshot = strcmp(value, "snapshot") == 0;
	} else if (strcmp(key, "snapshot-directory") == 0)
		fake->facts.snapshot_directory = value;
	else if (strcmp(key, "name") == 0)
		fake->facts.machine = value; /* the one that is free */
	else if (strcmp(key, "node") == 0)
		return fake_node(fake, value);
	else if (strcmp(key, "unseen") == 0)
		*ARRAY_ADD(arena, &fake->found.unseen) =
			(struct explain_message){.sentence = value};
	else if (strcmp(key, "bound-user") == 0)
		fake_bound_user(fake, value);
	else if (strcmp(key, "owner") == 0)
		fake_owner(fake, value);
	else if (strcmp(key, "failure") == 0)
		*ARRAY_ADD(arena, &fake->found.failures) =
			(struct explain_message){.sentence = value};
	else
		return fake_ids(fake, key, value) || fake_flags(fake, key, value);
	return true;
}

/* As facts_locate(), without a look at any file. */
static inline void fake_locate(struct fake *fake)
{
	struct config *config = &fake->config;
	struct arena *arena = &config->arena;
	const char *named;

	fake->facts.directory =
		config->directory ? config->directory
		: config->machine ? arena_format(arena, "/var/lib/machines/%s", config->machine)
				  : "/srv/web";
	named = machine_name_from_path(arena, fake->facts.directory);
	if (!fake->facts.machine)
		fake->facts.machine = config->machine ? config->machine : named ? named : "web";
	/* As facts_look() does it: the number is shown as one that is not known yet. */
	if (config->ephemeral && !config->machine)
		fake->facts.machine =
			arena_format(arena, "%s-0000000000000000", fake->facts.machine);
}

static inline void fake_locks(struct fake *fake)
{
	struct arena *arena = &fake->config.arena;
	const char *tree = fake->facts.directory, *name = path_last(tree);

	fake->found.name_lock = arena_format(arena, "%s/%s/state.json", fake->facts.places.machines,
					     fake->facts.machine);
	if (!fake->config.locks)
		return;
	fake->found.tree_lock = arena_format(arena, "%.*s.#%s.lck", (int)(name - tree), tree, name);
	fake->found.inode_lock =
		arena_format(arena, "%s/inode-259:1234", fake->facts.places.inode_locks);
}

static inline int fake_ask(struct fake *fake, char *line)
{
	char *words[FAKE_WORDS_MAX + 1] = {NULL};
	struct strings split = {0}, copy = {0};
	int r, count;

	if (text_quoted_words(&fake->config.arena, line, &split) < 0)
		return -EINVAL;
	/* What comes before the program's own name is environment, for the reader. */
	for (size_t i = 0; i < split.count && i < FAKE_WORDS_MAX; i++)
		strings_add(&fake->config.arena, &copy, split.items[i]);
	count = (int)copy.count;
	for (int i = 0; i < count; i++)
		words[i] = arena_copy(&fake->config.arena, copy.items[i]);
	r = config_from_command_line(&fake->config, count, words);
	return r > 0 ? -ECANCELED : r;
}

static inline int fake_decide(struct fake *fake)
{
	struct config *config = &fake->config;

	TRY(config_merge(config, &fake->files));
	TRY(config_check(config));
	fake_locate(fake);
	fake->facts.host_files.etc_is_writable = !config->read_only ||
						 config->volatile_mode == VOLATILE_YES ||
						 config->volatile_mode == VOLATILE_OVERLAY;
	if (config->volatile_mode == VOLATILE_YES)
		fake->facts.tree.machine_id_state = MACHINE_ID_MISSING;
	fake->facts.journal.has_id = fake->facts.tree.machine_id_state == MACHINE_ID_VALID;
	fake_locks(fake);
	(void)plan_make(&config->arena, config, &fake->facts, &fake->plan);
	explain_make(&config->arena, &fake->plan, &fake->found, &fake->explanation);
	return 0;
}

/* The rest of the line that '*text' is at, which moves to the next one. */
static inline char *fake_line(char **text)
{
	char *line = *text, *end = line + strcspn(line, "\n");

	*text = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

/* A settings file, up to the line "[end]". */
static inline void fake_file(struct fake *fake, const char *heading, char **text)
{
	const char *path = strchr(heading, ' ') + 1;
	struct settings_source source = {
		.file = arena_copy_n(&fake->config.arena, path, strcspn(path, "]")),
		.is_trusted = text_has_prefix(heading, "[trusted "),
	};
	char *end = strstr(*text, "[end]\n");
	size_t length = end ? (size_t)(end - *text) : strlen(*text);

	settings_text_parse(&fake->config.arena, &source, *text, length, &fake->files);
	*text += length + (end ? strlen("[end]\n") : 0);
}

/*
 * Makes everything out of a case; 'text' is written to. What is said is collected in
 * fake->found. Returns 0 or a negative errno: there is no plan.
 */
static inline int fake_make(struct fake *fake, char *text)
{
	enum {
		NOTHING,
		COMMAND,
		ENVIRONMENT,
		FOUND
	} section = NOTHING;
	struct strings found = {0};
	char *command = NULL;
	struct arena *arena;

	fake_defaults(fake);
	arena = &fake->config.arena;
	fake->listener = (struct dry_run_listener){.arena = arena, .found = &fake->found};
	dry_run_listen(&fake->listener);
	while (*text) {
		char *line = fake_line(&text);

		if (strcmp(line, "[command]") == 0)
			section = COMMAND;
		else if (strcmp(line, "[environment]") == 0)
			section = ENVIRONMENT;
		else if (strcmp(line, "[found]") == 0)
			section = FOUND;
		else if (text_has_prefix(line, "[trusted ") || text_has_prefix(line, "[file "))
			fake_file(fake, line, &text);
		else if (section == COMMAND && *line)
			command = command ? arena_format(arena, "%s %s", command, line) : line;
		else if (section == ENVIRONMENT && text_has_prefix(line, "SYSTEMD_") &&
			 strchr(line, '='))
			(void)putenv(line);
		else if (section == FOUND && *line)
			strings_add(arena, &found, line);
	}
	if (!command)
		return -EINVAL;
	TRY(fake_ask(fake, command));
	for (size_t i = 0; i < found.count; i++)
		if (!fake_found(fake, found.items[i]))
			return -EINVAL;
	return fake_decide(fake);
}
