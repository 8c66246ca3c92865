/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn show: properties as KEY=VALUE, for scripts.
 * Zone: free.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/properties.h"
#include "control/request.h"
#include "control/running.h"

/* How machinectl(1) shows it where that is not as the type says. */
static bool is_time(const char *name)
{
	return strcmp(name, "Timestamp") == 0;
}

static const char *value_of(struct arena *arena, const struct property *property)
{
	const struct output_cell *cell = &property->cell;
	const char *text = "";

	switch (cell->kind) {
	case OUTPUT_A_NUMBER:
		if (is_time(property->name))
			return output_time(arena, (uint64_t)cell->number);
		return text_has_prefix(property->name, "Pool")
			       ? arena_format(arena, "%" PRIu64, (uint64_t)cell->number)
			       : arena_format(arena, "%" PRId64, cell->number);
	case OUTPUT_A_TRUTH:
		return cell->number ? "yes" : "no";
	case OUTPUT_A_TEXT:
		return escape_text(arena, cell->text);
	case OUTPUT_A_LIST:
	case OUTPUT_NUMBERS:
	case OUTPUT_LINES:
		for (size_t i = 0; i < cell->list.count; i++)
			text = arena_format(arena, "%s%s%s", text, i > 0 ? " " : "",
					    escape_text(arena, cell->list.items[i]));
		return text;
	case OUTPUT_NOTHING:
	default:
		return "";
	}
}

static bool is_asked(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->properties.count; i++)
		if (strcmp(request->properties.items[i], name) == 0)
			return true;
	return request->properties.count == 0;
}

static void print_properties(struct arena *arena, const struct request *request,
			     const struct properties *properties)
{
	for (size_t i = 0; i < properties->count; i++) {
		const struct property *property = &properties->items[i];
		const char *value = value_of(arena, property);

		if (!is_asked(request, property->name))
			continue;
		/* Who asks by name gets a line in any case. */
		if (!*value && !request->shows_all && request->properties.count == 0)
			continue;
		if (request->values_only)
			(void)puts(value);
		else
			(void)printf("%s=%s\n", escape_text(arena, property->name), value);
	}
}

static json_t *json_of(struct arena *arena, const struct request *request,
		       const struct properties *properties)
{
	json_t *object = json_object();

	for (size_t i = 0; i < properties->count; i++) {
		const struct property *property = &properties->items[i];

		if (is_asked(request, property->name))
			(void)json_object_set_new(object, property->name,
						  output_json(arena, &property->cell));
	}
	return object;
}

/* Prints one set of properties, or appends it to the list for JSON. */
static void present(struct arena *arena, const struct request *request,
		    const struct properties *properties, json_t *array)
{
	if (request->form != OUTPUT_TEXT) {
		(void)json_array_append_new(array, json_of(arena, request, properties));
		return;
	}
	print_properties(arena, request, properties);
}

static int show_machines(struct arena *arena, const struct request *request,
			 struct machines *machines, json_t *array)
{
	int result = 0, r;

	for (size_t i = 0; i < request->names.count; i++) {
		struct properties properties = {0};
		size_t known = machines->count;

		r = machines_add(machines, request->names.items[i]);
		if (r == 0)
			r = properties_of_machine(machines, &machines->items[known], &properties);
		if (r < 0) {
			result = r;
			continue;
		}
		if (i > 0 && request->form == OUTPUT_TEXT && !request->values_only)
			(void)putchar('\n');
		present(arena, request, &properties, array);
	}
	return result;
}

static int show(struct arena *arena, const struct request *request)
{
	struct properties properties = {0};
	json_t *array = json_array();
	struct places places;
	int r = places_find(arena, request->scope, &places), printed;
	auto_machines struct machines machines = machines_none(arena, &places);

	if (r == 0 && request->names.count > 0) {
		r = show_machines(arena, request, &machines, array);
	} else if (r == 0) {
		r = properties_of_manager(&machines, &properties);
		present(arena, request, &properties, array);
	}
	if (request->form == OUTPUT_TEXT) {
		json_decref(array);
		printed = output_flush();
	} else {
		printed = output_print_json(array, request->form);
	}
	return r < 0 ? r : printed;
}

int control_show(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct request request;
	int r = request_read(&arena, argc, argv, REQUEST_FORM | REQUEST_ALL | REQUEST_PROPERTIES,
			     &request);

	if (r == 0)
		r = show(&arena, &request);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
