/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who else sees the console: its log, and streams of people who attached to it. They see what the
 * guest writes from then on, and what they type goes in. A stream that does not keep up is
 * closed: the guest never waits for it.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "run/console-log.h"

#define CONSOLE_STREAMS_MAX 16

struct console;

struct console_share {
	int epoll_fd; /* streams are watched in it, with themselves as data; -EBADF before the first
		       */
	struct console_log log;
	int streams[CONSOLE_STREAMS_MAX];   /* sockets; the first 'count' */
	bool is_quiet[CONSOLE_STREAMS_MAX]; /* it types no more, or would have to wait */
	bool is_deaf[CONSOLE_STREAMS_MAX];  /* it has ended its input */
	size_t count;
};

#define CONSOLE_SHARE_NONE ((struct console_share){.epoll_fd = -EBADF, .log = CONSOLE_LOG_NONE})

/* Whether anybody wants the output. 'share' may be NULL, here and below. */
bool console_share_is_wanted(const struct console_share *share);

/* The guest wrote this. */
void console_share_output(struct console_share *share, const char *bytes, size_t length);

/*
 * One more. Returns the other end of its stream, which the caller hands on and closes, or -EUSERS
 * if there are too many, or another negative errno.
 */
int console_share_attach(struct console_share *share);

/* Its end is not wanted after all. */
void console_share_detach_last(struct console_share *share);

/* What epoll_wait(2) said of a stream. Types into 'console', which may not run just now (NULL). */
void console_share_dispatch(struct console_share *share, int fd, struct console *console);

/* Before waiting: listens to streams only while the console takes what they type. */
void console_share_prepare(struct console_share *share, const struct console *console);

/* Closes all of it but the epoll descriptor, which is the caller's. */
void console_share_end(struct console_share *share);
