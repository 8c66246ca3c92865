/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: addresses and routes of both ends of the cable, and the way through the host.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

#include "net/netlink.h"
#include "net/setup-plan.h"

struct net_setup_ends {
	struct netlink_socket *host, *inside;
	int index; /* of the interface of the host that has the address */
	const char *inside_name;
};

/*
 * What the plan says for links that are made. Complains itself; what lies beyond the host is a
 * warning, as a machine can do without.
 */
int net_setup_apply(const struct net_setup_plan *plan, const struct net_setup_ends *ends);

/*
 * When its links are gone: takes back what was made for them, and with the last machine all.
 * Returns 1 if there was anything. Warns of what it cannot.
 */
int net_setup_sweep(void);
