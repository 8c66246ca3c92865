/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call to the service manager, and the signal that its job is done.
 * Zone: owing.
 */
#include "manager/scope.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "manager/job.h"
#include "manager/manager.h"
#include "manager/resources.h"
#include "manager/scope-devices.h"
#include "manager/scope-properties.h"

/* What was left of that name by a machine just killed is gone within moments. */
#define NAME_PATIENCE_MSEC 3000
#define NAME_INTERVAL_MSEC 50

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

static void put_processes(const struct scope_request *request, bool is_modern,
			  struct bus_writer *body)
{
	bool has_fd = is_modern && request->pidfd >= 0;
	struct bus_array array;

	bus_put_struct(body);
	bus_put_text(body, has_fd ? "PIDFDs" : "PIDs");
	bus_put_signature(body, has_fd ? "ah" : "au");
	array = bus_begin_array(body, 4);
	bus_put_u32(body, has_fd ? 0 : (uint32_t)request->pid); /* the first that goes along */
	bus_end_array(body, array);
}

/*
 * What only the system's manager is told: a user's has no right to filter devices, and the scope it
 * makes holds ourselves.
 */
static void put_system_properties(struct arena *arena, const struct bus *bus,
				  const struct scope_request *request, struct bus_writer *body)
{
	if (*bus->name)
		scope_put_text(body, "Controller", bus->name);
	if (request->devices) {
		scope_put_text(body, "DevicePolicy", "closed");
		scope_put_devices(arena, request->devices, body);
	}
	if (request->kill_signal > 0) {
		scope_put_number(body, "KillSignal", request->kill_signal);
		scope_put_text(body, "KillMode", "mixed");
	}
}

static void put_properties(struct arena *arena, const struct bus *bus,
			   const struct scope_request *request, bool is_modern,
			   struct bus_writer *body)
{
	struct bus_array properties = bus_begin_array(body, 8);
	const char *expected;

	put_processes(request, is_modern, body);
	scope_put_text(body, "Description", arena_format(arena, "Container %s", request->machine));
	scope_put_flag(body, "Delegate", true);
	scope_put_text(body, "CollectMode", "inactive-or-failed");
	if (!request->is_user && *bus->name)
		scope_put_flag(body, "AddRef", true);
	scope_put_text(body, "Slice", scope_slice_name(arena, request->slice));
	if (!request->is_user)
		put_system_properties(arena, bus, request, body);
	if (!request->is_user && request->config->start == START_BOOT && is_modern)
		scope_put_flag(body, "CoredumpReceive", true);
	resources_put_properties(request->config, body);
	for (size_t i = 0; i < request->config->properties.count; i++)
		(void)scope_put_property(body, request->config->properties.items[i], &expected);
	bus_end_array(body, properties);
}

/*
 * On its own socket a manager says everything to everybody. Nobody waits for the answers: what is
 * asked next comes after.
 */
static int listen_for(struct bus *bus, const char *rule)
{
	static const struct bus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "AddMatch",
		.signature = "s",
	};
	struct bus_writer body = {0};
	uint32_t serial;
	int r;

	if (!*bus->name)
		return 0;
	bus_put_text(&body, rule);
	r = bus_send(bus, &call, &body, NULL, &serial);
	bus_writer_done(&body);
	return r;
}

static int listen_for_all(struct bus *bus, const struct scope_request *request)
{
	TRY(listen_for(bus, JOB_RULE));
	if (request->is_user)
		return 0;
	bus->watched = "RequestStop";
	return listen_for(bus, "type='signal',sender='" SERVICE_MANAGER_NAME
			       "',interface='org.freedesktop.systemd1.Scope',"
			       "member='RequestStop'");
}

/* One attempt. *ret_error is the answer's name of the failure with -EREMOTEIO. */
static int start_unit(struct arena *arena, struct bus *bus, const struct scope_request *request,
		      bool is_modern, struct bus_message *ret_reply)
{
	const struct bus_call call = {
		.destination = *bus->name ? SERVICE_MANAGER_NAME : NULL,
		.path = SERVICE_MANAGER_PATH,
		.interface = SERVICE_MANAGER_INTERFACE,
		.member = "StartTransientUnit",
		.signature = "ssa(sv)a(sa(sv))",
		.fd_count = is_modern && request->pidfd >= 0 ? 1 : 0,
	};
	struct bus_writer body = {0};
	const char *job, *result;
	int r;

	bus_put_text(&body, scope_unit_name(arena, request->machine));
	bus_put_text(&body, "fail");
	put_properties(arena, bus, request, is_modern, &body);
	bus_end_array(&body, bus_begin_array(&body, 8)); /* no further units */
	r = bus_call(bus, &call, &body, &request->pidfd, ret_reply);
	bus_writer_done(&body);
	TRY(r);
	TRY(bus_get_text(&ret_reply->body, &job));
	TRY(job_await(bus, arena_copy(arena, job), &result));
	return strcmp(result, "done") == 0 ? 0 : -ECANCELED;
}

