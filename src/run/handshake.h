/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conversation between parent and container: named steps over one SOCK_SEQPACKET pair. Each
 * step is said once and heard once; end-of-file is never success, except after CONFINED, where
 * close-on-exec is the exec.
 *
 * Nobody waits for an answer: the parent says PLACED and GO as soon as they are true, so that the
 * container, which has the longer way, finds them waiting. Each round trip would cost two wake-ups
 * of another processor.
 * Zone: owing on the parent's side, doomed on the container's.
 */
#pragma once

#include <errno.h>
#include <stddef.h>

#include "base/log.h"

enum handshake_step {
	HANDSHAKE_MAPPED,   /* parent: your ids are mapped; only where we may not choose them */
	HANDSHAKE_BORN,     /* container: the payload's process exists; only with ids of its own */
	HANDSHAKE_PLACED,   /* parent: links, scope, registration and cgroup are in place */
	HANDSHAKE_ROOTED,   /* container: the new root is entered, the host's out of reach */
	HANDSHAKE_GO,       /* parent: your console and sockets are mine; run when confined */
	HANDSHAKE_CONFINED, /* container: rights are final; the filter and the exec come next */
	HANDSHAKE_JOINED,   /* joiner: a further process of a running machine exists (run/join.h) */
	HANDSHAKE_SPOKEN,   /* container: a sentence for the user, at any time */
	HANDSHAKE_FAILED,   /* container: I give up; my sentences said why */
	_HANDSHAKE_STEP_COUNT,
};

/* Descriptors that travel with BORN, ROOTED and JOINED, by index; -EBADF where there is none. */
enum handshake_passenger {
	PASSENGER_CONSOLE, /* pty master */
	PASSENGER_NOTIFY,  /* datagram socket bound at /run/host/notify */
	PASSENGER_KMSG,    /* both ends of the FIFO at /proc/kmsg */
	PASSENGER_PIDFD,   /* with BORN and JOINED: the process that was made */
	PASSENGER_NAMES,   /* where its files of names are that we wrote: run/names.h */
	PASSENGER_NETWORK, /* its network namespace, for who may not look at its process */
	_PASSENGER_COUNT,
};

/* Nobody travels yet. */
static inline void passengers_none(int passengers[_PASSENGER_COUNT])
{
	for (size_t i = 0; i < _PASSENGER_COUNT; i++)
		passengers[i] = -EBADF;
}

#define HANDSHAKE_TEXT_MAX 2048

/* Of a FAILED by who has no sentences. */
struct handshake_fault {
	int error;                       /* negative errno; 0: there was none */
	int at;                          /* where, in the speaker's own numbers */
	char object[HANDSHAKE_TEXT_MAX]; /* what it failed with, in the speaker's own words */
};

/* What else ends the wait for a word, where it must not last for ever. */
struct handshake_watch {
	int stop_fd;           /* readable: we are told to stop */
	const int *peer_pidfd; /* of whom we wait for, who may not be the only one with a socket */
};

struct handshake {
	int fd;
	const struct handshake_watch *watch; /* NULL: the socket alone */
	struct handshake_fault *fault; /* filled when the peer gives such a one; NULL: it cannot */
	bool has_complained;           /* the peer said why it fails, if not yet that it does */
};

/* What hearing returns when the peer said FAILED. */
#define HANDSHAKE_IS_FAILED (-ECANCELED)

/* Makes the two connected ends; the caller closes them. */
int handshake_open(struct handshake *ret_parent, struct handshake *ret_container);

/*
 * Says 'step'; 'passengers' is NULL or an array of _PASSENGER_COUNT descriptors, which stay the
 * caller's.
 */
int handshake_say(struct handshake *handshake, enum handshake_step step, const int *passengers);

/*
 * Waits for 'step'. The peer's sentences are printed on the way. Fails with HANDSHAKE_IS_FAILED if
 * the peer says FAILED, -EPROTO if it says another step, -EPIPE if it is gone, -EINTR if we are
 * told to stop and it says nothing for two seconds more, or another errno if the socket fails, of
 * which nothing is said here. 'ret_passengers' is NULL or receives _PASSENGER_COUNT descriptors,
 * owned by the caller.
 */
int handshake_hear(struct handshake *handshake, enum handshake_step step, int *ret_passengers);

/*
 * After CONFINED, when the descriptor is readable: prints what the container says. Returns 0 while
 * it may say more, 1 when its end is closed, which is the exec, or a negative errno when it said
 * FAILED.
 */
int handshake_overhear(struct handshake *handshake);

/* A log sink that says every sentence through the handshake; userdata is the struct handshake. */
void handshake_log_sink(const struct log_message *message, void *userdata);
