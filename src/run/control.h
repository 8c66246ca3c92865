/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine's own door: a socket in its runtime directory on which root and the machine's owner
 * speak D-Bus with the supervisor, without a bus between them. It is for what only the supervisor
 * can do: stopping in order, the console, and telling when the machine is ready or over.
 * "busctl --address=unix:path=/run/nspawn/NAME/control introspect …" shows what there is.
 *
 * The supervisor never waits for a client. One that is silent, sends garbage or does not read costs
 * its own connection, and gives it up when others want in.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manager/bus-peer.h"
#include "run/console-share.h"

struct machine;

#define CONTROL_SOCKET "control" /* in the machine's runtime directory */
#define CONTROL_PATH "/org/nspawn/Machine"
#define CONTROL_INTERFACE "org.nspawn.Machine"

#define CONTROL_CLIENTS_MAX 128
#define CONTROL_WAITS_MAX 4

/* A call that is answered when something has happened. */
struct control_wait {
	uint32_t serial;
	bool is_for_end;
};

struct control_client {
	struct bus_peer peer;
	struct control_wait waits[CONTROL_WAITS_MAX];
	size_t wait_count;
	uint64_t heard; /* when it last said something, of control->clock */
	bool is_written_to;
};

/* Bits of what clients want of the supervisor. */
enum control_request {
	CONTROL_POWER_OFF = 1 << 0,
	CONTROL_REBOOT = 1 << 1,
	CONTROL_TERMINATE = 1 << 2,
};

/* Made once for all boots of a run. */
struct control {
	int listen_fd; /* -EBADF: nobody can talk with us */
	int epoll_fd;  /* -EBADF before the first client: a machine without costs no more */
	const char *directory;
	char guid[33];
	struct control_client *clients[CONTROL_CLIENTS_MAX]; /* malloc'ed; the first 'count' */
	size_t count;
	uint64_t clock;
	struct console_share share;
	struct machine *machine; /* the one that runs while clients are heard */
	unsigned int requests;   /* enum control_request */
};

#define CONTROL_NONE \
	((struct control){.listen_fd = -EBADF, .epoll_fd = -EBADF, .share = CONSOLE_SHARE_NONE})

/*
 * Begins to listen in 'directory' (borrowed), if that has not been done yet. Warns where it cannot.
 */
void control_open(struct control *control, const char *directory, const char *uuid);

/* For poll(2), POLLIN; -EBADF: nothing to wait for. Call just before waiting. */
int control_fd(struct control *control, struct machine *machine);

/* Hears who has something to say. Returns enum control_request bits. */
unsigned int control_dispatch(struct control *control, struct machine *machine);

/* Tells who waits for it. */
void control_tell_ready(struct control *control);

/* The machine is over, and 'status' is what the supervisor exits with. 'result' is one word. */
void control_tell_end(struct control *control, const char *result, int status);

/* Closes everything; an undo function. The log is the caller's to keep. */
void control_close(void *control);

/* --- Methods (control-methods.c) --- */

/* Answers a call. 0, or a negative errno if the client is to be let go. */
int control_answer(struct control *control, struct control_client *client,
		   const struct bus_message *call);

/* Answers a wait. */
int control_answer_wait(struct control_client *client, uint32_t serial, const char *result,
			int status);
