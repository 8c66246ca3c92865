/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What rtnetlink wants for addresses and routes, and what it lists.
 * Zone: owing. What is listed is taken apart without trusting any length in it.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>

#include "base/scope.h"

/* How many bytes an address of a family has. */
static size_t address_size(int family)
{
	return family == AF_INET ? 4 : ADDRESS_BYTES;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	unsigned int bits = a->length < b->length ? a->length : b->length, rest = bits % 8;
	size_t whole = bits / 8;

	if (a->address.family != b->address.family ||
	    memcmp(a->address.bytes, b->address.bytes, whole) != 0)
		return false;
	return rest == 0 || (a->address.bytes[whole] ^ b->address.bytes[whole]) >> (8 - rest) == 0;
}

const char *address_text(const struct address *address, char ret[ADDRESS_TEXT_MAX])
{
	if (!inet_ntop(address->family, address->bytes, ret, ADDRESS_TEXT_MAX))
		ret[0] = '\0';
	return ret;
}

/* --- Changed --- */

int address_add(struct netlink_socket *socket, int link, const struct prefix *prefix)
{
	const struct ifaddrmsg body = {
		.ifa_family = (uint8_t)prefix->address.family,
		.ifa_prefixlen = (uint8_t)prefix->length,
		.ifa_flags = prefix->address.family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_index = (uint32_t)link,
	};
	size_t size = address_size(prefix->address.family);
	struct netlink_message message;

	netlink_begin_with(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body,
			   sizeof(body));
	netlink_put(&message, IFA_LOCAL, prefix->address.bytes, size);
	netlink_put(&message, IFA_ADDRESS, prefix->address.bytes, size);
	return netlink_call(socket, &message, NULL, NULL);
}

int route_add_default(struct netlink_socket *socket, int link, const struct address *gateway)
{
	const struct rtmsg body = {
		.rtm_family = (uint8_t)gateway->family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct netlink_message message;

	netlink_begin_with(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body,
			   sizeof(body));
	netlink_put(&message, RTA_GATEWAY, gateway->bytes, address_size(gateway->family));
	netlink_put_u32(&message, RTA_OIF, (uint32_t)link);
	return netlink_call(socket, &message, NULL, NULL);
}

/* --- Listed --- */

struct listing {
	int family;
	route_taker take_route;
	address_taker take_address;
	void *userdata;
};

static void take_bytes(const struct netlink_attribute *attribute, struct address *address)
{
	if (attribute->length == address_size(address->family))
		memcpy(address->bytes, attribute->bytes, attribute->length);
}

/* One route, several ways (struct rtnexthop of rtnetlink(7)). */
static int take_ways(const struct netlink_attribute *attribute, struct route route,
		     const struct listing *listing)
{
	struct netlink_rest rest = {attribute->bytes, attribute->length};
	struct rtnexthop way;

	while (rest.length >= sizeof(way)) {
		size_t length;

		memcpy(&way, rest.bytes, sizeof(way));
		length = NLMSG_ALIGN(way.rtnh_len);
		if (way.rtnh_len < sizeof(way) || way.rtnh_len > rest.length)
			return 0;
		route.link = way.rtnh_ifindex;
		TRY(listing->take_route(&route, listing->userdata));
		length = length < rest.length ? length : rest.length;
		rest.bytes += length;
		rest.length -= length;
	}
	return 0;
}

static int take_route(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	const struct listing *listing = userdata;
	struct netlink_attribute attribute, ways = {0};
	struct route route = {.to.address.family = listing->family};
	struct netlink_rest rest;
	struct rtmsg head;
	uint32_t number;

	if (type != RTM_NEWROUTE || !netlink_take_head(body, &head, sizeof(head), &rest) ||
	    head.rtm_family != listing->family || head.rtm_table == RT_TABLE_LOCAL ||
	    head.rtm_flags & RTM_F_CLONED || head.rtm_type == RTN_BROADCAST ||
	    head.rtm_type == RTN_MULTICAST || head.rtm_dst_len > 8 * ADDRESS_BYTES)
		return 0;
	route.to.length = head.rtm_dst_len;
	while (netlink_next(&rest, &attribute))
		if (attribute.type == RTA_DST)
			take_bytes(&attribute, &route.to.address);
		else if (attribute.type == RTA_MULTIPATH)
			ways = attribute;
		else if (attribute.type == RTA_OIF && netlink_u32(&attribute, &number))
			route.link = (int)number;
	return ways.bytes ? take_ways(&ways, route, listing)
			  : listing->take_route(&route, listing->userdata);
}

int route_list(struct netlink_socket *socket, int family, route_taker take, void *userdata)
{
	struct listing listing = {.family = family, .take_route = take, .userdata = userdata};
	const struct rtmsg body = {.rtm_family = (uint8_t)family};
	struct netlink_message message;

	netlink_begin_with(&message, RTM_GETROUTE, NLM_F_DUMP, &body, sizeof(body));
	return netlink_call(socket, &message, take_route, &listing);
}

static int take_found(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct netlink_attribute attribute;
	struct netlink_rest rest;
	struct rtmsg head;
	uint32_t number;

	if (type != RTM_NEWROUTE || !netlink_take_head(body, &head, sizeof(head), &rest) ||
	    head.rtm_type != RTN_UNICAST)
		return 0;
	while (netlink_next(&rest, &attribute))
		if (attribute.type == RTA_OIF && netlink_u32(&attribute, &number))
			*(int *)userdata = (int)number;
	return 0;
}

int route_find(struct netlink_socket *socket, const struct address *address, int *ret_link)
{
	size_t size = address_size(address->family);
	const struct rtmsg body = {
		.rtm_family = (uint8_t)address->family,
		.rtm_dst_len = (uint8_t)(8 * size),
	};
	struct netlink_message message;
	int link = 0;

	netlink_begin_with(&message, RTM_GETROUTE, 0, &body, sizeof(body));
	netlink_put(&message, RTA_DST, address->bytes, size);
	TRY(netlink_call(socket, &message, take_found, &link));
	if (link == 0)
		return -EADDRNOTAVAIL;
	*ret_link = link;
	return 0;
}

static int take_address(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	const struct listing *listing = userdata;
	struct prefix prefix = {.address.family = listing->family};
	struct netlink_attribute attribute;
	struct netlink_rest rest;
	struct ifaddrmsg head;
	bool is_local_said = false;

	if (type != RTM_NEWADDR || !netlink_take_head(body, &head, sizeof(head), &rest) ||
	    head.ifa_family != listing->family || head.ifa_scope >= RT_SCOPE_LINK)
		return 0;
	prefix.length = head.ifa_prefixlen;
	while (netlink_next(&rest, &attribute)) {
		if (attribute.type == IFA_LOCAL ||
		    (attribute.type == IFA_ADDRESS && !is_local_said))
			take_bytes(&attribute, &prefix.address);
		is_local_said |= attribute.type == IFA_LOCAL;
	}
	return prefix.length <= 8 * address_size(listing->family)
		       ? listing->take_address((int)head.ifa_index, &prefix, listing->userdata)
		       : 0;
}

int address_list(struct netlink_socket *socket, int family, address_taker take, void *userdata)
{
	struct listing listing = {.family = family, .take_address = take, .userdata = userdata};
	const struct ifaddrmsg body = {.ifa_family = (uint8_t)family};
	struct netlink_message message;

	netlink_begin_with(&message, RTM_GETADDR, NLM_F_DUMP, &body, sizeof(body));
	return netlink_call(socket, &message, take_address, &listing);
}
