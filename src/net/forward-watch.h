/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way through the host, kept open while a machine runs: an interface that the host gets routes
 * by later is like those that it had at the start.
 * Zone: owing.
 */
#pragma once

#include <stdint.h>

struct forward_watch {
	const char *link;    /* of the machine */
	int fd;              /* hears of routes */
	uint64_t next_usec;  /* when forward_watch_work() has something to do, by CLOCK_MONOTONIC */
	uint64_t until_usec; /* no sooner, whatever is heard */
};

/*
 * For the interface 'link' of the host that forward_open() was called for; NULL: there is none, and
 * nothing is watched. forward_watch_end() must follow.
 */
void forward_watch_begin(struct forward_watch *watch, const char *link);
void forward_watch_end(struct forward_watch *watch);

/* For poll(2), or negative; when it is readable, forward_watch_hear(). */
int forward_watch_fd(const struct forward_watch *watch);
void forward_watch_hear(struct forward_watch *watch);

/* At 'next_usec'. */
void forward_watch_work(struct forward_watch *watch);
