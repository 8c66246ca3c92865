/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: addresses for the two ends of the cable of --network-veth, and what is written in the
 * machine about them, where nobody else sets the network up.
 * Zone: free. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "net/address.h"

struct config;

/* By which a line of ours is known again. */
#define NET_HOSTS_MARK "# nspawn"

/* What one family gets: 'host' and 'guest' with the length of their common prefix. */
struct net_addresses {
	bool is_used;
	struct prefix host, guest;
};

/* FOUND, and taken: see net/setup-find.h. */
struct net_setup_facts {
	bool is_found;   /* the addresses below are the machine's */
	bool is_managed; /* a systemd-networkd of the host sets up our end */
	struct net_addresses ipv4, ipv6;
	struct strings servers;  /* of names, that can be reached through the host */
	const char *resolv_conf; /* with these and whatever else the host's says; NULL: none */
};

/* Who does what. */
struct net_setup_plan {
	bool does_host, does_guest;
	const char *link; /* of the host, with its address: the end of the cable, or the zone's
			     bridge */
	struct net_addresses ipv4, ipv6;
	const char *hosts;        /* lines for /etc/hosts, or NULL */
	const char *network_file; /* for a systemd-networkd in the machine, or NULL */
	const char *resolv_conf;  /* NULL: it gets none from us */
};

/* Where the host's end has its address, "vz-ZONE" or the outer end 'cable'; NULL: it has none. */
const char *net_setup_link(struct arena *arena, const struct config *config, const char *cable);

/* Addresses a machine of this network may have. */
struct net_candidate_request {
	const uint8_t *host_id; /* 16 bytes */
	const char *network;    /* the machine's name, or that of the zone's bridge */
	const char *machine;
	bool is_shared; /* a zone: the machine is one of many */
};

#define NET_CANDIDATES 48 /* subnets */
#define NET_PLACES 253    /* in a zone's subnet */

/* Number 'number' of the subnets, in the order of preference. */
void net_candidate(const struct net_candidate_request *request, unsigned int number,
		   struct net_addresses *ipv4, struct net_addresses *ipv6);

/* Place 'number' for the guest in a shared subnet; false: that is the host's. */
bool net_candidate_place(const struct net_candidate_request *request, unsigned int number,
			 struct net_addresses *addresses);

/* The subnet of an address: what is beyond the prefix is zero. */
struct prefix net_subnet(const struct prefix *prefix);

/*
 * Of a resolv.conf(5), what counts in another network: servers that are there only for the host
 * itself are left out. NULL if there is no other.
 */
const char *net_resolv_conf(struct arena *arena, const char *text, struct strings *servers);

void net_setup_plan_make(struct arena *arena, const struct config *config,
			 const struct net_setup_facts *facts, const char *link,
			 struct net_setup_plan *ret);
