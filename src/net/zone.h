/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bridges that the first machine of a zone makes and the last one removes. In between, whoever
 * looks at what is plugged in holds a lock, which systemd-nspawn takes as well. Zone: owing.
 */
#pragma once

#include "net/netlink.h"

#define ZONE_LOCK "/run/systemd/nspawn-network-zone"

/*
 * Finds or makes the bridge of a zone; until zone_unlock() nobody removes it, and by then something
 * has to be plugged in. Complains itself.
 */
int zone_enter(struct netlink_socket *socket, const char *bridge, int *ret_lock_fd, int *ret_index);
void zone_unlock(int *lock_fd);

/* The lock alone, for what machines of the host share besides. Silent. */
int zone_lock(int *ret_lock_fd);

/*
 * Removes the bridge if nothing is plugged in. Returns 1 if it did, 0 if not. Warns where it cannot
 * tell.
 */
int zone_leave(struct netlink_socket *socket, const char *bridge);
