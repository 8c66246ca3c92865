/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: the servers of names that the host asks, and when it asks others.
 * Zone: free.
 */
#pragma once

#include <errno.h>

#include "base/arena.h"

#define NO_WATCH (-EBADF)

/*
 * What of the host's resolv.conf(5) counts in a network behind it, with the servers that can be
 * reached from there (net_resolv_conf()), or NULL. What was read is watched from then on by
 * 'watch_fd', a descriptor of inotify(7), if it is not NO_WATCH. Silent.
 */
const char *resolvers_read(struct arena *arena, int watch_fd, struct strings *servers);

/* Takes what the non-blocking 'watch_fd' has to say; it may be of other files. */
void resolvers_drain(int watch_fd);