/* Managers that do not know a property say one of these. */
static bool is_unknown_property(const char *error)
{
	return strcmp(error, "org.freedesktop.DBus.Error.UnknownProperty") == 0 ||
	       strcmp(error, "org.freedesktop.DBus.Error.PropertyReadOnly") == 0;
}

/* With what newer managers know, then without; and again while a dead machine has the name. */
static int insist(struct arena *arena, struct bus *bus, const struct scope_request *request,
		  const char **ret_why)
{
	bool is_modern = true;
	int r;

	TRY(listen_for_all(bus, request));
	for (int left = NAME_PATIENCE_MSEC;; left -= NAME_INTERVAL_MSEC) {
		struct bus_message reply = {0};

		bus_set_patience(bus, MANAGER_PATIENCE_MSEC);
		r = start_unit(arena, bus, request, is_modern, &reply);
		if (r != -EREMOTEIO)
			return r;
		if (is_modern && is_unknown_property(reply.error)) {
			is_modern = false;
			continue;
		}
		if (request->is_user || left <= 0 ||
		    strcmp(reply.error, "org.freedesktop.systemd1.UnitExists") != 0) {
			*ret_why = arena_copy(arena, bus_error_text(&reply));
			return r;
		}
		(void)usleep(NAME_INTERVAL_MSEC * 1000);
	}
}

/* A bus without a manager on it: what dbus-daemon and dbus-broker answer for a name nobody has. */
static bool is_nobody(const char *why)
{
	return strstr(why, "org.freedesktop.systemd1") &&
	       (strstr(why, "was not provided") || strstr(why, "activatable") ||
		strstr(why, "not found"));
}

static int open_bus(struct arena *arena, const struct scope_request *request, struct bus *ret)
{
	const struct manager_place place = {
		.is_user = request->is_user,
		.runtime = request->runtime,
	};

	return manager_is_there(request->is_user) ? manager_open(arena, &place, ret) : -ENOENT;
}

bool scope_has_manager(struct arena *arena, const struct scope_request *request)
{
	struct bus bus = BUS_NONE;
	int r = open_bus(arena, request, &bus);

	bus_close(&bus);
	return r == 0;
}

static int tell_failure(const struct scope_request *request, int r, const char *why)
{
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

int scope_start(struct arena *arena, const struct scope_request *request, struct bus *bus)
{
	const char *why = NULL;
	int r = open_bus(arena, request, bus);

	if (r < 0)
		return SCOPE_NO_MANAGER;
	r = insist(arena, bus, request, &why);
	if (request->is_user || !*bus->name || (r < 0 && r != -EREMOTEIO))
		bus_close(bus);
	return r == 0 ? SCOPE_MADE : tell_failure(request, r, why);
}

/* --- The end --- */

static void say(struct bus *bus, const char *member, const char *signature,
		const struct bus_writer *body)
{
	const struct bus_call call = {
		.destination = SERVICE_MANAGER_NAME,
		.path = SERVICE_MANAGER_PATH,
		.interface = SERVICE_MANAGER_INTERFACE,
		.member = member,
		.signature = signature,
	};
	uint32_t serial;

	(void)bus_send(bus, &call, body, NULL, &serial); /* it goes without us, too */
}

void scope_end(struct bus *bus, const char *unit)
{
	struct bus_writer name = {0}, kill = {0};

	if (bus->fd < 0)
		return;
	bus_set_patience(bus, MANAGER_PATIENCE_MSEC);
	bus_put_text(&name, unit);
	bus_put_text(&kill, unit);
	bus_put_text(&kill, "all");
	bus_put_u32(&kill, SIGKILL);
	say(bus, "AbandonScope", "s", &name);
	say(bus, "KillUnit", "ssi", &kill);
	say(bus, "UnrefUnit", "s", &name);
	bus_writer_done(&name);
	bus_writer_done(&kill);
}
