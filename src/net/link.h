/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces by rtnetlink(7): found, made, moved and removed, one question to the kernel
 * each. All return 0 or a negative errno and say nothing.
 * Zone: owing.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/netlink.h"
#include "net/net-plan.h"

#define LINK_KIND_MAX 16

/* What a bridge does with the VLANs of its ports. */
enum link_vlans {
	LINK_VLANS_UNKNOWN, /* no bridge, or of a kernel that cannot */
	LINK_VLANS_IGNORED,
	LINK_VLANS_FILTERED,
};

/* What is known of an interface. */
struct link {
	int index;
	unsigned int flags; /* IFF_* */
	int master;         /* index of the bridge that it is plugged into, or 0 */
	char name[IFNAMSIZ];
	char kind[LINK_KIND_MAX]; /* "veth", "bridge"; "" for hardware */
	uint8_t mac[LINK_MAC_BYTES];
	bool has_mac;
	enum link_vlans vlans; /* of a bridge */
	int peer;              /* index, in its network, of the other end or what it is made of */
	bool is_also; /* it is known by the other name, too, that link_find() was asked about */
};

/*
 * By its name or one of its alternative names; -ENODEV: there is none. 'also' may be NULL.
 */
int link_find(struct netlink_socket *socket, const char *name, const char *also, struct link *ret);
int link_find_index(struct netlink_socket *socket, int index, struct link *ret);

/* True in '*ret' if anything is plugged into the bridge. */
int link_has_ports(struct netlink_socket *socket, int bridge, bool *ret);

/* Both ends, the inner one in the network namespace 'inside_fd'; the outer one into 'master', or 0.
 */
int link_make_veth(struct netlink_socket *socket, const struct link_plan *plan, int master,
		   int inside_fd);

/* A macvlan in bridge mode, or an ipvlan of layer 2, of 'parent'; made in 'inside_fd'. */
int link_make_child(struct netlink_socket *socket, const struct link_plan *plan, int parent,
		    int inside_fd);

/* A bridge, still down. The address is its own and not, as by default, one of what is plugged in.
 */
int link_make_bridge(struct netlink_socket *socket, const char *name,
		     const uint8_t mac[LINK_MAC_BYTES]);

/* What is said of it with vlan= and pvid=. */
bool link_has_vlans(const struct link_plan *plan);

/* The VLANs of a bridge's port: these, and not the one that each port has by default. */
int link_set_vlans(struct netlink_socket *socket, int port, const struct new_link_request *asked);

int link_set_mac(struct netlink_socket *socket, int index, const uint8_t mac[LINK_MAC_BYTES]);
int link_set_up(struct netlink_socket *socket, int index);
int link_set_down(struct netlink_socket *socket, int index);
int link_rename(struct netlink_socket *socket, int index, const char *name);

/*
 * Before it is up, in the network that we are in: its addresses of IPv6 can be used at once,
 * without asking for a second whether others have them. Silent.
 */
void link_trust_addresses(const char *name);

/* Into another network namespace, under the name 'name', or NULL for the one it has. */
int link_move(struct netlink_socket *socket, int index, int namespace_fd, const char *name);

int link_add_alternative(struct netlink_socket *socket, int index, const char *name);
int link_drop_alternative(struct netlink_socket *socket, int index, const char *name);

/* Takes apart what RTM_NEWLINK says, for link_find() and for tests. False: it makes no sense. */
bool link_parse(const struct netlink_rest *body, const char *also, struct link *ret);
