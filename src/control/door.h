/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A verb's way to the supervisor of a machine (run/control.h).
 * Zone: free.
 */
#pragma once

#include "host/registry.h"
#include "manager/bus.h"

/* How long a supervisor may take for an answer that needs nothing but itself. */
#define DOOR_PATIENCE_MSEC 5000

/* Connects. Complains itself. The caller ends *ret with bus_close(). */
int door_open(const struct registry_entry *entry, struct bus *ret);

/*
 * Calls a method of the machine and waits for its answer, which stays readable until the next call.
 * Complains itself: -EREMOTEIO if the supervisor declined, -ECONNRESET if it is gone.
 */
int door_call(struct bus *bus, const struct registry_entry *entry, const struct bus_call *call,
	      const struct bus_writer *body, struct bus_message *ret_reply);
