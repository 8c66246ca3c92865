/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the supervisor and the relay's process say to each other, one packet each.
 * Zone: any.
 */
#pragma once

#include "net/port-relay.h"

enum relay_order_kind {
	RELAY_ORDER_ADD, /* with the socket */
	RELAY_ORDER_REMOVE,
	RELAY_ORDER_BEGIN, /* with a pidfd or a namespace, to enter */
};

struct relay_order {
	enum relay_order_kind what;
	bool is_ours, has_links;
	struct port_request port;
};

struct relay_report {
	bool is_answer; /* else the addresses are others */
	int result;
	struct relay_targets targets;
};

/* As many connections as there are descriptors for. */
size_t relay_flow_max(size_t fds);

/* The rest of the process's life; 'fd' is its end of the socket. */
__attribute__((noreturn)) void relay_serve(enum relay_side side, int fd);
