/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tries the known places of buses, in order.
 * Zone: any.
 */
#include "manager/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"

/* The path in "unix:path=/x,guid=…", the only kind that names a socket of this machine; or NULL. */
static const char *path_of_address(struct arena *arena, const char *address)
{
	static const char begin[] = "unix:path=";

	if (!address || !text_has_prefix(address, begin))
		return NULL;
	address += strlen(begin);
	return arena_copy_n(arena, address, strcspn(address, ",;"));
}

static const char *named_address(bool is_user)
{
	return getenv(is_user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
}

bool manager_is_there(bool is_user)
{
	return is_user || named_address(is_user) || access("/run/systemd/system", F_OK) == 0;
}

static const char *usual_bus(struct arena *arena, const struct manager_place *place)
{
	return place->is_user ? arena_format(arena, "%s/bus", place->runtime)
			      : "/run/dbus/system_bus_socket";
}

const char *manager_bus_path(struct arena *arena, const struct manager_place *place)
{
	const char *named = path_of_address(arena, named_address(place->is_user));

	return named ? named : usual_bus(arena, place);
}

int manager_open(struct arena *arena, const struct manager_place *place, struct bus *ret)
{
	const struct {
		const char *path;
		bool is_bus;
	} places[] = {
		{path_of_address(arena, named_address(place->is_user)), true},
		{usual_bus(arena, place), true},
		{place->needs_bus ? NULL
		 : place->is_user ? arena_format(arena, "%s/systemd/private", place->runtime)
				  : "/run/systemd/private",
		 false},
	};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!places[i].path)
			continue;
		r = bus_open(places[i].path, places[i].is_bus, MANAGER_PATIENCE_MSEC, ret);
		if (r == 0)
			return 0;
		debug("No manager is reached by '%s': %s", places[i].path, strerror(-r));
	}
	return r;
}
