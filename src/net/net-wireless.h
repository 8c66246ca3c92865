/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: an interface of the host that moves in with its radio (net/wireless.h), and comes back.
 * Zone: owing.
 */
#pragma once

#include "net/net-apply.h"

/*
 * Moves it and gives it the name link->inside. -EINVAL: it is not wireless. What is in
 * link->wireless afterwards is owed to net_wireless_back(), also on failure. Says nothing.
 */
int net_wireless_in(struct net *net, struct net_link *link);

/* -ENODEV: it is neither in the machine nor on the host any more. Says nothing. */
int net_wireless_back(struct net *net, const struct net_link *link);
