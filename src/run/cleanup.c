/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removes what a killed supervisor left behind.
 * Zone: owing; what it owes are the locks it takes.
 */
#include "run/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "base/undo.h"
#include "config/config.h"
#include "host/locks.h"
#include "host/registry.h"
#include "image/find.h"
#include "manager/cgroup.h"
#include "mount/exchange.h"
#include "net/net-apply.h"
#include "net/net-find.h"
#include "run/console-log.h"
#include "run/facts.h"
#include "run/journal-remote.h"
#include "run/run-network.h"

/* Of what the machine manager knows of a machine, as NAME=VALUE lines. */
#define REGISTRY_BYTES_MAX 65536

/* The tree that a name would be found with, or NULL: it may be gone, and then has no locks. */
static const char *find_tree(struct arena *arena, const struct places *places, const char *machine)
{
	struct stat status;

	for (size_t i = 0; places->images[i]; i++) {
		const char *path = arena_format(arena, "%s/%s", places->images[i], machine);
		auto_free char *resolved = realpath(path, NULL);

		if (resolved && stat(resolved, &status) == 0 && S_ISDIR(status.st_mode))
			return arena_copy(arena, resolved);
	}
	return NULL;
}

static int locate(struct config *config, struct facts *facts)
{
	if (!config->machine || config->directory)
		return facts_locate(config, facts);
	TRY(places_find(&config->arena, config->scope, &facts->places));
	facts->machine = config->machine;
	facts->directory = find_tree(&config->arena, &facts->places, config->machine);
	return 0;
}

/*
 * systemd-nspawn uses the same directories and does not know our locks. What it runs is known to
 * the machine manager in most cases.
 */
static bool is_registered(struct arena *arena, const struct places *places, const char *machine)
{
	const char *path = arena_format(arena, "%s/%s", places->registry, machine);
	auto_free char *text = NULL;
	struct strings lines = {0};
	uint32_t leader;

	if (file_read(AT_FDCWD, path, REGISTRY_BYTES_MAX, &text, NULL) < 0)
		return false;
	text_words(arena, text, "\n", &lines);
	for (size_t i = 0; i < lines.count; i++)
		if (text_has_prefix(lines.items[i], "LEADER=") &&
		    parse_u32(lines.items[i] + strlen("LEADER="), &leader) == 0 && leader > 1)
			return kill((pid_t)leader, 0) == 0;
	return false;
}

/*
 * The directory of its runtime files goes with the lock that is taken in it. The log of its console
 * is kept, as of a machine that has ended by itself.
 */
static bool find_directory(struct config *config, const struct facts *facts)
{
	const struct places *places = &facts->places;
	const char *directory;

	directory = registry_directory(&config->arena, places, facts->machine);
	if (registry_look(directory) != -ESRCH || access(directory, F_OK) < 0)
		return false;
	console_log_keep(places, directory, facts->machine);
	return true;
}

/* From here on nobody starts a machine of that name, until 'undo' runs and the file goes. */
static int lock_name(struct config *config, const struct facts *facts, struct locks *locks,
		     struct undo *undo)
{
	const char *machine = facts->machine;
	const struct lock_request request = {
		.machine = machine,
		.is_quiet_if_busy = true,
		.places = &facts->places,
	};
	int r = locks_take(locks, &request, undo);

	if (r == 0 && is_registered(&config->arena, &facts->places, machine))
		r = -EBUSY;
	if (r == -EBUSY) {
		(void)refuse(EBUSY, "Machine '%s' is running: nothing of it is left over", machine);
		hint("Stop it first; --cleanup is for a machine whose nspawn was killed");
	}
	return r;
}

/* A lock that is taken and released takes its file along, whoever made it. */
static int clean_tree_locks(const struct config *config, const struct facts *facts,
			    struct locks *locks, struct undo *undo)
{
	const char *tree = facts->directory;
	const struct lock_request request = {
		.tree = tree,
		.places = &facts->places,
		.tree_is_shared = true, /* enough, and possible where nothing can be written */
		.is_quiet_if_busy = true,
	};
	int r;

	if (!tree || !config->locks || access(tree, F_OK) < 0)
		return 0;
	r = locks_take(locks, &request, undo);
	if (r == -EBUSY)
		debug("Tree '%s' is in use by another machine, which needs its locks", tree);
	return r == -EBUSY ? 0 : r;
}

