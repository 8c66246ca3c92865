/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets packets of machines pass through the host, and nobody else's: forwarding on the interfaces
 * that they come and go by, and the table of net/nft.h. What is made for all machines goes with
 * the last.
 * Zone: owing. Whoever calls it holds the lock of net/zone.h.
 */
#pragma once

#include <stdbool.h>

#include "net/netlink.h"

/*
 * Opens the way for the interface 'link' of the host, whose index is 'index'. '*ret_ipv6' tells
 * whether IPv6 has one, too. Warns where there is none: the machine goes without.
 */
void forward_open(struct netlink_socket *routes, const char *link, int index, bool *ret_ipv6);

/*
 * The same once more, if the host has routes by interfaces that have no part in it yet. Takes the
 * lock itself, if so.
 */
void forward_open_new(const char *link);

/*
 * Takes back what was made for interfaces that are gone, and with the last of them the rest.
 * Returns 1 if there was anything.
 */
int forward_sweep(void);

/* True if packets of the family may pass from anywhere to the interface 'link', and back. */
bool forward_is_open(const char *link, int family);
