/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether ifup(8) in a tree would ask for an address that the interface has already.
 * Zone: doomed; free for the text alone.
 */
#pragma once

#include <stdbool.h>

/*
 * The first tells ifup(8) that host0 is done, the second who asks it (ifquery --state), the third
 * those of busybox and their like: lo, too, or they would fail at what is there.
 */
#define IFUPDOWN_DONE_INSIDE "/run/network/ifstate.host0"
#define IFUPDOWN_DONE "host0\n"
#define IFUPDOWN_STATE_INSIDE "/run/network/ifstate"
#define IFUPDOWN_STATE "host0=host0\n"
#define IFUPDOWN_SMALL_INSIDE "/run/ifstate"
#define IFUPDOWN_SMALL "lo=lo\nhost0=host0\n"

enum ifupdown_words {
	IFUPDOWN_NOTHING, /* about the interface */
	IFUPDOWN_ASK,     /* it gets its address by asking */
	IFUPDOWN_SAY,     /* an administrator of the machine says it: that counts */
};

/* Pure: what an interfaces(5) file says of host0. */
enum ifupdown_words ifupdown_read(const char *text);

/* True if the files of the tree have it ask, and nothing else. Silent. */
bool ifupdown_asks(int root_fd);
