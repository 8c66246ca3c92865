/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds machines by their registry, and by the machine manager where it knows others.
 * Zone: free.
 */
#include "control/machines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"

void machines_done(struct machines *machines)
{
	for (size_t i = 0; i < machines->count; i++)
		scope_close(&machines->items[i].pidfd);
	machines->count = 0;
	bus_close(&machines->bus);
}

struct machines machines_none(struct arena *arena, const struct places *places)
{
	return (struct machines){.arena = arena, .places = places, .bus = BUS_NONE};
}

static struct machine_view *add(struct machines *machines)
{
	struct machine_view *view = ARRAY_ADD(machines->arena, machines);

	view->pidfd = -EBADF;
	view->class = "container";
	return view;
}

static void add_ours(struct machines *machines, const struct registry_entry *entry)
{
	struct machine_view *view = add(machines);

	view->is_ours = true;
	view->name = entry->machine;
	view->service = entry->service;
	view->entry = *entry;
	/* Without one it has ended, and only its supervisor is still there. */
	(void)registry_leader(entry, &view->pidfd);
}

static void add_foreign(struct machines *machines, const struct machined_machine *its)
{
	struct machine_view *view = add(machines);

	view->name = its->name;
	view->class = its->class;
	view->service = its->service;
	view->path = its->path;
}

static void add_host(struct machines *machines)
{
	struct machine_view *view = add(machines);

	view->name = MACHINE_OF_HOST;
	view->is_host = true;
	view->class = "host";
	view->service = "";
}

static bool is_there(const struct machines *machines, const char *name)
{
	for (size_t i = 0; i < machines->count; i++)
		if (strcmp(machines->items[i].name, name) == 0)
			return true;
	return false;
}

/* Connects once. Silent. */
static int open_bus(struct machines *machines)
{
	if (machines->bus.fd >= 0)
		return 0;
	if (!machined_has_machines(machines->places))
		return -ENOENT;
	return machined_open(machines->arena, machines->places, &machines->bus);
}

/* Its list, but for those of ours that are registered there. */
static void add_all_foreign(struct machines *machines)
{
	struct machined_machines list = {0};
	int r = open_bus(machines);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return;
	if (r == 0)
		r = machined_list(machines->arena, &machines->bus, &list);
	if (r < 0)
		warn(r == -EREMOTEIO ? 0 : r,
		     "The machine manager does not say which machines it has, showing only ours");
	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (text_is_hostname(list.items[i].name) && !is_there(machines, list.items[i].name))
			add_foreign(machines, &list.items[i]);
}

static int compare_views(const void *left, const void *right)
{
	const struct machine_view *one = left, *other = right;

	return strcmp(one->name, other->name);
}

int machines_add_all(struct machines *machines, bool with_host)
{
	struct registry_entry *entries;
	size_t count;

	TRY(registry_list(machines->arena, machines->places, &entries, &count));
	if (with_host)
		add_host(machines);
	for (size_t i = 0; i < count; i++)
		add_ours(machines, &entries[i]);
	add_all_foreign(machines);
	if (machines->count > 0)
		qsort(machines->items, machines->count, sizeof(*machines->items), compare_views);
	return 0;
}

/* 1: it is the manager's, and added. 0: nobody's. */
static int add_by_manager(struct machines *machines, const char *name)
{
	struct machined_machine found = {.name = name, .class = "container", .service = ""};
	int r = open_bus(machines);

	if (r == 0)
		r = machined_find(machines->arena, &machines->bus, name, &found.path);
	if (r == 0)
		add_foreign(machines, &found);
	return r == 0;
}

/* Whether the name is that of a machine in our own registry, about to start perhaps. */
static bool is_ours(const struct machines *machines, const char *name)
{
	return text_is_hostname(name) &&
	       registry_look(registry_directory(machines->arena, machines->places, name)) == 0;
}

int machines_add(struct machines *machines, const char *name)
{
	struct registry_entry entry;

	if (strcmp(name, MACHINE_OF_HOST) == 0) {
		add_host(machines);
		return 0;
	}
	if (!is_ours(machines, name) && text_is_hostname(name) && add_by_manager(machines, name))
		return 0;
	TRY(registry_find(machines->arena, machines->places, name, &entry));
	add_ours(machines, &entry);
	return 0;
}

int machines_add_names(struct machines *machines, const struct strings *names)
{
	int result = 0, r;

	for (size_t i = 0; i < names->count; i++) {
		r = is_there(machines, names->items[i]) ? 0
							: machines_add(machines, names->items[i]);
		result = r < 0 ? r : result;
	}
	return result;
}

uid_t machines_uid(const struct registry_entry *entry)
{
	struct stat status;

	return stat(entry->directory, &status) == 0 ? status.st_uid : 0;
}
