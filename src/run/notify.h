/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readiness and status, both ways: from the container to us, and from us to our own service
 * manager. The protocol is that of sd_notify(3).
 * Zone: notify_listen() is for the doomed child, the
 * rest is owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Sends one message to $NOTIFY_SOCKET; 0 if there is none. A manager that does not read holds us up
 * for a second at most (-EAGAIN). Says nothing: every caller goes on.
 */
int notify_send(const char *text);

/*
 * How often at least our manager wants to hear WATCHDOG=1 from this process, in microseconds; 0:
 * not at all (sd_watchdog_enabled(3)).
 */
uint64_t notify_watchdog_usec(void);

/* The container runs as process 'leader'; with 'is_ready' also that nobody need wait any longer. */
int notify_started(pid_t leader, bool is_ready);

enum notify_stage {
	NOTIFY_STAGE_STOPPING,    /* an orderly stop was asked for */
	NOTIFY_STAGE_TERMINATING, /* the container is gone, we are about to be */
	NOTIFY_STAGE_RESTARTING,  /* the same, and the unit shall start again */
	_NOTIFY_STAGE_COUNT,
};

int notify_stage(enum notify_stage stage);

/* The last thing that is said, after a failure: why. */
int notify_failed(const char *sentence);

/*
 * In the container, with its mount and user namespace entered: makes the socket 'notify' in
 * 'dir_fd' and returns it, for the parent, or a negative errno. Changes the working directory to
 * 'dir_fd', since an AF_UNIX name has no directory descriptor.
 */
int notify_listen(int dir_fd);

#define NOTIFY_STATUS_MAX 512

/* Whom we listen to. */
struct notify_relay {
	pid_t leader;         /* the container's PID 1, as we see it; must not have been reaped */
	bool payload_is_pid2; /* the stub is PID 1: its child is the payload */
	bool ready_is_said;   /* READY=1 went out already; set by notify_receive() too */
	char status[NOTIFY_STATUS_MAX]; /* the last one, escaped for a terminal */
};

/* Bits of what the payload said. */
enum notify_heard {
	NOTIFY_READY = 1 << 0,
	NOTIFY_STATUS = 1 << 1,
	NOTIFY_STOPPING = 1 << 2,
	NOTIFY_REFUSED = 1 << 3, /* the sender is not the payload: nothing was looked at */
};

/*
 * Reads one datagram from the container's socket and relays what concerns our manager: STATUS= with
 * control characters escaped, and READY=1 once. Returns NOTIFY_* bits (0: nothing of interest, or
 * nothing there) or a negative errno of the socket. Never blocks on the container.
 */
int notify_receive(int fd, struct notify_relay *relay);

/*
 * Copies a status with control characters as "\x1b", cut at a character's end to fit 'bytes', NUL
 * included.
 */
void notify_escape(char *ret_text, size_t bytes, const char *status);
