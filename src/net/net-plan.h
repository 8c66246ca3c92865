/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: the links of a machine to its host: what is made or moved, with names and addresses that
 * are the same at each start.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "net/setup-plan.h"

#define LINK_MAC_BYTES 6
#define LINK_NAME_MAX 15         /* IFNAMSIZ without its end */
#define LINK_ALTERNATIVE_MAX 127 /* ALTIFNAMSIZ without its end */

enum link_kind {
	LINK_MOVED,   /* an interface of the host that moves in and comes back */
	LINK_VETH,    /* a cable: one end outside, one inside */
	LINK_MACVLAN, /* shares an interface of the host, with an address of its own */
	LINK_IPVLAN,  /* the same with the address of that interface */
};

struct link_plan {
	enum link_kind kind;
	bool is_main;                   /* the cable of --network-veth */
	const char *host;               /* veth: the outer end; else the interface of the host */
	const char *host_alternative;   /* veth: what it would be called if names were longer */
	const char *inside;             /* its name in the machine */
	const char *inside_alternative; /* the same there; both NULL where the name is whole */
	const char *bridge;             /* what the outer end is plugged into, or NULL */
	bool bridge_is_zone;            /* made with the first machine, and removed with the last */
	uint8_t host_mac[LINK_MAC_BYTES], inside_mac[LINK_MAC_BYTES]; /* of what is made */
	enum setting setting; /* what asked for it, for --dry-run */
};

struct net_plan {
	struct link_plan *items;
	size_t count, room;
	const char *namespace_path;  /* to be joined, or NULL */
	struct net_setup_plan setup; /* of the main cable */
};

struct net_facts {
	uint8_t host_id[16];          /* the host's machine id, zero without one */
	bool may_make_links;          /* we have the rights over the host's network */
	struct net_setup_facts setup; /* filled by who may take addresses */
};

/*
 * Decides. Pure, everything is in the arena. Complains about names that are there twice, and about
 * links that an ordinary user cannot have.
 */
int net_plan_make(struct arena *arena, const struct config *config, const char *machine,
		  const struct net_facts *facts, struct net_plan *ret);

/*
 * Makes a name of an interface out of a longer one: its first 11 characters and four that are made
 * out of all of it. A short one is returned as it is, with *ret_alternative NULL.
 */
const char *net_name(struct arena *arena, const char *name, const char **ret_alternative);

/* The outer end of the cable of --network-veth; '*ret_alternative' as of net_name(). */
const char *net_cable(struct arena *arena, const struct config *config, const char *machine,
		      const char **ret_alternative);

/* "a2:…" in the arena. */
const char *net_mac_text(struct arena *arena, const uint8_t mac[LINK_MAC_BYTES]);

/* "veth", "macvlan" … for people. */
const char *link_kind_name(enum link_kind kind);
