/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other end of manager/bus.h: one client of ours, who speaks without a bus between us. What it
 * sends is looked at in a buffer of bounded size, what it does not read yet waits in another.
 * Nothing blocks, and nothing that a client does costs more than its own connection.
 * Zone: any. Silent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manager/bus-message.h"

/* What a client says is a call with a few words; longer ones are not for us. */
#define BUS_PEER_INPUT_MAX ((size_t)16 * 1024)

/* What may wait for a client that does not read. */
#define BUS_PEER_OUTPUT_MAX ((size_t)2 * BUS_MESSAGE_MAX)

enum bus_peer_state {
	BUS_PEER_GREETING, /* before the NUL with which all begins */
	BUS_PEER_UNKNOWN,  /* it shall say who it is; the kernel has told us already */
	BUS_PEER_ASKED,    /* the same, and we asked back */
	BUS_PEER_KNOWN,
	BUS_PEER_TALKING, /* messages, no lines */
};

struct bus_peer {
	int fd; /* not blocking; owned */
	enum bus_peer_state state;
	bool takes_fds;
	unsigned int lines; /* of authentication, which end */
	const char *guid;   /* 32 hexadecimal digits, borrowed */
	uint32_t serial;
	/* malloc'ed: the current message first. */
	uint8_t *input;
	size_t input_length, input_room, taken;
	struct bus_writer output;
	size_t sent;
};

/* Takes 'fd', or -EBADF for who only looks at bytes. The caller knows from the kernel who it is. */
void bus_peer_begin(struct bus_peer *peer, int fd, const char *guid);
void bus_peer_end(struct bus_peer *peer);

/* Takes what the client sent. 0, -EAGAIN for nothing, -ECONNRESET at its end, -EMSGSIZE, … */
int bus_peer_receive(struct bus_peer *peer);

/* The same for bytes that are there already. */
int bus_peer_take(struct bus_peer *peer, const void *bytes, size_t length);

/*
 * The next call, which stays readable until this is called again or more is received: 1, 0 if there
 * is none yet, or -EPROTO. Answers what belongs to authentication.
 */
int bus_peer_next(struct bus_peer *peer, struct bus_message *ret);

/* Puts an answer behind what waits. -EMSGSIZE if the client reads too little of it. */
int bus_peer_answer(struct bus_peer *peer, const struct bus_answer *answer,
		    const struct bus_writer *body);

/* The same with one descriptor, which has to go at once: -EBUSY if something waits before it. */
int bus_peer_answer_fd(struct bus_peer *peer, const struct bus_answer *answer,
		       const struct bus_writer *body, int fd);

/* Sends what the client takes just now. 0 or a negative errno. */
int bus_peer_flush(struct bus_peer *peer);

/* True if something waits for the client to read. */
bool bus_peer_has_output(const struct bus_peer *peer);
