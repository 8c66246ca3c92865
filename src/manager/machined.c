/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registers a machine, and takes that back.
 * Zone: owing.
 */
#include "manager/machined.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "manager/manager.h"
#include "manager/scope-properties.h"

#define MANAGER_NAME "org.freedesktop.machine1"

/* What another supervisor has just left of the name is gone as soon as the manager notices. */
#define NAME_PATIENCE_MSEC 1500
#define NAME_INTERVAL_MSEC 50

static struct bus_call call_of(const char *member, const char *signature)
{
	return (struct bus_call){
		.destination = MANAGER_NAME,
		.path = "/org/freedesktop/machine1",
		.interface = MANAGER_NAME ".Manager",
		.member = member,
		.signature = signature,
	};
}

/* --- Words --- */

static unsigned int digit_value(char digit)
{
	return (unsigned int)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void put_id(struct bus_writer *body, const char *id)
{
	struct bus_array array = bus_begin_array(body, 1);

	while (*id) {
		if (*id == '-') {
			id++;
			continue;
		}
		bus_put_byte(body, (uint8_t)(digit_value(id[0]) << 4 | digit_value(id[1])));
		id += 2;
	}
	bus_end_array(body, array);
}

static void put_interfaces(struct bus_writer *body, const struct machined_request *request)
{
	struct bus_array array = bus_begin_array(body, 4);

	for (size_t i = 0; i < request->interface_count; i++)
		bus_put_u32(body, (uint32_t)request->interfaces[i]);
	bus_end_array(body, array);
}

static void put_head(struct bus_writer *body, const char *name, const char *signature)
{
	bus_put_struct(body);
	bus_put_text(body, name);
	bus_put_signature(body, signature);
}

/* As "sa(sv)": what newer managers take, who cannot mistake the leader. */
static void put_properties(struct bus_writer *body, const struct machined_request *request)
{
	struct bus_array array;

	bus_put_text(body, request->machine);
	array = bus_begin_array(body, 8);
	put_head(body, "Id", "ay");
	put_id(body, request->id);
	scope_put_text(body, "Service", request->service);
	scope_put_text(body, "Class", "container");
	put_head(body, "LeaderPIDFD", "h");
	bus_put_u32(body, 0); /* the first descriptor that goes along */
	if (request->directory)
		scope_put_text(body, "RootDirectory", request->directory);
	if (request->interface_count > 0) {
		put_head(body, "NetworkInterfaces", "ai");
		put_interfaces(body, request);
	}
	bus_end_array(body, array);
}

/* As "sayssusai". */
static void put_fields(struct bus_writer *body, const struct machined_request *request)
{
	bus_put_text(body, request->machine);
	put_id(body, request->id);
	bus_put_text(body, request->service);
	bus_put_text(body, "container");
	bus_put_u32(body, (uint32_t)request->leader);
	bus_put_text(body, request->directory ? request->directory : "");
	put_interfaces(body, request);
}

/* --- Asking --- */

static int say(struct machined *machined, const struct machined_request *request, bool is_modern)
{
	struct bus_call call = is_modern ? call_of("RegisterMachineEx", "sa(sv)")
					 : call_of("RegisterMachineWithNetwork", "sayssusai");
	struct bus_writer body = {0};
	int r;

	if (is_modern) {
		call.fd_count = 1;
		put_properties(&body, request);
	} else {
		put_fields(&body, request);
	}
	bus_set_patience(machined->bus, MANAGER_PATIENCE_MSEC);
	r = bus_send(machined->bus, &call, &body, &request->leader_fd, &machined->serial);
	bus_writer_done(&body);
	return r;
}

static int open_own(struct arena *arena, struct machined *machined)
{
	const struct manager_place place = {
		.is_user = machined->is_user,
		.runtime = machined->runtime,
		.needs_bus = true,
	};

	bus_close(&machined->own);
	machined->bus = &machined->own;
	return manager_is_there(machined->is_user) ? manager_open(arena, &place, &machined->own)
						   : -ENOENT;
}

int machined_ask(struct arena *arena, struct machined *machined, struct bus *shared,
		 const struct machined_request *request)
{
	machined->serial = 0;
	if (shared && shared->fd >= 0)
		machined->bus = shared;
	else if (machined->bus != &machined->own || machined->own.fd < 0)
		TRY(open_own(arena, machined));
	if (say(machined, request, true) == 0)
		return 0;
	/* The bus was there for the boot before, and is another one now. */
	TRY(open_own(arena, machined));
	return say(machined, request, true);
}

static bool is_error(const struct bus_message *reply, const char *name)
{
	return strcmp(reply->error, name) == 0;
}

/* Managers that do not know a method, and buses that do not let it through to them. */
static bool is_unknown(const struct bus_message *reply)
{
	return is_error(reply, "org.freedesktop.DBus.Error.UnknownMethod") ||
	       is_error(reply, "org.freedesktop.DBus.Error.AccessDenied");
}

static bool is_nobody(const struct bus_message *reply)
{
	return is_error(reply, "org.freedesktop.DBus.Error.ServiceUnknown") ||
	       is_error(reply, "org.freedesktop.DBus.Error.NameHasNoOwner") ||
	       is_error(reply, "org.freedesktop.systemd1.NoSuchUnit") ||
	       is_error(reply, "org.freedesktop.systemd1.UnitMasked");
}

int machined_hear(struct arena *arena, struct machined *machined,
		  const struct machined_request *request, const char **ret_why)
{
	bool is_modern = true;

	*ret_why = NULL;
	for (int left = NAME_PATIENCE_MSEC;;) {
		struct bus_message reply = {0};
		int r = bus_await(machined->bus, machined->serial, &reply);

		if (r == 0)
			machined->machine = request->machine;
		if (r != -EREMOTEIO)
			return r;
		if (is_modern && is_unknown(&reply)) {
			is_modern = false;
		} else if (left > 0 && is_error(&reply, MANAGER_NAME ".MachineExists")) {
			left -= NAME_INTERVAL_MSEC;
			(void)usleep(NAME_INTERVAL_MSEC * 1000);
		} else {
			*ret_why = arena_copy(arena, bus_error_text(&reply));
			return is_nobody(&reply) ? -ENOENT : -EREMOTEIO;
		}
		TRY(say(machined, request, is_modern));
	}
}

/* --- The end --- */

static int say_farewell(struct machined *machined)
{
	const struct bus_call call = call_of("UnregisterMachine", "s");
	struct bus_writer body = {0};
	uint32_t serial;
	int r;

	bus_put_text(&body, machined->machine);
	bus_set_patience(machined->bus, MANAGER_PATIENCE_MSEC);
	r = machined->bus->fd < 0 ? -ENOTCONN
				  : bus_send(machined->bus, &call, &body, NULL, &serial);
	bus_writer_done(&body);
	return r;
}

void machined_leave(struct arena *arena, struct machined *machined)
{
	bool is_lost;
	int r;

	if (!machined->machine)
		return;
	r = say_farewell(machined);
	is_lost = r < 0;
	if (is_lost)
		r = open_own(arena, machined);
	if (r < 0)
		debug("The machine manager is not told of the end of machine '%s': %s",
		      machined->machine, strerror(-r));
	else if (is_lost)
		(void)say_farewell(machined);
	machined->machine = NULL;
}

void machined_close(struct machined *machined)
{
	bus_close(&machined->own);
	machined->bus = NULL;
}
