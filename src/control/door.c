/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connects to the socket of a machine, and says what went wrong.
 * Zone: free.
 */
#include "control/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/process.h"
#include "base/scope.h"
#include "run/control.h"

/* The directory may have a longer path than a socket's name has room for. */
static int connect_in(const char *directory, struct bus *ret)
{
	auto_close int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[64];

	if (directory_fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" CONTROL_SOCKET, directory_fd);
	return bus_open(path, /* is_bus= */ false, DOOR_PATIENCE_MSEC, ret);
}

int door_open(const struct registry_entry *entry, struct bus *ret)
{
	int r;

	/* It would answer once it goes on, which nobody wants to wait for without knowing. */
	if (process_is_stopped(entry->supervisor)) {
		(void)refuse(EAGAIN,
			     "The supervisor of machine '%s' is stopped and does not listen",
			     entry->machine);
		hint("'kill -CONT %d' lets it go on", (int)entry->supervisor);
		return -EAGAIN;
	}
	r = connect_in(entry->directory, ret);
	/* The machine ended meanwhile, or is not there yet. */
	if (r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET)
		return refuse(ESRCH, "The supervisor of machine '%s' does not listen",
			      entry->machine);
	return r < 0 ? fail(r, "Cannot talk with the supervisor of machine '%s'", entry->machine)
		     : 0;
}

/* After a line feed there is what the user can do. */
static int decline(const struct registry_entry *entry, const char *text)
{
	int length = (int)strcspn(text, "\n");

	(void)refuse(EREMOTEIO, "The supervisor of machine '%s' declined: %.*s", entry->machine,
		     length, text);
	if (text[length])
		hint("%s", text + length + 1);
	return -EREMOTEIO;
}

int door_call(struct bus *bus, const struct registry_entry *entry, const struct bus_call *call,
	      const struct bus_writer *body, struct bus_message *ret_reply)
{
	struct bus_call whole = *call;
	int r;

	whole.path = CONTROL_PATH;
	whole.interface = CONTROL_INTERFACE;
	r = bus_call(bus, &whole, body, NULL, ret_reply);
	if (r == -EREMOTEIO)
		return decline(entry, bus_error_text(ret_reply));
	if (r == -ECONNRESET || r == -EPIPE) {
		(void)refuse(ECONNRESET, "The supervisor of machine '%s' is gone", entry->machine);
		return -ECONNRESET;
	}
	return r < 0 ? fail(r, "Cannot talk with the supervisor of machine '%s'", entry->machine)
		     : 0;
}
