/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bridges that the first machine of a zone makes and the last one removes. In between, whoever
 * looks at what is plugged in holds a lock, which systemd-nspawn takes as well. Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/link-remove.h"
#include "net/net-plan.h"
#include "net/netlink.h"

#define ZONE_LOCK "/run/systemd/nspawn-network-zone"

/* Of whoever plugs something in, from zone_enter() to zone_finish(). */
struct zone_entry {
	const char *name; /* of the bridge */
	int bridge;       /* its index */
	int lock_fd;      /* nobody else removes it meanwhile */
	bool is_new;
};

/*
 * Finds or makes the bridge 'name' of a zone, a new one with the address 'mac'. Complains itself.
 *
 * A new one has another name until zone_finish(): a network manager that sees it sooner sets it up,
 * sees it lose its carrier with the first cable, which is still down, and get it back, and
 * systemd-networkd gives it another subnet then than the one that its DHCP server has offered.
 */
int zone_enter(struct netlink_socket *socket, const char *name, const uint8_t mac[LINK_MAC_BYTES],
	       struct zone_entry *ret);

/*
 * Something is plugged in: the bridge has its name, and is up. Or nothing is, where 'r' is an
 * error: a new bridge is gone again. Drops the lock; returns 'r' or what failed here, after a
 * complaint.
 */
int zone_finish(struct netlink_socket *socket, struct zone_entry *entry, int r);

/* The lock alone, for what machines of the host share besides. Silent. */
int zone_lock(int *ret_lock_fd);
void zone_unlock(int *lock_fd);

/*
 * Removes the bridge if nothing is plugged in. Returns 1 if it did, 0 if not. Warns where it cannot
 * tell.
 */
int zone_leave(struct netlink_socket *socket, const char *bridge, enum link_farewell farewell);
