/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The joiner and the command's process.
 * Zone: doomed.
 */
#pragma once

#include "run/console-plan.h"
#include "run/handshake.h"
#include "run/join.h"

struct join_inside {
	const struct join_request *request;
	struct arena *arena;
	pid_t pid; /* of the process that is joined: the leader, or a child of it */
	int pid_fd;
	struct console_plan console;
	int streams[3];   /* what the command gets where it gets no pty: the client's own, or relays
			   */
	int namespaces;   /* for setns(2) */
	int image_fd;     /* of the last step, or -EBADF */
	int client_fd;    /* the client's end of the handshake, to be closed */
	const char *term; /* of the client's terminal, or NULL */
	struct handshake handshake;
};

/* Runs in a process of its own, born in the machine's cgroup. */
void join_inside(struct join_inside *inside) __attribute__((noreturn));
