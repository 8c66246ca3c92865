/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces go. The kernel takes one out of its lists and files, then waits for all processors to
 * be done with it, ten times as long, and only then answers who asked.
 * Zone: owing.
 */
#pragma once

#include "net/netlink.h"

enum link_farewell {
	LINK_WAIT,
	/*
	 * Who is about to end need not wait. A process that outlives us by some 20 ms does, with
	 * nothing else open; it is our child, and its 16 KiB stay. Kernels before 6.2 do not say
	 * early enough that the interface is gone.
	 */
	LINK_LEAVE,
};

/* Returns 0 or a negative errno, silently; the interface is gone then for everybody. */
int link_remove(struct netlink_socket *socket, int index, enum link_farewell farewell);
