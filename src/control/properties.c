/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes properties out of the registry's entry, or asks the machine manager for them.
 * Zone: free.
 */
#include "control/properties.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/scope.h"

#define MACHINE_INTERFACE "org.freedesktop.machine1.Machine"
#define POOL_UNKNOWN (-1) /* all bits: nobody counts */

const struct output_cell *property_find(const struct properties *properties, const char *name)
{
	for (size_t i = 0; i < properties->count; i++)
		if (strcmp(properties->items[i].name, name) == 0)
			return &properties->items[i].cell;
	return NULL;
}

const char *property_text(const struct properties *properties, const char *name)
{
	const struct output_cell *cell = property_find(properties, name);

	return cell && cell->kind == OUTPUT_A_TEXT ? cell->text : "";
}

int64_t property_number(const struct properties *properties, const char *name)
{
	const struct output_cell *cell = property_find(properties, name);

	return cell && cell->kind == OUTPUT_A_NUMBER ? cell->number : 0;
}

static void add(struct arena *arena, struct properties *properties, const char *name,
		struct output_cell cell)
{
	*ARRAY_ADD(arena, properties) = (struct property){name, cell};
}

/* The same moment on the clock that does not jump, as far as the two agree today. */
static int64_t monotonic_of(uint64_t realtime_usec)
{
	struct timespec real, monotonic;
	int64_t ago;

	(void)clock_gettime(CLOCK_REALTIME, &real);
	(void)clock_gettime(CLOCK_MONOTONIC, &monotonic);
	ago = (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000 - (int64_t)realtime_usec;
	return (int64_t)monotonic.tv_sec * 1000000 + monotonic.tv_nsec / 1000 - ago;
}

static void add_of_entry(struct arena *arena, const struct machine_view *machine,
			 struct properties *ret)
{
	const struct registry_entry *entry = &machine->entry;
	struct strings interfaces = {0};

	for (size_t i = 0; i < entry->interfaces.count; i++)
		strings_add(arena, &interfaces,
			    arena_format(arena, "%d", entry->interfaces.items[i]));
	add(arena, ret, "Name", output_text(entry->machine));
	add(arena, ret, "Id", output_text(entry->uuid));
	add(arena, ret, "Timestamp", output_number((int64_t)entry->started_usec));
	add(arena, ret, "TimestampMonotonic", output_number(monotonic_of(entry->started_usec)));
	add(arena, ret, "Service", output_text(entry->service));
	add(arena, ret, "Unit", output_text(entry->unit));
	add(arena, ret, "Leader", output_number(entry->leader));
	add(arena, ret, "Supervisor", output_number(entry->supervisor));
	add(arena, ret, "Class", output_text(machine->class));
	add(arena, ret, "RootDirectory", output_text(entry->tree));
	add(arena, ret, "NetworkInterfaces", output_numbers(&interfaces));
	add(arena, ret, "Ports", output_list(&entry->ports));
	add(arena, ret, "HostPorts", output_list(&entry->host_ports));
	add(arena, ret, "State", output_text(machine->pidfd >= 0 ? "running" : "closing"));
	add(arena, ret, "UID", output_number(machines_uid(entry)));
	/* These are our own. */
	add(arena, ret, "UIDShift", output_number(entry->shift));
	add(arena, ret, "ControlGroup", output_text(entry->cgroup));
	add(arena, ret, "Start", output_text(entry->start));
	add(arena, ret, "Init", output_text(entry->init));
	add(arena, ret, "Ready", output_truth(entry->is_ready));
	add(arena, ret, "Status", output_text(entry->status));
}

static void add_of_host(struct arena *arena, struct properties *ret)
{
	add(arena, ret, "Name", output_text(MACHINE_OF_HOST));
	add(arena, ret, "Leader", output_number(1));
	add(arena, ret, "Class", output_text("host"));
	add(arena, ret, "RootDirectory", output_text("/"));
	add(arena, ret, "State", output_text("running"));
}

int properties_of_machine(struct machines *machines, const struct machine_view *machine,
			  struct properties *ret)
{
	int r = 0;

	if (machine->is_ours)
		add_of_entry(machines->arena, machine, ret);
	else if (machine->is_host)
		add_of_host(machines->arena, ret);
	else
		r = machined_properties(machines->arena, &machines->bus, machine->path,
					MACHINE_INTERFACE, ret);
	if (r < 0)
		return fail(r, "Cannot ask the machine manager about '%s'", machine->name);
	return 0;
}

int properties_of_manager(struct machines *machines, struct properties *ret)
{
	struct arena *arena = machines->arena;

	if (machined_has_machines(machines->places) &&
	    machined_open(machines->arena, machines->places, &machines->bus) == 0 &&
	    machined_properties(arena, &machines->bus, MACHINED_PATH, MACHINED_MANAGER, ret) == 0)
		return 0;
	add(arena, ret, "PoolPath", output_text(machines->places->image_home));
	add(arena, ret, "PoolUsage", output_number(POOL_UNKNOWN));
	add(arena, ret, "PoolLimit", output_number(POOL_UNKNOWN));
	return 0;
}
