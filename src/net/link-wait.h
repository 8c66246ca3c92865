/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of the host that a machine needs may be about to appear, or to be renamed.
 * Zone: free.
 */
#pragma once

#include "net/link.h"

struct link_want {
	const char *name, *also; /* as of link_find() */
	bool may_wait;           /* else one that is there is taken as it is */
};

/*
 * As link_find(), but waits, a few seconds at most and not silently, for one that is not there yet
 * or that udev is not done with. Complains itself.
 */
int link_wait(struct netlink_socket *socket, const struct link_want *want, struct link *ret);
