/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of the host that a machine needs may be about to appear, or to be renamed.
 * Zone: free.
 */
#pragma once

#include "net/link.h"

/*
 * As link_find(), but waits, a few seconds at most and not silently, for one that is not there yet
 * or that udev is not done with. Complains itself.
 */
int link_wait(struct netlink_socket *socket, const char *name, const char *also, struct link *ret);
