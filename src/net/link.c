/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What rtnetlink wants for each kind of interface.
 * Zone: owing. Needs CAP_NET_ADMIN in each network namespace that is touched.
 */
#include "net/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <string.h>

#include "base/scope.h"
#include "config/config.h"

/* --- Found --- */

static void parse_bridge(struct netlink_rest rest, struct link *link)
{
	struct netlink_attribute attribute;

	while (netlink_next(&rest, &attribute))
		if (attribute.type == IFLA_BR_VLAN_FILTERING && attribute.length == 1)
			link->vlans = *attribute.bytes ? LINK_VLANS_FILTERED : LINK_VLANS_IGNORED;
}

static void parse_kind(struct netlink_rest rest, struct link *link)
{
	struct netlink_attribute attribute;
	struct netlink_rest data = {0};

	while (netlink_next(&rest, &attribute))
		if (attribute.type == IFLA_INFO_KIND)
			(void)netlink_text(&attribute, link->kind, sizeof(link->kind));
		else if (attribute.type == IFLA_INFO_DATA)
			data = (struct netlink_rest){attribute.bytes, attribute.length};
	if (strcmp(link->kind, "bridge") == 0)
		parse_bridge(data, link);
}

static void parse_alternatives(struct netlink_rest rest, const char *also, struct link *link)
{
	struct netlink_attribute attribute;
	char name[LINK_ALTERNATIVE_MAX + 1];

	while (netlink_next(&rest, &attribute))
		if (attribute.type == IFLA_ALT_IFNAME &&
		    netlink_text(&attribute, name, sizeof(name)) && strcmp(name, also) == 0)
			link->is_also = true;
}

static void parse_attribute(const struct netlink_attribute *attribute, const char *also,
			    struct link *link)
{
	const struct netlink_rest inside = {attribute->bytes, attribute->length};
	uint32_t number;

	switch (attribute->type) {
	case IFLA_IFNAME:
		(void)netlink_text(attribute, link->name, sizeof(link->name));
		break;
	case IFLA_MASTER:
		if (netlink_u32(attribute, &number))
			link->master = (int)number;
		break;
	case IFLA_LINK:
		if (netlink_u32(attribute, &number))
			link->peer = (int)number;
		break;
	case IFLA_ADDRESS:
		link->has_mac = attribute->length == sizeof(link->mac);
		if (link->has_mac)
			memcpy(link->mac, attribute->bytes, sizeof(link->mac));
		break;
	case IFLA_LINKINFO:
		parse_kind(inside, link);
		break;
	case IFLA_PROP_LIST:
		if (also)
			parse_alternatives(inside, also, link);
		break;
	default:
		break;
	}
}

bool link_parse(const struct netlink_rest *body, const char *also, struct link *ret)
{
	struct netlink_attribute attribute;
	struct netlink_rest rest;
	struct ifinfomsg head;
	struct link link = {0};

	if (!netlink_take_head(body, &head, sizeof(head), &rest))
		return false;
	link.index = head.ifi_index;
	link.flags = head.ifi_flags;
	while (netlink_next(&rest, &attribute))
		parse_attribute(&attribute, also, &link);
	if (link.index <= 0 || !link.name[0])
		return false;
	*ret = link;
	return true;
}

struct search {
	const char *also;
	struct link *ret;
	bool is_found;
};

static int take_link(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct search *search = userdata;

	if (type == RTM_NEWLINK)
		search->is_found = link_parse(body, search->also, search->ret);
	return 0;
}

static int find(struct netlink_socket *socket, struct netlink_message *message,
		struct search *search)
{
	TRY(netlink_call(socket, message, take_link, search));
	return search->is_found ? 0 : -EBADMSG;
}

int link_find(struct netlink_socket *socket, const char *name, const char *also, struct link *ret)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
	struct search search = {.also = also, .ret = ret};
	struct netlink_message message;

	netlink_begin(&message, RTM_GETLINK, 0, &body);
	/* The kernel looks for it among names of either kind, and this attribute takes long ones.
	 */
	netlink_put_text(&message, IFLA_ALT_IFNAME, name);
	return find(socket, &message, &search);
}

int link_find_index(struct netlink_socket *socket, int index, struct link *ret)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct search search = {.ret = ret};
	struct netlink_message message;

	netlink_begin(&message, RTM_GETLINK, 0, &body);
	return find(socket, &message, &search);
}

struct port_search {
	int bridge;
	bool has_port;
};

