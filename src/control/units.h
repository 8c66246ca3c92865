/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn start, enable and disable: machines as services of the host's or the user's manager.
 * Zone: free.
 */
#pragma once

#include "base/arena.h"
#include "host/places.h"
#include "manager/bus.h"

/* Each: 'argv' is the verb and its words. Returns the program's exit status. */
int control_start(int argc, char **argv);
int control_enable(int argc, char **argv);
int control_disable(int argc, char **argv);

/* --- Between the verbs (units.c) --- */

/* The caller's manager; 'bus' starts as BUS_NONE. 0, or -ENOENT where there is none. Silent. */
int units_open(struct arena *arena, const struct places *places, struct bus *bus);

/* Whether all of them can be names of machines. Complains itself. */
int units_check_names(const struct strings *machines);

/* Starts, or stops, their units one after the other; complains for each and goes on. */
int units_start(struct arena *arena, struct bus *bus, const struct strings *machines, bool is_user);
int units_stop(struct arena *arena, struct bus *bus, const struct strings *machines);
