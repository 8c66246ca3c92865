/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for ports (type and contract: setting_parser in settings.h).
 * Zone: free.
 */
#pragma once

#include "base/arena.h"
#include "config/config.h"
#include "config/settings.h"

/* [ADDRESS:][tcp:|udp:]PORT[:PORT], each port perhaps a range FIRST-LAST; IPv6 in brackets. */
int set_port(const struct asking *asking, const char *value);

/* [tcp:|udp:]PORT */
int set_host_port(const struct asking *asking, const char *value);

/* "tcp" or "udp". */
const char *port_protocol_name(uint8_t protocol);

/* How a user would write the host's side of it: "tcp:8080", "[::1]:udp:53". In the arena. */
const char *port_text(struct arena *arena, const struct port_request *port);

/* How many ports from 'first' on follow upon each other on both sides. */
size_t port_run_length(const struct port_requests *ports, size_t first);

/* All of them as the option takes them, ranges as ranges: "tcp:8000-8010:80-90". In the arena. */
struct strings port_texts(struct arena *arena, const struct port_requests *ports);
