/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registers a machine, and takes that back.
 *
 * Managers newer than systemd 257 have a call with which no leader is mistaken. Which one this
 * is would be a question more, and the older call would wait for its answer: so both are said at
 * once. A manager that knows the new words answers the old ones that there is such a machine.
 * Zone: owing.
 */
#include "manager/machined.h"

#include <errno.h>
#include <signal.h>
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

#define FAREWELL_PATIENCE_MSEC 1000

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

static int say_new(struct machined *machined, const struct machined_request *request)
{
	struct bus_call call = call_of("RegisterMachineEx", "sa(sv)");
	struct bus_writer body = {0};
	int r;

	call.fd_count = 1;
	put_properties(&body, request);
	r = bus_send(machined->bus, &call, &body, &request->leader_fd, &machined->serial);
	bus_writer_done(&body);
	return r;
}

static int say_old(struct machined *machined, const struct machined_request *request)
{
	const struct bus_call call = call_of("RegisterMachineWithNetwork", "sayssusai");
	struct bus_writer body = {0};
	int r;

	put_fields(&body, request);
	r = bus_send(machined->bus, &call, &body, NULL, &machined->old_serial);
	bus_writer_done(&body);
	return r;
}

static int say(struct machined *machined, const struct machined_request *request)
{
	bus_set_patience(machined->bus, MANAGER_PATIENCE_MSEC);
	TRY(say_new(machined, request));
	(void)say_old(machined, request); /* who hung up meanwhile is noticed by hearing */
	return 0;
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
	if (say(machined, request) == 0)
		return 0;
	/* The bus was there for the boot before, and is another one now. */
	TRY(open_own(arena, machined));
	return say(machined, request);
}

static bool is_nobody(const char *error)
{
	return strcmp(error, "org.freedesktop.DBus.Error.ServiceUnknown") == 0 ||
	       strcmp(error, "org.freedesktop.DBus.Error.NameHasNoOwner") == 0 ||
	       strcmp(error, "org.freedesktop.systemd1.NoSuchUnit") == 0 ||
	       strcmp(error, "org.freedesktop.systemd1.UnitMasked") == 0;
}

/* "v" with a "u" in it. */
static int get_number(struct bus_message *reply, uint32_t *ret)
{
	const char *signature;

	TRY(bus_get_signature(&reply->body, &signature));
	return strcmp(signature, "u") == 0 ? bus_get_u32(&reply->body, ret) : -EPROTO;
}

/* Whether the process 1 of the machine of that name is gone. */
static int is_dead(struct arena *arena, struct machined *machined, const char *machine)
{
	struct bus_call call = call_of("GetMachine", "s");
	struct bus_writer name = {0}, property = {0};
	struct bus_message reply;
	const char *path;
	uint32_t leader;
	int r;

	bus_put_text(&name, machine);
	r = bus_call(machined->bus, &call, &name, NULL, &reply);
	bus_writer_done(&name);
	TRY(r);
	TRY(bus_get_text(&reply.body, &path));
	call = call_of("Get", "ss");
	call.path = arena_copy(arena, path);
	call.interface = "org.freedesktop.DBus.Properties";
	bus_put_text(&property, MANAGER_NAME ".Machine");
	bus_put_text(&property, "Leader");
	r = bus_call(machined->bus, &call, &property, NULL, &reply);
	bus_writer_done(&property);
	TRY(r);
	TRY(get_number(&reply, &leader));
	return leader == 0 || (kill((pid_t)leader, 0) < 0 && errno == ESRCH);
}

/*
 * A killed supervisor could not take its machine back, and in a unit that was started again since
 * a manager thinks that it runs.
 */
static void take_back_dead(struct arena *arena, struct machined *machined, const char *machine)
{
	const struct bus_call call = call_of("UnregisterMachine", "s");
	struct bus_writer body = {0};
	struct bus_message reply;

	if (is_dead(arena, machined, machine) <= 0)
		return;
	bus_put_text(&body, machine);
	(void)bus_call(machined->bus, &call, &body, NULL, &reply); /* asking again will tell */
	bus_writer_done(&body);
}

struct verdict {
	bool is_registered;
	const char *error, *text; /* of the older call, which every manager knows */
};

/* Both answers, in whatever order they come: one that is left over could come after the farewell.
 */
static int hear_both(struct arena *arena, struct machined *machined, struct verdict *ret)
{
	struct verdict verdict = {.error = "", .text = ""};

	for (int left = 2; left > 0;) {
		struct bus_message reply;
		bool is_old;

		TRY(bus_next(machined->bus, &reply));
		is_old = reply.reply_serial == machined->old_serial;
		if (!is_old && reply.reply_serial != machined->serial)
			continue;
		left--;
		verdict.is_registered = verdict.is_registered || reply.type == BUS_REPLY;
		if (is_old && reply.type == BUS_ERROR) {
			verdict.error = arena_copy(arena, reply.error);
			verdict.text = arena_copy(arena, bus_error_text(&reply));
		}
	}
	*ret = verdict;
	return 0;
}

int machined_hear(struct arena *arena, struct machined *machined,
		  const struct machined_request *request, const char **ret_why)
{
	*ret_why = NULL;
	for (int left = NAME_PATIENCE_MSEC;; left -= NAME_INTERVAL_MSEC) {
		struct verdict verdict;
		bool is_taken;

		TRY(hear_both(arena, machined, &verdict));
		if (verdict.is_registered) {
			machined->machine = request->machine;
			return 0;
		}
		is_taken = strcmp(verdict.error, MANAGER_NAME ".MachineExists") == 0;
		if (!is_taken || left <= 0) {
			*ret_why = verdict.text;
			return is_taken ? -EEXIST : is_nobody(verdict.error) ? -ENOENT : -EREMOTEIO;
		}
		if (left < NAME_PATIENCE_MSEC)
			(void)usleep(NAME_INTERVAL_MSEC * 1000);
		take_back_dead(arena, machined, request->machine);
		TRY(say(machined, request));
	}
}

/* --- The end --- */

static int say_farewell(struct machined *machined)
{
	const struct bus_call call = call_of("UnregisterMachine", "s");
	struct bus_writer body = {0};
	int r;

	if (machined->bus->fd < 0)
		return -ENOTCONN;
	bus_put_text(&body, machined->machine);
	bus_set_patience(machined->bus, MANAGER_PATIENCE_MSEC);
	r = bus_send(machined->bus, &call, &body, NULL, &machined->farewell);
	bus_writer_done(&body);
	return r;
}

void machined_leave(struct arena *arena, struct machined *machined)
{
	int r;

	if (!machined->machine)
		return;
	r = say_farewell(machined);
	if (r < 0) {
		r = open_own(arena, machined);
		if (r == 0)
			r = say_farewell(machined);
	}
	if (r < 0)
		debug("The machine manager is not told of the end of machine '%s': %s",
		      machined->machine, strerror(-r));
	machined->machine = NULL;
}

void machined_close(struct machined *machined)
{
	struct bus_message reply;

	if (machined->farewell != 0 && machined->bus && machined->bus->fd >= 0) {
		bus_set_patience(machined->bus, FAREWELL_PATIENCE_MSEC);
		(void)bus_await(machined->bus, machined->farewell,
				&reply); /* nothing to do about it */
	}
	machined->farewell = 0;
	bus_close(&machined->own);
	machined->bus = NULL;
}
