/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn wait: blocks until a machine is ready or over.
 * Zone: free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "control/door.h"
#include "control/output.h"
#include "control/supervised.h"
#include "host/places.h"

struct wait_request {
	const char *machine;
	const char *what; /* "ready" or "end" */
	bool is_json;
};

static int read_words(int argc, char **argv, struct wait_request *ret)
{
	ret->what = "end";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--ready") == 0 || strcmp(argv[i], "--end") == 0)
			ret->what = argv[i] + 2;
		else if (strcmp(argv[i], "--json") == 0)
			ret->is_json = true;
		else if (*argv[i] == '-' || ret->machine)
			return refuse(EINVAL, "'wait' does not take '%s'", argv[i]);
		else
			ret->machine = argv[i];
	}
	return ret->machine ? 0 : refuse(EINVAL, "'wait' needs the name of a machine");
}

static int ask(struct bus *bus, const struct registry_entry *entry, const char *what,
	       struct bus_message *ret_reply)
{
	static const struct bus_call call = {.member = "Wait", .signature = "s"};
	struct bus_writer body = {0};
	int r;

	bus_put_text(&body, what);
	bus_set_patience(bus, BUS_FOR_EVER);
	r = door_call(bus, entry, &call, &body, ret_reply);
	bus_writer_done(&body);
	return r;
}

static int print_json(const char *machine, const char *result, int status)
{
	return output_print_json(json_pack("{s:s, s:s, s:i}", "machine", machine, "result", result,
					   "status", status),
				 OUTPUT_JSON);
}

/* The machine's status, or a negative errno. */
static int wait_for(struct arena *arena, const struct wait_request *request)
{
	__attribute__((cleanup(bus_close))) struct bus bus = BUS_NONE;
	struct registry_entry entry;
	struct bus_message reply;
	struct places places;
	const char *result;
	uint32_t status;

	TRY(places_find(arena, SCOPE_AUTO, &places));
	TRY(registry_find(arena, &places, request->machine, &entry));
	TRY(door_open(&entry, &bus));
	TRY(ask(&bus, &entry, request->what, &reply));
	if (bus_get_text(&reply.body, &result) < 0 || bus_get_u32(&reply.body, &status) < 0)
		return fail(-EPROTO, "Cannot talk with the supervisor of machine '%s'",
			    request->machine);
	status &= 0xff;
	if (request->is_json)
		TRY(print_json(entry.machine, result, (int)status));
	if (strcmp(request->what, "ready") == 0 && strcmp(result, "ready") != 0)
		return refuse(ESRCH, "Machine '%s' ended before it was ready", request->machine);
	return (int)status;
}

int control_wait(int argc, char **argv)
{
	auto_arena struct arena arena = {0};
	struct wait_request request = {0};
	int r = read_words(argc, argv, &request);

	if (r == 0)
		r = wait_for(&arena, &request);
	return r < 0 ? EXIT_FAILURE : r;
}
