/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call to the service manager, and the signal that its job is done.
 * Zone: owing.
 */
#include "manager/scope.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "manager/scope-properties.h"

#define PATIENCE_MSEC 5000

#define MANAGER_NAME "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

/* --- Names --- */

/* What may stand in the name of a unit as it is; '-' would be a slash (systemd.unit(5)). */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == ':' || c == '.';
}

char *scope_unit_name(struct arena *arena, const char *machine)
{
	char *name = arena_format(arena, "machine-");

	for (const char *c = machine; *c; c++)
		name = is_plain(*c) ? arena_format(arena, "%s%c", name, *c)
				    : arena_format(arena, "%s\\x%02x", name, (unsigned char)*c);
	return arena_format(arena, "%s.scope", name);
}

char *scope_slice_name(struct arena *arena, const char *slice)
{
	size_t length = slice ? strlen(slice) : 0;

	if (length == 0)
		return arena_copy(arena, "machine.slice");
	if (length > 6 && strcmp(slice + length - 6, ".slice") == 0)
		return arena_copy(arena, slice);
	return arena_format(arena, "%s.slice", slice);
}

/* --- Asking --- */

int scope_check_properties(const struct strings *properties)
{
	for (size_t i = 0; i < properties->count; i++) {
		struct bus_writer writer = {0};
		const char *expected = NULL, *text = properties->items[i];
		int length = (int)strcspn(text, "="), r;

		r = scope_put_property(&writer, text, &expected);
		bus_writer_done(&writer);
		if (r == -EINVAL)
			return refuse(EINVAL, "The unit property '%.*s' takes %s, not '%s'", length,
				      text, expected, text + length + 1);
		if (r < 0) {
			(void)refuse(EOPNOTSUPP, "The unit property '%.*s' cannot be handed on",
				     length, text);
			hint("'systemctl set-property' knows it, once the machine runs");
			return r;
		}
	}
	return 0;
}

/* Managers say so on the directory, where everybody can read it. */
bool scope_is_delegated(int group_fd)
{
	char path[64], value[4] = "";

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", group_fd);
	return getxattr(path, "user.delegate", value, sizeof(value)) == 1 && *value == '1';
}

static void put_properties(struct arena *arena, const struct scope_request *request,
			   struct bus_writer *body)
{
	struct bus_array properties = bus_begin_array(body, 8), pids;
	const char *expected;

	bus_put_struct(body);
	bus_put_text(body, "PIDs");
	bus_put_signature(body, "au");
	pids = bus_begin_array(body, 4);
	bus_put_u32(body, (uint32_t)request->pid);
	bus_end_array(body, pids);
	scope_put_text(body, "Description", arena_format(arena, "Container %s", request->machine));
	scope_put_flag(body, "Delegate", true);
	scope_put_text(body, "CollectMode", "inactive-or-failed");
	scope_put_text(body, "Slice", scope_slice_name(arena, request->slice));
	for (size_t i = 0; i < request->properties->count; i++)
		(void)scope_put_property(body, request->properties->items[i], &expected);
	bus_end_array(body, properties);
}

/* On its own socket a manager says everything to everybody. */
static int listen_for_jobs(struct bus *bus)
{
	static const struct bus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "AddMatch",
		.signature = "s",
	};
	struct bus_writer body = {0};
	struct bus_message reply;
	int r;

	if (!*bus->name)
		return 0;
	bus_put_text(&body, "type='signal',sender='" MANAGER_NAME "',path='" MANAGER_PATH
			    "',interface='" MANAGER_INTERFACE "',member='JobRemoved'");
	r = bus_call(bus, &call, &body, NULL, &reply);
	bus_writer_done(&body);
	return r;
}

/* Waits for "u id, o job, s unit, s result" of our job. */
static int await_job(struct bus *bus, const char *job)
{
	for (;;) {
		const char *path, *unit, *result;
		struct bus_message message;
		uint32_t id;

		TRY(bus_next(bus, &message));
		if (message.type != BUS_SIGNAL || strcmp(message.member, "JobRemoved") != 0 ||
		    strcmp(message.signature, "uoss") != 0)
			continue;
		TRY(bus_get_u32(&message.body, &id));
		TRY(bus_get_text(&message.body, &path));
		TRY(bus_get_text(&message.body, &unit));
		TRY(bus_get_text(&message.body, &result));
		if (strcmp(path, job) == 0)
			return strcmp(result, "done") == 0 ? 0 : -ECANCELED;
	}
}

