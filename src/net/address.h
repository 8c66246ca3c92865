/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses and routes by rtnetlink(7): added, and listed. All return 0 or a negative errno and say
 * nothing.
 * Zone: owing; free for what lists.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/netlink.h"

#define ADDRESS_BYTES 16

/* Of IPv4 the first four bytes count. In the order of the network. */
struct address {
	int family; /* AF_INET, AF_INET6 */
	uint8_t bytes[ADDRESS_BYTES];
};

struct prefix {
	struct address address;
	unsigned int length; /* in bits */
};

/* Where packets to 'to' go. */
struct route {
	struct prefix to;
	int link; /* index of the interface; 0: none, they are dropped */
};

/* True if one prefix holds the other. */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/* "10.1.2.3" or "fd00::1" in 'ret' of ADDRESS_TEXT_MAX bytes, which it returns. */
#define ADDRESS_TEXT_MAX 48
const char *address_text(const struct address *address, char ret[ADDRESS_TEXT_MAX]);

/* It can be used at once, without asking whether others have it. */
int address_add(struct netlink_socket *socket, int link, const struct prefix *prefix);

/* Everything that no other route is for goes to 'gateway'. */
int route_add_default(struct netlink_socket *socket, int link, const struct address *gateway);

/* 'take' is called for each; a negative result ends the listing and is returned. */
typedef int (*route_taker)(const struct route *route, void *userdata);

/* Routes of one family to other machines, of whatever table; one of several ways is told as many.
 */
int route_list(struct netlink_socket *socket, int family, route_taker take, void *userdata);

/* The interface by which the host reaches the address; -EADDRNOTAVAIL: it is its own, or none. */
int route_find(struct netlink_socket *socket, const struct address *address, int *ret_link);

typedef int (*address_taker)(int link, const struct prefix *prefix, void *userdata);

/* Addresses that count beyond their link. */
int address_list(struct netlink_socket *socket, int family, address_taker take, void *userdata);
