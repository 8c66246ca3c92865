/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads limits from the machine's groups and from all above: the smallest counts.
 * Zone: free.
 */
#include "control/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/output.h"
#include "control/request.h"
#include "host/places.h"
#include "host/registry.h"
#include "manager/cgroup-find.h"
#include "manager/resources.h"

/* Who says so, in the order in which groups are looked at, from the machine up. */
enum source {
	SOURCE_NONE,    /* nobody limits it */
	SOURCE_MACHINE, /* the machine itself, in the group that is its own */
	SOURCE_OPTION,  /* who started it */
	SOURCE_UNIT,    /* the group above, by its manager or anybody else */
	SOURCE_PARENT,  /* one above that */
};

static const char *const source_names[] = {
	[SOURCE_NONE] = "none", [SOURCE_MACHINE] = "machine", [SOURCE_OPTION] = "option",
	[SOURCE_UNIT] = "unit", [SOURCE_PARENT] = "parent",
};

struct found {
	bool has_controller;
	uint64_t value;
	enum source source;
	const char *group; /* directory of the one whose limit counts */
	bool has_current;
	uint64_t current;
};

/* --- Files --- */

static bool read_file(struct arena *arena, const char *group, const char *file, char **ret)
{
	auto_free char *text = NULL;
	auto_close int fd = cgroup_open(AT_FDCWD, group);

	if (fd < 0 || file_read(fd, file, 65536, &text, /* ret_length= */ NULL) < 0)
		return false;
	*ret = arena_copy(arena, text);
	return true;
}

/* The number behind 'key' at the begin of a line. */
static bool number_of_key(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strncmp(text, key, length) == 0 && text[length] == ' ')
			return sscanf(text + length, " %" SCNu64, ret) == 1;
	return false;
}

/* Bytes read and written, of all devices. */
static uint64_t sum_of_io(const char *text)
{
	static const char *const keys[] = {"rbytes=", "wbytes="};
	uint64_t sum = 0, number;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		for (const char *at = text; (at = strstr(at, keys[i]));) {
			at += strlen(keys[i]);
			if (sscanf(at, "%" SCNu64, &number) == 1)
				sum += number;
		}
	return sum;
}

static void look_at_current(struct arena *arena, const char *group, enum resource resource,
			    struct found *found)
{
	char *text;

	if (!read_file(arena, group, resource_kinds[resource].current, &text))
		return;
	if (resource == RESOURCE_IO_WEIGHT) {
		found->has_current = true;
		found->current = sum_of_io(text);
	} else if (resource == RESOURCE_CPUS) {
		found->has_current = number_of_key(text, "usage_usec", &found->current);
	} else {
		found->has_current = sscanf(text, "%" SCNu64, &found->current) == 1;
	}
}

/* Whether the value is the one that the machine was started with: a word of the attribute. */
static bool is_option(const char *group, enum resource resource, uint64_t value)
{
	auto_close int fd = cgroup_open(AT_FDCWD, group);
	char text[256] = " ", word[64];
	ssize_t length =
		fd < 0 ? -1 : fgetxattr(fd, RESOURCES_ATTRIBUTE, text + 1, sizeof(text) - 2);

	if (length < 0)
		return false;
	text[length + 1] = '\0';
	(void)snprintf(word, sizeof(word), " %s=%" PRIu64 " ", resource_kinds[resource].name,
		       value);
	return strstr(text, word);
}

static enum source source_of(const char *group, enum resource resource, size_t height,
			     uint64_t value)
{
	if (height == 0)
		return SOURCE_MACHINE;
	if (height > 1)
		return SOURCE_PARENT;
	return is_option(group, resource, value) ? SOURCE_OPTION : SOURCE_UNIT;
}

/*
 * From the payload's group up to the mount. A weight is not a limit: that of the machine counts
 * among its siblings, and is not looked for above.
 */
static void look_at(struct arena *arena, const char *payload, enum resource resource,
		    struct found *found)
{
	bool is_weight = resource == RESOURCE_IO_WEIGHT;
	char *group = arena_copy(arena, payload), *text, *slash;
	uint64_t value;

	*found = (struct found){.value = RESOURCE_UNLIMITED};
	for (size_t height = 0; height <= (is_weight ? 1 : SIZE_MAX - 1); height++) {
		auto_close int fd = cgroup_open(AT_FDCWD, group);

		if (fd < 0)
			break;
		if (!(is_weight && height == 0) &&
		    read_file(arena, group, resource_kinds[resource].file, &text) &&
		    resource_parse(resource, text, &value) == 0) {
			found->has_controller = true;
			if (value < found->value) {
				found->value = value;
				found->group = arena_copy(arena, group);
				found->source = source_of(group, resource, height, value);
			}
		}
		if (!found->has_current)
			look_at_current(arena, group, resource, found);
		slash = strrchr(group, '/');
		if (!slash || slash == group)
			break;
		*slash = '\0';
	}
}

