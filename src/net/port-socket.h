/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sockets that hold ports: of the host for what is published, of the machine's loopback for
 * what leads to the host.
 * Zone: owing.
 */
#pragma once

#include "config/config.h"

/* On the host. Complains itself: whoever has the port already is met before anything is made. */
int port_socket_open(struct arena *arena, const struct port_request *port, int *ret_fd);

/*
 * In the network that we are in, for 127.0.0.1 or ::1, which need not be up yet. Silent: 0 or a
 * negative errno.
 */
int port_socket_open_loopback(const struct port_request *port, int family, int *ret_fd);
