/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: the ports of a machine, from the first socket to the last rule. A machine without any costs
 * no system call.
 * Zone: owing.
 */
#pragma once

#include "base/undo.h"
#include "config/config.h"
#include "net/net-plan.h"
#include "net/port-nft.h"
#include "net/port-relay.h"

/* Where one process may not have descriptors for so many connections there are more of them. */
enum {
	RELAYS_MAX = 4,
	CONNECTIONS_WANTED = 12000
};

/* What a machine has of them now. */
struct ports {
	struct arena *arena;
	const char *machine;
	const struct net_plan *plan;
	struct port_requests published, of_host;
	struct relay inward[RELAYS_MAX]; /* the first has all sockets, the others those of TCP */
	struct relay to_host;
	struct relay_network network;
	struct port_owner owner;     /* without a way only processes serve */
	struct relay_targets led_to; /* where the kernel leads packets to, by family */
};

#define PORTS_NONE \
	((struct ports){.inward = {RELAY_NONE, RELAY_NONE, RELAY_NONE, RELAY_NONE}, \
			.to_host = RELAY_NONE, \
			.network = {.fd = -EBADF}})

/* Which ports there shall be. '*ports' starts as PORTS_NONE. */
void ports_ask(struct arena *arena, const struct config *config, struct ports *ports);

/*
 * Takes the host's ports, before the machine exists: one that is taken already is a failure.
 * Complains itself.
 */
int ports_prepare(const char *machine, const struct net_plan *plan, struct ports *ports,
		  struct undo *undo);

/*
 * Lets them lead to where they should, once the machine's network has its links. 'network_fd' is
 * that network, or a pidfd of a process in it; it stays the caller's and must live as long as the
 * ports. Complains itself.
 */
int ports_place(struct ports *ports, int network_fd);

/* Whether a pidfd will do: an ordinary user may not enter by the payload's process. */
bool ports_are_early(void);

/*
 * More, or less, of a machine that runs: of the host's, or with 'is_host_port' of those that lead
 * to the host. All of them or none. Complain themselves.
 */
int ports_add(struct ports *ports, const struct port_requests *added, bool is_host_port);
int ports_remove(struct ports *ports, const struct port_requests *removed, bool is_host_port);

/* Descriptors for poll(2), negative where there is nothing to be heard, and what to do then. */
enum {
	PORTS_POLLFDS = RELAYS_MAX + 1
};
void ports_fds(const struct ports *ports, int ret[PORTS_POLLFDS]);
void ports_dispatch(struct ports *ports);

/*
 * Removes what killed supervisors left in the kernel, also of 'cable' (may be NULL), which is about
 * to go. Returns 1 if there was anything. Silent.
 */
int ports_sweep(const char *cable);
