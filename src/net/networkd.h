/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: whether a systemd-networkd in our network sets up an interface of a given name.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"

/* 'kind' is that of rtnetlink: "veth", "bridge". Silent: what cannot be looked at does nothing. */
bool networkd_manages(struct arena *arena, const char *link, const char *kind);

/* Pure: whether a systemd.network(5) file is about an interface of that name and kind. */
bool networkd_file_matches(struct arena *arena, const char *text, const char *link,
			   const char *kind);