static int start_unit(struct arena *arena, struct bus *bus, const struct scope_request *request,
		      const char **ret_why)
{
	const struct bus_call call = {
		.destination = *bus->name ? MANAGER_NAME : NULL,
		.path = MANAGER_PATH,
		.interface = MANAGER_INTERFACE,
		.member = "StartTransientUnit",
		.signature = "ssa(sv)a(sa(sv))",
	};
	struct bus_writer body = {0};
	struct bus_message reply;
	const char *job;
	int r;

	TRY(listen_for_jobs(bus));
	bus_put_text(&body, scope_unit_name(arena, request->machine));
	bus_put_text(&body, "fail");
	put_properties(arena, request, &body);
	bus_end_array(&body, bus_begin_array(&body, 8)); /* no further units */
	r = bus_call(bus, &call, &body, NULL, &reply);
	bus_writer_done(&body);
	if (r == -EREMOTEIO)
		*ret_why = arena_copy(arena, bus_error_text(&reply));
	TRY(r);
	TRY(bus_get_text(&reply.body, &job));
	return await_job(bus, arena_copy(arena, job));
}

/* --- Where --- */

/* The path in "unix:path=/x,guid=…", the only kind that names a socket of this machine; or NULL. */
static const char *path_of_address(struct arena *arena, const char *address)
{
	static const char begin[] = "unix:path=";

	if (!address || !text_has_prefix(address, begin))
		return NULL;
	address += strlen(begin);
	return arena_copy_n(arena, address, strcspn(address, ",;"));
}

/* The bus first, as its manager knows who asks; else the manager's own socket. */
static int open_manager(struct arena *arena, const struct scope_request *request, struct bus *ret)
{
	const char *named =
		path_of_address(arena, getenv(request->is_user ? "DBUS_SESSION_BUS_ADDRESS"
							       : "DBUS_SYSTEM_BUS_ADDRESS"));
	const struct {
		const char *path;
		bool is_bus;
	} places[] = {
		{named, true},
		{request->is_user ? arena_format(arena, "%s/bus", request->runtime)
				  : "/run/dbus/system_bus_socket",
		 true},
		{request->is_user ? arena_format(arena, "%s/systemd/private", request->runtime)
				  : "/run/systemd/private",
		 false},
	};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!places[i].path)
			continue;
		r = bus_open(places[i].path, places[i].is_bus, PATIENCE_MSEC, ret);
		if (r == 0)
			return 0;
		debug("No manager is reached by '%s': %s", places[i].path, strerror(-r));
	}
	return r;
}

/* A bus without a manager on it: what dbus-daemon and dbus-broker answer for a name nobody has. */
static bool is_nobody(const char *why)
{
	return strstr(why, "org.freedesktop.systemd1") &&
	       (strstr(why, "was not provided") || strstr(why, "activatable") ||
		strstr(why, "not found"));
}

bool scope_has_manager(struct arena *arena, const struct scope_request *request)
{
	struct bus bus = BUS_NONE;
	int r = open_manager(arena, request, &bus);

	bus_close(&bus);
	return r == 0;
}

int scope_start(struct arena *arena, const struct scope_request *request)
{
	struct bus bus = BUS_NONE;
	const char *why = NULL;
	int r = open_manager(arena, request, &bus);

	if (r < 0)
		return SCOPE_NO_MANAGER;
	bus_set_patience(&bus, PATIENCE_MSEC);
	r = start_unit(arena, &bus, request, &why);
	bus_close(&bus);
	if (r == 0)
		return SCOPE_MADE;
	if (why && is_nobody(why))
		return SCOPE_NO_MANAGER;
	if (why)
		warn(0,
		     "The service manager makes no scope for machine '%s' (%s), going on without",
		     request->machine, why);
	else
		warn(r,
		     "Cannot get a scope for machine '%s' from the service manager, going on without",
		     request->machine);
	return SCOPE_FAILED;
}
