/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the machine's systemd for a getty, or finds the program that asks for a name.
 * Zone: doomed.
 */
#include "run/join-login.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "manager/bus.h"
#include "manager/job.h"
#include "manager/unit.h"

#define PATIENCE_MSEC 2000

/* The answer stays readable until the next call. */
static int ask(struct bus *bus, const char *member, const char *signature,
	       const struct bus_writer *body, struct bus_message *ret_reply)
{
	const struct bus_call call = {
		.destination = *bus->name ? SERVICE_MANAGER_NAME : NULL,
		.path = SERVICE_MANAGER_PATH,
		.interface = SERVICE_MANAGER_INTERFACE,
		.member = member,
		.signature = signature,
	};
	int r = bus_call(bus, &call, body, NULL, ret_reply);

	if (r == -EREMOTEIO)
		debug("The machine's systemd declines %s: %s", member, bus_error_text(ret_reply));
	return r;
}

/*
 * A getty is begun again when its terminal is gone, until that was tried too often; the next
 * terminal has the same number, and must not suffer for the last one.
 */
static void forget_failures(struct bus *bus, const char *unit)
{
	__attribute__((cleanup(bus_writer_done))) struct bus_writer body = {0};
	struct bus_message reply;

	bus_put_text(&body, unit);
	(void)ask(bus, "ResetFailedUnit", "s", &body, &reply); /* most are not even loaded */
}

static int start_getty(struct arena *arena, struct bus *bus, int number)
{
	const char *unit = arena_format(arena, "container-getty@%d.service", number);
	__attribute__((cleanup(bus_writer_done))) struct bus_writer body = {0};
	const char *job, *result;
	struct bus_message reply;

	TRY(unit_listen(bus));
	forget_failures(bus, unit);
	bus_put_text(&body, unit);
	bus_put_text(&body, "replace");
	TRY(ask(bus, "StartUnit", "ss", &body, &reply));
	TRY(bus_get_text(&reply.body, &job));
	TRY(job_await(bus, arena_copy(arena, job), &result));
	return strcmp(result, "done") == 0 ? 0 : -ECANCELED;
}

int join_login_ask_systemd(struct arena *arena, int number)
{
	static const struct {
		const char *path;
		bool is_bus;
	} doors[] = {
		{"/run/systemd/private", false},
		{"/run/dbus/system_bus_socket", true},
	};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(doors) && r < 0; i++) {
		struct bus bus = BUS_NONE;

		r = bus_open(doors[i].path, doors[i].is_bus, PATIENCE_MSEC, &bus);
		if (r >= 0)
			r = start_getty(arena, &bus, number);
		bus_close(&bus);
	}
	return r;
}

const char *const *join_login_command(int root_fd)
{
	/* login(1) asks for the name itself; agetty(8) alone would need one. */
	static const char *const commands[][2] = {
		{"/bin/login", NULL},
		{"/usr/bin/login", NULL},
	};
	mode_t mode;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (path_status(root_fd, commands[i][0], &mode) == 0 && S_ISREG(mode))
			return commands[i];
	return NULL;
}
