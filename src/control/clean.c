/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn clean: removes what supervisors that were killed left behind, of all machines or of some.
 * Zone: owing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/check.h"
#include "control/supervised.h"
#include "host/places.h"
#include "host/registry.h"
#include "manager/cgroup.h"
#include "run/cleanup.h"

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
	return 0;
}

/* What is only known by where the machine's tree was, and by its name. */
static int clean_machine(const struct places *places, const char *machine)
{
	struct config config = {0};
	struct registry_entry entry;
	int r = 0, group = 0;

	config_defaults(&config);
	config.machine = machine;
	if (registry_read_left(&config.arena, places, machine, &entry) == 0) {
		group = clean_group(&config.arena, &entry);
		config.directory = access(entry.tree, F_OK) == 0 ? entry.tree : NULL;
	}
	r = cleanup(&config);
	arena_done(&config.arena);
	return r < 0 ? r : group;
}

/* Each for itself: what cannot be removed is no reason to leave the rest. */
static int clean_all(struct arena *arena, const struct places *places)
{
	struct strings left = {0};
	int result = 0;

	TRY(registry_list_left(arena, places, &left));
	for (size_t i = 0; i < left.count; i++) {
		int r = clean_machine(places, left.items[i]);

		if (r < 0)
			result = r;
	}
	if (left.count == 0)
		note("No machine left anything behind");
	return result;
}

static int clean_some(const struct places *places, int argc, char **argv)
{
	int result = 0;

	for (int i = 1; i < argc; i++) {
		int r = text_is_hostname(argv[i])
				? clean_machine(places, argv[i])
				: refuse(EINVAL, "'%s' is not a valid machine name", argv[i]);

		if (r < 0)
			result = r;
	}
	return result;
}

int control_clean(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct places places;

	for (int i = 1; i < argc; i++)
		if (*argv[i] == '-') {
			(void)refuse(EINVAL, "'clean' does not take '%s'", argv[i]);
			return EXIT_FAILURE;
		}
	if (places_find(&arena, SCOPE_AUTO, &places) < 0)
		return EXIT_FAILURE;
	return (argc > 1 ? clean_some(&places, argc, argv) : clean_all(&arena, &places)) < 0
		       ? EXIT_FAILURE
		       : EXIT_SUCCESS;
}
