/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pipes for a command that is to see no terminal, where the caller's streams are one: the terminal
 * itself never goes into a machine. A process for each copies between the two.
 * Zone: owing.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

struct join_relays {
	int inner[3]; /* the command's ends, -EBADF where the stream is no terminal */
	pid_t processes[3];
};

#define JOIN_RELAYS_NONE ((struct join_relays){.inner = {-EBADF, -EBADF, -EBADF}})

/*
 * Fills 'ret_streams' with what the command gets: 0, 1, 2 or the end of a pipe. Complains itself.
 */
int join_relays_open(struct join_relays *relays, bool is_wanted, int ret_streams[3]);

/* The command has its ends: closes ours. */
void join_relays_hand_over(struct join_relays *relays);

/* Waits until what the command wrote is out, and ends what reads. May be called twice. */
void join_relays_finish(struct join_relays *relays);
