/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the machine's systemd for a getty, or finds the program that asks for a name.
 * Zone: doomed.
 */
#include "run/join-login.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "manager/bus.h"

#define PATIENCE_MSEC 2000

static int start_getty(struct bus *bus, bool is_bus, int number)
{
	const struct bus_call call = {
		.destination = is_bus ? "org.freedesktop.systemd1" : NULL,
		.path = "/org/freedesktop/systemd1",
		.interface = "org.freedesktop.systemd1.Manager",
		.member = "StartUnit",
		.signature = "ss",
	};
	struct bus_writer body = {0};
	struct bus_message reply;
	char unit[48];
	int r;

	(void)snprintf(unit, sizeof(unit), "container-getty@%d.service", number);
	bus_put_text(&body, unit);
	bus_put_text(&body, "replace");
	r = bus_call(bus, &call, &body, NULL, &reply);
	if (r == -EREMOTEIO)
		debug("The machine's systemd declines a getty: %s", bus_error_text(&reply));
	bus_writer_done(&body);
	return r;
}

int join_login_ask_systemd(int number)
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
			r = start_getty(&bus, doors[i].is_bus, number);
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
