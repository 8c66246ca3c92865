/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine manager of the host (org.freedesktop.machine1(5)), asked over the bus about machines
 * that are not ours. Every wait is bounded by a second in all. Texts are put into the arena.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/output.h"
#include "image/os-release.h"
#include "manager/bus.h"

struct places;

#define MACHINED_NAME "org.freedesktop.machine1"
#define MACHINED_PATH "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"

/*
 * True if it knows of any machine: it keeps a file for each, so nobody is asked, or even started,
 * for nothing.
 */
bool machined_has_machines(const struct places *places);

/* Connects. Silent: a negative errno where there is none. */
int machined_open(struct arena *arena, const struct places *places, struct bus *ret);

/* A machine as ListMachines has it. */
struct machined_machine {
	const char *name, *class, *service, *path;
};

struct machined_machines {
	struct machined_machine *items;
	size_t count, room;
};

/* Silent, as the next three. */
int machined_list(struct arena *arena, struct bus *bus, struct machined_machines *ret);

/* -ESRCH: it knows none of this name. Only the path is filled in. */
int machined_find(struct arena *arena, struct bus *bus, const char *name, const char **ret_path);
int machined_os(struct arena *arena, struct bus *bus, const char *name, struct os_identity *ret);
int machined_addresses(struct arena *arena, struct bus *bus, const char *name, struct strings *ret);

/* One property, of a type that a cell can hold. */
struct property {
	const char *name;
	struct output_cell cell;
};

struct properties {
	struct property *items;
	size_t count, room;
};

/* All properties of the object at 'path' that 'interface' has. Silent. */
int machined_properties(struct arena *arena, struct bus *bus, const char *path,
			const char *interface, struct properties *ret);

/*
 * Calls a method of the manager that answers nothing of interest. Complains itself with what the
 * manager says, about the machine 'name'.
 */
int machined_call(struct bus *bus, const char *member, const char *signature,
		  const struct bus_writer *body, const char *name);
