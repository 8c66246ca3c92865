/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to a message bus, or to a manager's own socket, on which we call methods and wait
 * for signals. Everything waits for a bounded time only. No library: what we say is a handful of
 * messages, and one that is linked in brings the name service along.
 * Zone: any. Silent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manager/bus-message.h"

struct bus {
	int fd; /* -EBADF: not connected */
	uint32_t serial;
	int64_t deadline_usec; /* CLOCK_MONOTONIC, of everything that is waited for */
	uint8_t *data;         /* malloc'ed: what was received, the current message first */
	size_t length, room, taken;
	int received_fd; /* the last descriptor that came along, or -EBADF; owned */
	char name[256];  /* our unique name, empty on a manager's own socket */
	/* The name of a signal that must not get lost while something else is waited for, or NULL;
	 * and whether it came. */
	const char *watched;
	bool watched_came;
};

#define BUS_NONE ((struct bus){.fd = -EBADF, .received_fd = -EBADF})

#define BUS_FOR_EVER UINT32_MAX

void bus_close(struct bus *bus);

/* From now on this is how long may be waited, all in all; or BUS_FOR_EVER. */
void bus_set_patience(struct bus *bus, unsigned int msec);

/*
 * Connects to the socket at 'path' and authenticates as ourselves; 'is_bus': says hello as well.
 * Returns 0, -ENOENT or -ECONNREFUSED where nobody listens, -EACCES if we are not let in,
 * -ETIMEDOUT, or another negative errno.
 */
int bus_open(const char *path, bool is_bus, unsigned int patience_msec, struct bus *ret);

/*
 * Calls a method and waits for its answer, which stays readable until the next call. 'fds' of
 * call->fd_count go along. Returns 0, -ETIMEDOUT, -EREMOTEIO if the answer is an error, which is
 * then in *ret_reply (its text is the first of the body), or another negative errno.
 */
int bus_call(struct bus *bus, const struct bus_call *call, const struct bus_writer *body,
	     const int *fds, struct bus_message *ret_reply);

/* The descriptor that came with the last answer, now the caller's; -EBADF: there was none. */
int bus_take_fd(struct bus *bus);
/*
 * The two halves of bus_call(), so that there is time for something else in between: the call is
 * said, and the answer of that serial number is waited for. What else comes meanwhile is dropped.
 */
int bus_send(struct bus *bus, const struct bus_call *call, const struct bus_writer *body,
	     const int *fds, uint32_t *ret_serial);
int bus_await(struct bus *bus, uint32_t serial, struct bus_message *ret_reply);

/*
 * Reads what has come by now, for the sake of 'watched'. Returns 1 if that was there, once, 0, or a
 * negative errno when the connection is of no use any more.
 */
int bus_dispatch(struct bus *bus);

/* The next message of any kind, which stays readable until the one after. 0 or a negative errno. */
int bus_next(struct bus *bus, struct bus_message *ret);

/* What an error says, for a message; "" if it says nothing. */
const char *bus_error_text(const struct bus_message *error);