/* --- Showing --- */

static const char *amount(struct arena *arena, enum resource resource, uint64_t value)
{
	static const char units[] = "BKMGTPE";
	double number = (double)value;
	size_t unit = 0;

	if (value == RESOURCE_UNLIMITED)
		return "infinity";
	if (resource == RESOURCE_CPUS)
		return arena_format(arena, "%.4g", number / 1e6);
	if (resource != RESOURCE_MEMORY)
		return arena_format(arena, "%" PRIu64, value);
	for (; number >= 1024 && units[unit + 1]; unit++)
		number /= 1024;
	return arena_format(arena, "%.4g%c", number, units[unit]);
}

static const char *use(struct arena *arena, enum resource resource, const struct found *found)
{
	if (!found->has_current)
		return "-";
	if (resource == RESOURCE_CPUS)
		return arena_format(arena, "%.1fs", (double)found->current / 1e6);
	return amount(arena, resource == RESOURCE_IO_WEIGHT ? RESOURCE_MEMORY : resource,
		      found->current);
}

static const char *origin(struct arena *arena, enum resource resource, const struct found *found,
			  const struct registry_entry *entry)
{
	if (!found->has_controller)
		return arena_format(arena, "no controller '%s'",
				    resource_kinds[resource].controller);
	switch (found->source) {
	case SOURCE_OPTION:
		return arena_format(arena, "option %s", resource_kinds[resource].setting);
	case SOURCE_UNIT:
		return entry->unit ? arena_format(arena, "unit %s", entry->unit)
				   : arena_format(arena, "group %s", found->group);
	case SOURCE_PARENT:
		return arena_format(arena, "group %s", found->group);
	case SOURCE_MACHINE:
		return "the machine itself";
	case SOURCE_NONE:
	default:
		return "-";
	}
}

static int print_text(struct arena *arena, const struct found found[_RESOURCE_COUNT],
		      const struct registry_entry *entry)
{
	(void)printf("%-9s  %-10s  %-10s  %s\n", "RESOURCE", "LIMIT", "USED", "FROM");
	for (int i = 0; i < _RESOURCE_COUNT; i++)
		(void)printf("%-9s  %-10s  %-10s  %s\n", resource_kinds[i].name,
			     found[i].has_controller
				     ? amount(arena, (enum resource)i, found[i].value)
				     : "-",
			     use(arena, (enum resource)i, &found[i]),
			     origin(arena, (enum resource)i, &found[i], entry));
	return output_flush();
}

/* Bytes, microseconds in a second, tasks; used: bytes, microseconds, tasks. */
static int print_json(const struct found found[_RESOURCE_COUNT], const struct registry_entry *entry,
		      enum output_form form)
{
	json_t *list = json_array();

	for (size_t i = 0; i < _RESOURCE_COUNT; i++) {
		const struct found *one = &found[i];
		bool is_limited = one->has_controller && one->value != RESOURCE_UNLIMITED;
		json_t *row = json_object();

		(void)json_object_set_new(row, "resource", json_string(resource_kinds[i].name));
		(void)json_object_set_new(row, "limit",
					  is_limited ? json_integer((json_int_t)one->value)
						     : json_null());
		(void)json_object_set_new(row, "used",
					  one->has_current ? json_integer((json_int_t)one->current)
							   : json_null());
		(void)json_object_set_new(row, "source",
					  json_string(one->has_controller
							      ? source_names[one->source]
							      : "no-controller"));
		if (one->group)
			(void)json_object_set_new(row, "group", json_string(one->group));
		if (one->source == SOURCE_UNIT && entry->unit)
			(void)json_object_set_new(row, "unit", json_string(entry->unit));
		(void)json_array_append_new(list, row);
	}
	return output_print_json(list, form);
}

static int show(struct arena *arena, const struct request *request)
{
	const char *machine = request->names.items[0];
	struct found found[_RESOURCE_COUNT];
	struct registry_entry entry;
	struct places places;

	if (request->names.count > 1)
		return refuse(EINVAL, "'limits' does not take '%s'", request->names.items[1]);
	TRY(places_find(arena, request->scope, &places));
	TRY(registry_find(arena, &places, machine, &entry));
	if (!entry.cgroup)
		return refuse(ENODATA, "Machine '%s' has no cgroup of its own", machine);
	for (int i = 0; i < _RESOURCE_COUNT; i++)
		look_at(arena, entry.cgroup, (enum resource)i, &found[i]);
	return request->form == OUTPUT_TEXT ? print_text(arena, found, &entry)
					    : print_json(found, &entry, request->form);
}

int control_limits(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct request request;
	int r = request_read_names(&arena, argc, argv, REQUEST_FORM, &request);

	if (r == 0)
		r = show(&arena, &request);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
