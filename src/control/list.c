/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn list: one row for each machine that runs.
 * Zone: free.
 */
#include <stdlib.h>

#include "base/scope.h"
#include "control/probe.h"
#include "control/request.h"
#include "control/running.h"

/* clang-format off */
static const struct output_column columns[] = {
	{"MACHINE",   "machine",   false},
	{"CLASS",     "class",     false},
	{"SERVICE",   "service",   false},
	{"OS",        "os",        false},
	{"VERSION",   "version",   false},
	{"ADDRESSES", "addresses", false},
};
/* clang-format on */

/* The first of them; the last one tells by its mark that there are more. */
static struct output_cell addresses_cell(struct arena *arena, const struct strings *addresses,
					 uint32_t most)
{
	struct strings shown = {0};

	for (size_t i = 0; i < addresses->count && i < most; i++) {
		bool is_cut = i + 1 == most && addresses->count > most;

		strings_add(arena, &shown,
			    arena_format(arena, "%s%s", addresses->items[i], is_cut ? "…" : ""));
	}
	return output_lines(&shown);
}

static int list(struct arena *arena, const struct request *request)
{
	const struct output_style style = {
		.form = request->form,
		.has_no_legend = request->has_no_legend,
		.things = "machines",
		.thing = "machine",
	};
	struct output_table table = {
		.arena = arena,
		.columns = columns,
		.column_count = ARRAY_LEN(columns) - (request->addresses_max == 0),
	};
	uint32_t most = request->addresses_max;
	struct places places;

	/* Programs have room for all of them. As in systemd's JSON they are lines of one text. */
	if (request->form != OUTPUT_TEXT && most > 0)
		most = ADDRESSES_ALL;
	TRY(places_find(arena, request->scope, &places));
	auto_machines struct machines machines = machines_none(arena, &places);

	TRY(machines_add_all(&machines, request->shows_all));
	probe_machines(&machines, PROBE_OS | (most > 0 ? PROBE_ADDRESSES : 0));
	for (size_t i = 0; i < machines.count; i++) {
		const struct machine_view *machine = &machines.items[i];

		output_add(&table, (struct output_cell[]){
					   output_text(machine->name),
					   output_text(machine->class),
					   output_text(machine->service),
					   output_text(machine->os.id),
					   output_text(machine->os.version_id),
					   addresses_cell(arena, &machine->addresses, most),
				   });
	}
	return output_print(&table, &style);
}

int control_list(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct request request;
	int r = request_read_no_names(
		&arena, argc, argv, REQUEST_FORM | REQUEST_LEGEND | REQUEST_ALL | REQUEST_ADDRESSES,
		&request);

	if (r == 0)
		r = list(&arena, &request);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
