/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that holds the sockets of ports and carries what comes to them to the other side, when
 * the kernel does not. One leads into the machine: it lives in the machine's network, so that all
 * it can connect to is the machine. One leads to the host, and connects to 127.0.0.1 and ::1 there.
 * Either has no rights but its sockets.
 * Zone: owing in the supervisor.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "net/address.h"

enum relay_side {
	RELAY_INWARD, /* begins to serve when it has entered */
	RELAY_TO_HOST,
};

/* The machine's first address of each family that counts beyond its link; family 0: none. */
struct relay_targets {
	struct address ipv4, ipv6;
};

/* The supervisor's end. */
struct relay {
	pid_t pid;
	int pidfd, fd; /* 'fd' is readable when the machine's addresses are others */
	struct relay_targets targets;
	size_t flow_max; /* connections at a time */
};

#define RELAY_NONE ((struct relay){.pidfd = -EBADF, .fd = -EBADF})

/* Where a machine's network is. */
struct relay_network {
	int fd;         /* it itself, or if it is ours a pidfd of a process in it */
	bool is_ours;   /* we may enter without its user namespace */
	bool has_links; /* else its loopback is all there is */
};

/* Starts the process. Silent: 0 or a negative errno. */
int relay_start(struct relay *relay, enum relay_side side);
void relay_stop(struct relay *relay);

/* Lets it enter; it knows the machine's addresses when this returns. */
int relay_enter(struct relay *relay, const struct relay_network *network);

/* Gives it a socket of the port, which it serves until relay_remove(). The caller's copy stays. */
int relay_add(struct relay *relay, const struct port_request *port, int socket_fd);
int relay_remove(struct relay *relay, const struct port_request *port);

/* Reads what it says. 1: 'targets' are others, 0: they are not, -EPIPE: it is gone. */
int relay_hear(struct relay *relay);
