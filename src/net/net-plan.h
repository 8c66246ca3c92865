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
	LINK_TAP,     /* inside only: a program there is its other end */
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
	uint8_t bridge_mac[LINK_MAC_BYTES];                           /* of a zone */
	enum setting setting; /* what asked for it, for --dry-run */
	/* What was said about it between commas, or NULL. */
	const struct new_link_request *asked;
	unsigned int number; /* veth: of those that get their names from us, the first is 0 */
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

/*
 * Cables of a machine that get their names from us are numbered from 0. The names of all but the
 * first end in a plus and the number, which no machine's name has in it.
 */
#define NET_CABLES_MAX 64

/*
 * Fills names, addresses and number of a veth, which is in a bridge if link->bridge is set. What it
 * is called inside, and with which address, is as link->asked says. Pure.
 */
void net_plan_cable(struct arena *arena, const char *machine, const struct net_facts *facts,
		    unsigned int number, struct link_plan *link);

/* Fills the names and the address of a tap, as link->asked says. Pure. */
void net_plan_tap(struct arena *arena, const char *machine, const struct net_facts *facts,
		  unsigned int number, struct link_plan *link);

/*
 * Every cable that a machine of that name may have had, when nobody remembers which it was: a plan
 * for net_clean() and for nothing else. Pure.
 */
void net_plan_assume(struct arena *arena, const char *machine, const struct net_facts *facts,
		     struct net_plan *ret);

/* The outer end of the cable of --network-veth; '*ret_alternative' as of net_name(). */
const char *net_cable(struct arena *arena, const struct config *config, const char *machine,
		      const char **ret_alternative);

/* "a2:…" in the arena. */
const char *net_mac_text(struct arena *arena, const uint8_t mac[LINK_MAC_BYTES]);

/* "veth", "macvlan" … for people. */
const char *link_kind_name(enum link_kind kind);