static int clean_cgroup(struct arena *arena, const char *machine)
{
	__attribute__((cleanup(cgroup_place_done))) struct cgroup_place place = {.own_fd = -EBADF};
	int r = cgroup_probe(arena, &place);

	if (r != 0)
		return r < 0 ? fail(r, "Cannot find our own cgroup") : 0;
	r = cgroup_clean(&place, machine);
	if (r < 0)
		return fail(r, "Cannot remove the cgroup of machine '%s' in '%s'", machine,
			    place.directory);
	if (r > 0)
		note("Removed the cgroup of machine '%s' in '%s'", machine, place.directory);
	return r;
}

/*
 * Where its group was, which need not be below ours: the payload's, in one that bears the machine's
 * name. A group that a manager made goes with it.
 */
static int clean_group(struct arena *arena, const struct registry_entry *entry)
{
	__attribute__((cleanup(cgroup_place_done))) struct cgroup_place place = {.own_fd = -EBADF};
	const char *end = arena_format(arena, "/nspawn-%s/payload", entry->machine);
	size_t length = entry->cgroup ? strlen(entry->cgroup) : 0, end_length = strlen(end);
	int r;

	if (length <= end_length || strcmp(entry->cgroup + length - end_length, end) != 0)
		return 0;
	place.directory = arena_copy_n(arena, entry->cgroup, length - end_length);
	place.own_fd = cgroup_open(AT_FDCWD, place.directory);
	if (place.own_fd < 0)
		return 0;
	r = cgroup_clean(&place, entry->machine);
	if (r < 0)
		return fail(r, "Cannot remove the cgroup of machine '%s' in '%s'", entry->machine,
			    place.directory);
	if (r > 0)
		note("Removed the cgroup of machine '%s' in '%s'", entry->machine, place.directory);
	return r;
}

/* Those that the caller names, and all that get their names from us: nobody says which it had. */
static bool clean_links(const struct config *config, const char *machine)
{
	struct config assumed = *config;
	struct net_facts facts = {.may_make_links = true};
	struct net_plan plan;
	bool has_removed;

	assumed.network_veth = true;
	net_facts_gather(&assumed, &facts);
	has_removed = net_plan_make(&assumed.arena, &assumed, machine, &facts, &plan) == 0 &&
		      net_clean(&plan) > 0;
	net_plan_assume(&assumed.arena, machine, &facts, &plan);
	if (net_clean(&plan) > 0)
		has_removed = true;
	if (has_removed)
		note("Removed links of machine '%s'", machine);
	return has_removed;
}

/*
 * What the one who was killed had noted is still in the file whose lock we have now, and what is
 * only known by where the machine's tree was goes too.
 */
static void learn(struct config *config, struct facts *facts, struct registry_entry *entry)
{
	if (registry_read_left(&config->arena, &facts->places, facts->machine, entry) < 0)
		*entry = (struct registry_entry){.machine = facts->machine};
	else if (!facts->directory && access(entry->tree, F_OK) == 0)
		facts->directory = entry->tree;
}

int cleanup(struct config *config)
{
	auto_undo struct undo undo = {0};
	struct locks locks = {0}, tree_locks = {0};
	struct facts facts = {0};
	struct exchange exchange;
	struct registry_entry entry = {0};
	int removed, group, journal, r;
	bool links, had_directory;

	TRY(locate(config, &facts));
	TRY(places_make(&facts.places, &undo));
	had_directory = find_directory(config, &facts);
	TRY(lock_name(config, &facts, &locks, &undo));
	learn(config, &facts, &entry);
	exchange_name(&config->arena, &facts.places, facts.machine, &exchange);
	/* Each for itself: what cannot be removed is no reason to leave the rest. */
	removed = exchange_clean(&exchange);
	group = clean_group(&config->arena, &entry);
	if (group >= 0)
		group |= clean_cgroup(&config->arena, facts.machine);
	journal = journal_remote_clean(&config->arena, &facts.places, facts.machine);
	run_sweep_ports(&entry);
	links = clean_links(config, facts.machine);
	r = clean_tree_locks(config, &facts, &tree_locks, &undo);
	if (had_directory)
		note("Removed the runtime directory of machine '%s'", facts.machine);
	if (journal > 0)
		note("Removed the journal's socket of machine '%s'", facts.machine);
	if (removed == 0 && group == 0 && journal == 0 && !links && !had_directory && r == 0)
		note("Machine '%s' left nothing behind", facts.machine);
	return removed < 0 ? removed : group < 0 ? group : journal < 0 ? journal : r;
}
