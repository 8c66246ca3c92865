/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: one link of a machine, for its start (net/net-apply.h) and while it runs (net/net-live.h).
 * Zone: owing.
 */
#pragma once

#include "net/link.h"
#include "net/net-apply.h"

/* The bridge that is needed is one, and does with VLANs what is asked of it. Complains itself. */
int net_check_bridge(const struct link_plan *plan, const struct link *bridge);

/*
 * Makes the link that is planned in both networks of 'net'; what it needs of the host is in '*link'
 * already. What is in '*link' afterwards is owed to net_take_back(), also on failure. Complains
 * itself.
 */
int net_make(struct net *net, const struct link_plan *plan, struct net_link *link);

/* Addresses that were asked for, for a link that is there. Complains itself. */
int net_give_addresses(struct net *net, const struct link_plan *plan);

/* Warns of what it cannot take back. */
void net_take_back(struct net *net, const struct link_plan *plan, const struct net_link *link);

/* What we would make ourselves, and so is left over: nobody else has the machine's name. */
bool net_is_own(const struct link_plan *plan, const struct link *link);

/* Says that the name of its outer end is somebody else's. Returns -EEXIST. */
int net_refuse_taken(const struct link_plan *plan);

/* Says what the kernel added to its last refusal. */
void net_explain(const struct netlink_socket *socket);
