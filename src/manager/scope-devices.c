/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules of devices in a manager's words.
 * Zone: any.
 */
#include "manager/scope-devices.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"
#include "mount/device-facts.h"

#define TABLE_MAX_BYTES 65536

struct list {
	struct arena *arena;
	struct bus_writer *writer;
	char *table; /* text of /proc/devices, once it is needed */
};

static void put(struct list *list, const char *what, unsigned int access)
{
	char text[4] = "";

	(void)snprintf(text, sizeof(text), "%s%s%s", access & DEVICE_READ ? "r" : "",
		       access & DEVICE_WRITE ? "w" : "", access & DEVICE_MAKE ? "m" : "");
	bus_put_struct(list->writer);
	bus_put_text(list->writer, what);
	bus_put_text(list->writer, text);
}

/* "  7 loop" lines below "Block devices:"; NULL for a number that no driver has. */
static const char *name_of_major(struct list *list, bool is_block, unsigned int major)
{
	const char *at;
	unsigned int number;
	char name[64];

	if (!list->table && file_read(AT_FDCWD, "/proc/devices", TABLE_MAX_BYTES, &list->table,
				      /* ret_length= */ NULL) < 0)
		return NULL;
	at = strstr(list->table, is_block ? "Block devices:" : "Character devices:");
	for (at = at ? strchr(at, '\n') : NULL; at && at[1] && at[1] != '\n';
	     at = strchr(at + 1, '\n'))
		if (sscanf(at + 1, "%u %63s", &number, name) == 2 && number == major)
			return arena_copy(list->arena, name);
	return NULL;
}

static void put_rule(struct list *list, const struct device_rule *rule)
{
	const char *kind = rule->is_block ? "block" : "char", *last = "";

	if (rule->minor != DEVICE_ANY) {
		put(list,
		    arena_format(list->arena, "/dev/%s/%u:%u", kind, rule->major_first,
				 (unsigned int)rule->minor),
		    rule->access);
		return;
	}
	if (rule->major_first == 0 && rule->major_last == DEVICE_MAJOR_MAX) {
		put(list, arena_format(list->arena, "%s-*", kind), rule->access);
		return;
	}
	for (unsigned int major = rule->major_first; major <= rule->major_last; major++) {
		const char *name = name_of_major(list, rule->is_block, major);

		/* Pseudo-terminals have eight numbers and one name. */
		if (name && (major == rule->major_first || strcmp(name, last) != 0))
			put(list, arena_format(list->arena, "%s-%s", kind, name), rule->access);
		last = name ? name : last;
	}
}

void scope_put_devices(struct arena *arena, const struct device_rules *rules,
		       struct bus_writer *writer)
{
	struct list list = {arena, writer, NULL};
	auto_free char *table = NULL;
	struct bus_array array;

	bus_put_struct(writer);
	bus_put_text(writer, "DeviceAllow");
	bus_put_signature(writer, "a(ss)");
	array = bus_begin_array(writer, 8);
	for (size_t i = 0; i < rules->count; i++)
		put_rule(&list, &rules->items[i]);
	bus_end_array(writer, array);
	table = list.table;
}
