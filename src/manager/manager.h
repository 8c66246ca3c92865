/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the host's managers are reached: the bus of the system or of a user, and the service
 * manager's own socket beside it.
 * Zone: any. Silent, but for debug.
 */
#pragma once

#include <stdbool.h>

#include "manager/bus.h"

struct arena;

/* How long a manager may take to answer, all in all. */
#define MANAGER_PATIENCE_MSEC 5000

struct manager_place {
	bool is_user;        /* the user's, not the system's */
	const char *runtime; /* of the user, where the sockets are */
	bool needs_bus;      /* the service manager's own socket is no use */
};

/*
 * Whether it is worth asking: always for a user; for the system where systemd runs (sd_booted(3)),
 * or where $DBUS_SYSTEM_BUS_ADDRESS says who else is to be asked. One access(2).
 */
bool manager_is_there(bool is_user);

/* The bus that the environment names, else the usual one. In the arena, or static. */
const char *manager_bus_path(struct arena *arena, const struct manager_place *place);

/*
 * Connects to the bus first, as managers know by it who asks; else to the service manager's own
 * socket, where bus->name is empty. Returns 0 or a negative errno when nobody is there.
 */
int manager_open(struct arena *arena, const struct manager_place *place, struct bus *ret);
