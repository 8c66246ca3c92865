/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values about interfaces that are made for a machine: names, then words like ip=10.0.0.2/24
 * between commas.
 * Zone: free.
 */
#pragma once

#include "base/names.h"
#include "config/settings.h"

struct new_link_request;

enum new_link_kind {
	NEW_LINK_BRIDGE, /* BRIDGE[:NAME] */
	NEW_LINK_TAP,    /* NAME */
	NEW_LINK_VETH,   /* [:NAME] */
};

/* What each is called by verbs and options. */
extern const struct names new_link_kinds;

/*
 * Reads 'value', which it keeps no pointer to, into the arena of asking->config. Complains in the
 * name of asking->noun; of 'asking' nothing else is looked at.
 */
int new_link_read(const struct asking *asking, enum new_link_kind kind, const char *value,
		  struct new_link_request *ret);

/* Parsers of the settings table, of list fields. */
int set_network_bridge(const struct asking *asking, const char *value);
int set_network_tap(const struct asking *asking, const char *value);
