/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn clean: removes what supervisors that were killed left behind, of all machines or of some.
 * Zone: owing.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/check.h"
#include "control/supervised.h"
#include "host/places.h"
#include "host/registry.h"
#include "run/cleanup.h"

static int clean_machine(const char *machine)
{
	struct config config = {0};
	int r;

	config_defaults(&config);
	config.machine = machine;
	r = cleanup(&config);
	arena_done(&config.arena);
	return r;
}

/* Each for itself: what cannot be removed is no reason to leave the rest. */
static int clean_all(struct arena *arena, const struct places *places)
{
	struct strings left = {0};
	int result = 0;

	TRY(registry_list_left(arena, places, &left));
	for (size_t i = 0; i < left.count; i++) {
		int r = clean_machine(left.items[i]);

		if (r < 0)
			result = r;
	}
	if (left.count == 0)
		note("No machine left anything behind");
	return result;
}

static int clean_some(int argc, char **argv)
{
	int result = 0;

	for (int i = 1; i < argc; i++) {
		int r = text_is_hostname(argv[i])
				? clean_machine(argv[i])
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
	return (argc > 1 ? clean_some(argc, argv) : clean_all(&arena, &places)) < 0 ? EXIT_FAILURE
										    : EXIT_SUCCESS;
}