static int look_for_port(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct port_search *search = userdata;
	struct link link;

	/* A kernel may not know the filter by which we asked. */
	if (type == RTM_NEWLINK && link_parse(body, NULL, &link) && link.master == search->bridge)
		search->has_port = true;
	return 0;
}

int link_has_ports(struct netlink_socket *socket, int bridge, bool *ret)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
	struct port_search search = {.bridge = bridge};
	struct netlink_message message;

	netlink_begin(&message, RTM_GETLINK, NLM_F_DUMP, &body);
	netlink_put_u32(&message, IFLA_MASTER, (uint32_t)bridge);
	TRY(netlink_call(socket, &message, look_for_port, &search));
	*ret = search.has_port;
	return 0;
}

/* --- Made --- */

#define NEW (NLM_F_CREATE | NLM_F_EXCL)

int link_make_veth(struct netlink_socket *socket, const struct link_plan *plan, int master,
		   int inside_fd)
{
	const struct ifinfomsg down = {.ifi_family = AF_UNSPEC};
	const struct ifinfomsg up = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct netlink_message message;
	size_t info, data, peer;

	/* What is plugged into a bridge is nobody's to set up but ours. */
	netlink_begin(&message, RTM_NEWLINK, NEW,
		      master > 0 && !link_has_vlans(plan) ? &up : &down);
	netlink_put_text(&message, IFLA_IFNAME, plan->host);
	netlink_put(&message, IFLA_ADDRESS, plan->host_mac, sizeof(plan->host_mac));
	if (master > 0)
		netlink_put_u32(&message, IFLA_MASTER, (uint32_t)master);
	info = netlink_open(&message, IFLA_LINKINFO);
	netlink_put_text(&message, IFLA_INFO_KIND, "veth");
	data = netlink_open(&message, IFLA_INFO_DATA);
	peer = netlink_open(&message, VETH_INFO_PEER);
	netlink_put_raw(&message, &down, sizeof(down));
	netlink_put_text(&message, IFLA_IFNAME, plan->inside);
	netlink_put(&message, IFLA_ADDRESS, plan->inside_mac, sizeof(plan->inside_mac));
	netlink_put_u32(&message, IFLA_NET_NS_FD, (uint32_t)inside_fd);
	netlink_close(&message, peer);
	netlink_close(&message, data);
	netlink_close(&message, info);
	return netlink_call(socket, &message, NULL, NULL);
}

int link_make_child(struct netlink_socket *socket, const struct link_plan *plan, int parent,
		    int inside_fd)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
	bool is_macvlan = plan->kind == LINK_MACVLAN;
	const uint16_t layer_2 = IPVLAN_MODE_L2;
	struct netlink_message message;
	size_t info, data;

	netlink_begin(&message, RTM_NEWLINK, NEW, &body);
	netlink_put_text(&message, IFLA_IFNAME, plan->inside);
	netlink_put_u32(&message, IFLA_LINK, (uint32_t)parent);
	netlink_put_u32(&message, IFLA_NET_NS_FD, (uint32_t)inside_fd);
	if (is_macvlan)
		netlink_put(&message, IFLA_ADDRESS, plan->inside_mac, sizeof(plan->inside_mac));
	info = netlink_open(&message, IFLA_LINKINFO);
	netlink_put_text(&message, IFLA_INFO_KIND, is_macvlan ? "macvlan" : "ipvlan");
	data = netlink_open(&message, IFLA_INFO_DATA);
	if (is_macvlan)
		netlink_put_u32(&message, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	else
		netlink_put(&message, IFLA_IPVLAN_MODE, &layer_2, sizeof(layer_2));
	netlink_close(&message, data);
	netlink_close(&message, info);
	return netlink_call(socket, &message, NULL, NULL);
}

int link_make_bridge(struct netlink_socket *socket, const char *name,
		     const uint8_t mac[LINK_MAC_BYTES])
{
	const struct ifinfomsg down = {.ifi_family = AF_UNSPEC};
	struct netlink_message message;
	size_t info;

	netlink_begin(&message, RTM_NEWLINK, NEW, &down);
	netlink_put_text(&message, IFLA_IFNAME, name);
	netlink_put(&message, IFLA_ADDRESS, mac, LINK_MAC_BYTES);
	info = netlink_open(&message, IFLA_LINKINFO);
	netlink_put_text(&message, IFLA_INFO_KIND, "bridge");
	netlink_close(&message, info);
	return netlink_call(socket, &message, NULL, NULL);
}

/* --- VLANs of a bridge's port --- */

