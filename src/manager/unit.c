/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to org.freedesktop.systemd1(5).
 * Zone: free.
 */
#include "manager/unit.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "manager/bus-values.h"
#include "manager/job.h"
#include "manager/manager.h"

/* Longer than any unit of ours takes: what ends the waiting is the unit's own timeout. */
#define JOB_PATIENCE_MSEC (20 * 60 * 1000)
/* Generators run then, and all units are read. */
#define RELOAD_PATIENCE_MSEC (90 * 1000)

char *unit_of_machine(struct arena *arena, const char *machine)
{
	return arena_format(arena, "nspawn@%s.service", machine);
}

int unit_listen(struct bus *bus)
{
	static const struct bus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "AddMatch",
		.signature = "s",
	};
	__attribute__((cleanup(bus_writer_done))) struct bus_writer body = {0};
	struct bus_message reply;

	if (!*bus->name) /* on its own socket a manager says everything to everybody */
		return 0;
	bus_put_text(&body, JOB_RULE);
	return bus_call(bus, &call, &body, NULL, &reply);
}

/* A method of the manager. The answer stays readable until the next call. */
static int ask(struct arena *arena, struct bus *bus, const char *member, const char *signature,
	       const struct bus_writer *body, struct bus_message *ret_reply, const char **ret_why)
{
	const struct bus_call call = {
		.destination = *bus->name ? SERVICE_MANAGER_NAME : NULL,
		.path = SERVICE_MANAGER_PATH,
		.interface = SERVICE_MANAGER_INTERFACE,
		.member = member,
		.signature = signature,
	};
	int r;

	bus_set_patience(bus, MANAGER_PATIENCE_MSEC);
	r = bus_call(bus, &call, body, NULL, ret_reply);
	if (r == -EREMOTEIO)
		*ret_why = arena_copy(arena, bus_error_text(ret_reply));
	return r;
}

/* A property of the service, of that type; the answer stays readable until the next call. */
static int read_property(struct arena *arena, struct bus *bus, const char *unit,
			 const char *property, const char *type, struct bus_message *ret)
{
	__attribute__((cleanup(bus_writer_done))) struct bus_writer name = {0}, words = {0};
	const char *path, *signature, *why;
	struct bus_call call = {
		.destination = *bus->name ? SERVICE_MANAGER_NAME : NULL,
		.interface = "org.freedesktop.DBus.Properties",
		.member = "Get",
		.signature = "ss",
	};

	bus_put_text(&name, unit);
	TRY(ask(arena, bus, "GetUnit", "s", &name, ret, &why));
	TRY(bus_get_text(&ret->body, &path));
	call.path = arena_copy(arena, path);
	bus_put_text(&words, "org.freedesktop.systemd1.Service");
	bus_put_text(&words, property);
	TRY(bus_call(bus, &call, &words, NULL, ret));
	TRY(bus_get_signature(&ret->body, &signature));
	return strcmp(signature, type) == 0 ? 0 : -EPROTO;
}

/* A property of the service, "" if that cannot be told. */
static const char *text_of_service(struct arena *arena, struct bus *bus, const char *unit,
				   const char *property)
{
	struct bus_message reply;
	const char *text;

	if (read_property(arena, bus, unit, property, "s", &reply) < 0 ||
	    bus_get_text(&reply.body, &text) < 0)
		return "";
	return arena_copy(arena, text);
}

int unit_stop_timeout(struct arena *arena, struct bus *bus, const char *unit, uint64_t *ret_usec)
{
	struct bus_message reply;
	int64_t usec;

	TRY(read_property(arena, bus, unit, "TimeoutStopUSec", "t", &reply));
	TRY(bus_get_number(&reply.body, 't', &usec));
	*ret_usec = (uint64_t)usec;
	return 0;
}

/* Why it failed: in the service's own last words, else as the manager calls it. */
static const char *why_of_service(struct arena *arena, struct bus *bus, const char *unit)
{
	const char *result = text_of_service(arena, bus, unit, "Result");
	const char *status = text_of_service(arena, bus, unit, "StatusText");

	return strcmp(result, "exit-code") == 0 && text_has_prefix(status, UNIT_LAST_WORDS)
		       ? status + strlen(UNIT_LAST_WORDS)
		       : result;
}

static int do_job(struct arena *arena, struct bus *bus, const char *member, const char *unit,
		  const char **ret_why)
{
	__attribute__((cleanup(bus_writer_done))) struct bus_writer body = {0};
	struct bus_message reply;
	const char *job, *result;

	bus_put_text(&body, unit);
	bus_put_text(&body, "replace"); /* what is about to be done and says otherwise is off */
	TRY(ask(arena, bus, member, "ss", &body, &reply, ret_why));
	TRY(bus_get_text(&reply.body, &job));
	bus_set_patience(bus, JOB_PATIENCE_MSEC);
	TRY(job_await(bus, arena_copy(arena, job), &result));
	if (strcmp(result, "done") == 0)
		return 0;
	result = arena_copy(arena, result);
	*ret_why = strcmp(result, "failed") == 0 ? why_of_service(arena, bus, unit) : result;
	return -ECANCELED;
}

int unit_start(struct arena *arena, struct bus *bus, const char *unit, const char **ret_why)
{
	return do_job(arena, bus, "StartUnit", unit, ret_why);
}

int unit_stop(struct arena *arena, struct bus *bus, const char *unit, const char **ret_why)
{
	return do_job(arena, bus, "StopUnit", unit, ret_why);
}

static void put_units(struct bus_writer *body, const struct strings *units)
{
	struct bus_array array = bus_begin_array(body, 4);

	for (size_t i = 0; i < units->count; i++)
		bus_put_text(body, units->items[i]);
	bus_end_array(body, array);
	bus_put_u32(body, false); /* for good, not until the next boot */
}

static int change_links(struct arena *arena, struct bus *bus, const char *member,
			const char *signature, const struct bus_writer *body, const char **ret_why)
{
	static const struct bus_call reload = {.path = SERVICE_MANAGER_PATH,
					       .interface = SERVICE_MANAGER_INTERFACE,
					       .member = "Reload",
					       .signature = ""};
	const struct bus_writer nothing = {0};
	struct bus_call call = reload;
	struct bus_message reply;
	int r;

	TRY(ask(arena, bus, member, signature, body, &reply, ret_why));
	call.destination = *bus->name ? SERVICE_MANAGER_NAME : NULL;
	bus_set_patience(bus, RELOAD_PATIENCE_MSEC);
	r = bus_call(bus, &call, &nothing, NULL, &reply);
	if (r == -EREMOTEIO)
		*ret_why = arena_copy(arena, bus_error_text(&reply));
	return r;
}

int unit_enable(struct arena *arena, struct bus *bus, const struct strings *units,
		const char **ret_why)
{
	__attribute__((cleanup(bus_writer_done))) struct bus_writer body = {0};

	put_units(&body, units);
	bus_put_u32(&body, false); /* links of others stay */
	return change_links(arena, bus, "EnableUnitFiles", "asbb", &body, ret_why);
}

int unit_disable(struct arena *arena, struct bus *bus, const struct strings *units,
		 const char **ret_why)
{
	__attribute__((cleanup(bus_writer_done))) struct bus_writer body = {0};

	put_units(&body, units);
	return change_links(arena, bus, "DisableUnitFiles", "asb", &body, ret_why);
}
