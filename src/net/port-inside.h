/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Into a machine's network, for what has to be made there.
 * Zone: owing; doomed in the process that goes there.
 */
#pragma once

#include "config/config.h"
#include "net/port-relay.h"

/*
 * For processes that do not come back: enters the network of relay_network, with the user namespace
 * that owns it if it is not ours. 0 or a negative errno.
 */
int port_network_enter(int fd, bool is_ours);

/* Takes a socket; the descriptor stays the caller's. */
typedef int (*port_socket_taker)(const struct port_request *port, int fd, void *userdata);

/*
 * Has a short-lived process make sockets on the loopback of that network, two for each port where
 * there is IPv6. '*ret_failed' is the port that could not be opened, or NULL. Silent.
 */
int port_sockets_inside(const struct relay_network *network, const struct port_requests *ports,
			port_socket_taker take, void *userdata,
			const struct port_request **ret_failed);
