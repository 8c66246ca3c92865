/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces of Wi-Fi by nl80211, a family of generic netlink. The kernel moves them with their
 * radio only, all of a radio at once. All return 0 or a negative errno and say nothing.
 * Zone: owing. Needs CAP_NET_ADMIN in each network namespace that is touched.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/netlink.h"

struct wireless {
	uint64_t id;    /* of the interface, the same in every network; 0: not wireless */
	uint32_t radio; /* number of what nl80211 calls a wiphy; no later one ever has it */
	int index;      /* in the network that was asked; 0 without one */
};

struct wireless_socket {
	struct netlink_socket netlink;
	uint16_t family;
};

#define WIRELESS_CLOSED ((struct wireless_socket){.netlink = NETLINK_CLOSED})

/*
 * A socket in the network 'namespace_fd'; we are in 'home_fd', before and after. -ENOENT: nothing
 * is wireless on this kernel, and asking has not loaded what would be.
 */
int wireless_open(int namespace_fd, int home_fd, struct wireless_socket *ret);
void wireless_close(struct wireless_socket *socket);

/* -ENODEV: the interface is not wireless. */
int wireless_find(struct wireless_socket *socket, int index, struct wireless *ret);

/* -ENODEV: the interface of that id is not in this network. */
int wireless_find_id(struct wireless_socket *socket, uint64_t id, struct wireless *ret);

/* The greatest id in the radio: each new interface gets a greater one. */
int wireless_newest(struct wireless_socket *socket, uint32_t radio, uint64_t *ret);
int wireless_remove(struct wireless_socket *socket, uint64_t id);

/*
 * Into another network; interfaces keep their names where those are free. -ENODEV: the radio is not
 * in this network, -EOPNOTSUPP: its driver cannot.
 */
int wireless_move(struct wireless_socket *socket, uint32_t radio, int namespace_fd);

/* Take apart what the kernel says, for tests too. False: it makes no sense, or is another family.
 */
bool wireless_parse(const struct netlink_rest *body, struct wireless *ret);
bool wireless_parse_family(const struct netlink_rest *body, uint16_t *ret);
