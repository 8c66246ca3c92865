/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables of nf_tables that machines share, by netlink: 'nspawn' of the family ip, and another
 * of ip6, as the hooks of each cost a start more than all its mounts. Their rules never change;
 * machines come and go as elements of their sets. 'family' is AF_INET or AF_INET6. All return 0 or
 * a negative errno and say nothing; -EOPNOTSUPP or -EPROTONOSUPPORT: this kernel has no nf_tables.
 * Zone: owing. Whoever changes it holds the lock of net/zone.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/netlink.h"

#define NFT_TABLE "nspawn"

struct nft_table;

/* Sets of names of interfaces. */
enum nft_set {
	NFT_LINKS,   /* of machines: what comes from there may leave, as if it were the host's */
	NFT_GUARDED, /* forward because of us alone: nothing new may come in there */
	_NFT_SET_COUNT
};

/* A socket in the network that we are in. */
int nft_open(struct netlink_socket *ret);

/* Makes the table, unless it is there, with 'link' in its set of machines' links. */
int nft_make(struct netlink_socket *socket, int family, const char *link);
int nft_remove(struct netlink_socket *socket, int family);

/* An element that is there already is left as it is; one that is not there is removed already. */
int nft_add(struct netlink_socket *socket, int family, enum nft_set set, const char *link);
int nft_drop(struct netlink_socket *socket, int family, enum nft_set set, const char *link);

/* 'take' is called for each element; -ENOENT: there is no table. */
typedef int (*nft_taker)(const char *link, void *userdata);
int nft_list(struct netlink_socket *socket, int family, enum nft_set set, nft_taker take,
	     void *userdata);

/* The same for any set or map of a table of ours: all of the element, and its key. */
typedef int (*nft_element_taker)(const struct netlink_rest *inside, const struct netlink_rest *key,
				 void *userdata);
int nft_list_elements(struct netlink_socket *socket, const struct nft_table *table, const char *set,
		      nft_element_taker take, void *userdata);

/* The first attribute of the type among those of 'rest'. */
bool nft_find(struct netlink_rest rest, uint16_t type, struct netlink_rest *ret);

/* A chain of anybody's that packets pass on their way. */
struct nft_chain {
	uint8_t family;
	char table[64], name[64];
	uint32_t hook;  /* NF_INET_* */
	bool is_base;   /* else nothing but its names is known */
	bool is_filter; /* else it changes addresses or routes */
	bool is_closed; /* what no rule lets pass is dropped */
};

typedef int (*nft_chain_taker)(const struct nft_chain *chain, void *userdata);
int nft_list_chains(struct netlink_socket *socket, nft_chain_taker take, void *userdata);
