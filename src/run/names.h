/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that tell a machine of names, where we set its network up: resolv.conf follows the
 * host's while it is as we wrote it, and our lines in hosts go when the machine is over.
 * Zone: owing.
 */
#pragma once

#include <stdint.h>

struct machine;

/* Zero-filled but for the descriptor, which is -EBADF, and next_usec, is one that follows nobody.
 */
struct names {
	const struct machine *machine;
	int watch_fd;       /* inotify(7); for poll(2) */
	uint64_t next_usec; /* when names_work() has something to do, by CLOCK_MONOTONIC */
	char *told;         /* what the machine's file has, of us */
};

/* For a payload that runs. names_end() must follow; it may be called twice. */
void names_begin(struct names *names, const struct machine *machine);
void names_end(struct names *names);

/* At 'next_usec', and when 'watch_fd' is readable. */
void names_work(struct names *names);

/* The machine is over: its tree has no lines of ours left. Warns of what it cannot. */
void names_take_back(const struct machine *machine);