bool link_has_vlans(const struct link_plan *plan)
{
	return plan->bridge && plan->asked &&
	       (plan->asked->vlans.count > 0 || plan->asked->pvid > 0);
}

static void put_vlan(struct netlink_message *message, uint16_t flags, uint16_t vlan)
{
	const struct bridge_vlan_info info = {.flags = flags, .vid = vlan};

	netlink_put(message, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
}

static void put_vlans(struct netlink_message *message, const struct vlan_request *vlans)
{
	bool is_one = vlans->first == vlans->last;

	put_vlan(message, is_one ? 0 : BRIDGE_VLAN_INFO_RANGE_BEGIN, vlans->first);
	if (!is_one)
		put_vlan(message, BRIDGE_VLAN_INFO_RANGE_END, vlans->last);
}

int link_set_vlans(struct netlink_socket *socket, int port, const struct new_link_request *asked)
{
	static const struct vlan_request all = {.first = 1, .last = 4094};
	const struct ifinfomsg body = {.ifi_family = AF_BRIDGE, .ifi_index = port};
	struct netlink_message message;
	size_t list;

	netlink_begin(&message, RTM_DELLINK, 0, &body);
	list = netlink_open(&message, IFLA_AF_SPEC);
	put_vlans(&message, &all);
	netlink_close(&message, list);
	TRY(netlink_call(socket, &message, NULL, NULL));
	netlink_begin(&message, RTM_SETLINK, 0, &body);
	list = netlink_open(&message, IFLA_AF_SPEC);
	for (size_t i = 0; i < asked->vlans.count; i++)
		put_vlans(&message, &asked->vlans.items[i]);
	if (asked->pvid > 0)
		put_vlan(&message, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, asked->pvid);
	netlink_close(&message, list);
	return netlink_call(socket, &message, NULL, NULL);
}

int link_set_mac(struct netlink_socket *socket, int index, const uint8_t mac[LINK_MAC_BYTES])
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct netlink_message message;

	netlink_begin(&message, RTM_SETLINK, 0, &body);
	netlink_put(&message, IFLA_ADDRESS, mac, LINK_MAC_BYTES);
	return netlink_call(socket, &message, NULL, NULL);
}

static int change_flags(struct netlink_socket *socket, int index, unsigned int flags)
{
	const struct ifinfomsg body = {
		.ifi_index = index, .ifi_flags = flags, .ifi_change = IFF_UP};
	struct netlink_message message;

	netlink_begin(&message, RTM_SETLINK, 0, &body);
	return netlink_call(socket, &message, NULL, NULL);
}

int link_set_up(struct netlink_socket *socket, int index)
{
	return change_flags(socket, index, IFF_UP);
}

int link_set_down(struct netlink_socket *socket, int index)
{
	return change_flags(socket, index, 0);
}

int link_rename(struct netlink_socket *socket, int index, const char *name)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct netlink_message message;

	netlink_begin(&message, RTM_SETLINK, 0, &body);
	netlink_put_text(&message, IFLA_IFNAME, name);
	return netlink_call(socket, &message, NULL, NULL);
}

void link_trust_addresses(const char *name)
{
	char path[64];
	auto_close int fd = -EBADF;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%.15s/accept_dad", name);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		(void)!write(fd, "0", 1);
}

/* --- Moved, removed --- */

int link_move(struct netlink_socket *socket, int index, int namespace_fd, const char *name)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct netlink_message message;

	netlink_begin(&message, RTM_SETLINK, 0, &body);
	netlink_put_u32(&message, IFLA_NET_NS_FD, (uint32_t)namespace_fd);
	if (name)
		netlink_put_text(&message, IFLA_IFNAME, name);
	return netlink_call(socket, &message, NULL, NULL);
}

static int change_alternative(struct netlink_socket *socket, uint16_t type, uint16_t flags,
			      int index, const char *name)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct netlink_message message;
	size_t list;

	netlink_begin(&message, type, flags, &body);
	list = netlink_open(&message, IFLA_PROP_LIST);
	netlink_put_text(&message, IFLA_ALT_IFNAME, name);
	netlink_close(&message, list);
	return netlink_call(socket, &message, NULL, NULL);
}

int link_add_alternative(struct netlink_socket *socket, int index, const char *name)
{
	return change_alternative(socket, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_APPEND, index,
				  name);
}

int link_drop_alternative(struct netlink_socket *socket, int index, const char *name)
{
	return change_alternative(socket, RTM_DELLINKPROP, 0, index, name);
}
