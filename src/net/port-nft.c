/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes in is led on before it is routed, what the host itself sends is led on as well, to
 * 127.0.0.1 too. For that the kernel has to route loopback addresses over the machine's link
 * (route_localnet), which is why nothing that comes from there may have one.
 * Zone: owing.
 */
#include "net/port-nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/scope.h"
#include "net/nft.h"
#include "net/nft-write.h"

#define WAYS "ways" /* interfaces that lead to machines */

/* How nft(8) shall print keys and values; it packs types of six bits. */
#define TYPE_IPV4 7u
#define TYPE_IPV6 8u
#define TYPE_PROTOCOL 12u
#define TYPE_PORT 13u

static const struct nft_table table = {NFPROTO_INET, "nspawn-ports"};

#define WORD 4 /* every part of a key begins at one */

/* Maps from a port to a machine's address and port: for every address of the host, and for one. */
static const struct map {
	const char *name;
	int family;
	bool has_address;
	uint32_t key_type, value_type;
} maps[] = {
	{"ports", AF_INET, false, TYPE_PROTOCOL << 6 | TYPE_PORT, TYPE_IPV4 << 6 | TYPE_PORT},
	{"ports_at", AF_INET, true, (TYPE_IPV4 << 6 | TYPE_PROTOCOL) << 6 | TYPE_PORT,
	 TYPE_IPV4 << 6 | TYPE_PORT},
	{"ports6", AF_INET6, false, TYPE_PROTOCOL << 6 | TYPE_PORT, TYPE_IPV6 << 6 | TYPE_PORT},
	{"ports6_at", AF_INET6, true, (TYPE_IPV6 << 6 | TYPE_PROTOCOL) << 6 | TYPE_PORT,
	 TYPE_IPV6 << 6 | TYPE_PORT},
};

static size_t address_size(const struct map *map)
{
	return map->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static size_t key_size(const struct map *map)
{
	return (map->has_address ? address_size(map) : 0) + WORD + WORD;
}

/* --- Expressions --- */

static void load(struct netlink_message *message, uint32_t base, uint32_t at, uint32_t length,
		 uint32_t reg)
{
	struct nft_expression expression = nft_expression_open(message, "payload");

	nft_put_number(message, NFTA_PAYLOAD_DREG, reg);
	nft_put_number(message, NFTA_PAYLOAD_BASE, base);
	nft_put_number(message, NFTA_PAYLOAD_OFFSET, at);
	nft_put_number(message, NFTA_PAYLOAD_LEN, length);
	nft_expression_close(message, expression);
}

/* Whether the address of the packet is one of the host's own. */
static void match_own(struct netlink_message *message, uint32_t address, uint32_t operation)
{
	struct nft_expression expression = nft_expression_open(message, "fib");
	const uint32_t local = RTN_LOCAL;

	nft_put_number(message, NFTA_FIB_DREG, NFT_REG_1);
	nft_put_number(message, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nft_put_number(message, NFTA_FIB_FLAGS, address);
	nft_expression_close(message, expression);
	nft_match(message, operation, &local, sizeof(local));
}

/* The address and port that the map has, in the registers from 'value' and 'port' on. */
static void lead_on(struct netlink_message *message, const struct map *map, uint32_t port)
{
	struct nft_expression expression = nft_expression_open(message, "lookup");

	netlink_put_text(message, NFTA_LOOKUP_SET, map->name);
	nft_put_number(message, NFTA_LOOKUP_SREG, NFT_REG32_00);
	nft_put_number(message, NFTA_LOOKUP_DREG, NFT_REG32_00);
	nft_expression_close(message, expression);
	expression = nft_expression_open(message, "nat");
	nft_put_number(message, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nft_put_number(message, NFTA_NAT_FAMILY,
		       map->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nft_put_number(message, NFTA_NAT_REG_ADDR_MIN, NFT_REG32_00);
	nft_put_number(message, NFTA_NAT_REG_PROTO_MIN, port);
	nft_expression_close(message, expression);
}

#define AT_SOURCE_4 12
#define AT_DESTINATION_4 16
#define AT_DESTINATION_6 24
#define AT_PORT 2

static void rule_of_map(struct netlink_message *message, const struct map *map)
{
	bool is_4 = map->family == AF_INET;
	uint32_t size = (uint32_t)address_size(map), reg = NFT_REG32_00;

	nft_match_family(message, is_4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	if (map->has_address) {
		load(message, NFT_PAYLOAD_NETWORK_HEADER,
		     is_4 ? AT_DESTINATION_4 : AT_DESTINATION_6, size, reg);
		reg += size / WORD;
	}
	nft_load_meta(message, NFT_META_L4PROTO, reg);
	load(message, NFT_PAYLOAD_TRANSPORT_HEADER, AT_PORT, sizeof(uint16_t), reg + 1);
	lead_on(message, map, NFT_REG32_00 + size / WORD);
}

static void rule_ports(struct netlink_message *message)
{
	rule_of_map(message, &maps[0]);
}

static void rule_ports_at(struct netlink_message *message)
{
	rule_of_map(message, &maps[1]);
}

static void rule_ports_6(struct netlink_message *message)
{
	rule_of_map(message, &maps[2]);
}

static void rule_ports_6_at(struct netlink_message *message)
{
	rule_of_map(message, &maps[3]);
}

/* Answers of a machine to its neighbour, or to itself, would not come by here: a process serves. */
static void rule_from_machines(struct netlink_message *message)
{
	nft_match_link(message, NFT_META_IIFNAME, WAYS, false);
	nft_conclude(message, NF_ACCEPT);
}

static void rule_not_ours(struct netlink_message *message)
{
	match_own(message, NFTA_FIB_F_DADDR, NFT_CMP_NEQ);
	nft_conclude(message, NF_ACCEPT);
}

/* IPv6 has no way for ::1 but its own interface. */
static void rule_loopback_6(struct netlink_message *message)
{
	nft_match_family(message, NFPROTO_IPV6);
	load(message, NFT_PAYLOAD_NETWORK_HEADER, AT_DESTINATION_6, sizeof(in6addr_loopback),
	     NFT_REG_1);
	nft_match(message, NFT_CMP_EQ, &in6addr_loopback, sizeof(in6addr_loopback));
	nft_conclude(message, NF_ACCEPT);
}

/* The machine can answer to the address of the link, and to no other of the host's by all means. */
static void rule_from_host(struct netlink_message *message)
{
	nft_match_link(message, NFT_META_OIFNAME, WAYS, false);
	nft_match_connection(message, NFT_CT_STATUS, IPS_DST_NAT);
	match_own(message, NFTA_FIB_F_SADDR, NFT_CMP_EQ);
	nft_expression_close(message, nft_expression_open(message, "masq"));
}

static void drop_loopback(struct netlink_message *message, uint32_t at)
{
	const uint8_t net = IN_LOOPBACKNET;

	nft_match_family(message, NFPROTO_IPV4);
	nft_match_link(message, NFT_META_IIFNAME, WAYS, false);
	load(message, NFT_PAYLOAD_NETWORK_HEADER, at, sizeof(net), NFT_REG_1);
	nft_match(message, NFT_CMP_EQ, &net, sizeof(net));
	nft_conclude(message, NF_DROP);
}

static void rule_to_loopback(struct netlink_message *message)
{
	drop_loopback(message, AT_DESTINATION_4);
}

static void rule_as_loopback(struct netlink_message *message)
{
	drop_loopback(message, AT_SOURCE_4);
}

/* --- The table --- */

static const struct {
	const char *name, *type;
	uint32_t hook;
	int priority;
} chains[] = {
	{"shield", "filter", NF_INET_PRE_ROUTING, -300},
	{"arriving", "nat", NF_INET_PRE_ROUTING, -100},
	{"calling", "nat", NF_INET_LOCAL_OUT, -100},
	{"leaving", "nat", NF_INET_POST_ROUTING, 99},
};

static const struct {
	const char *chain;
	nft_rule_writer write;
} rules[] = {
	{"shield", rule_to_loopback},     {"shield", rule_as_loopback},
	{"arriving", rule_from_machines}, {"arriving", rule_not_ours},
	{"arriving", rule_ports_at},      {"arriving", rule_ports},
	{"arriving", rule_ports_6_at},    {"arriving", rule_ports_6},
	{"calling", rule_loopback_6},     {"calling", rule_not_ours},
	{"calling", rule_ports_at},       {"calling", rule_ports},
	{"calling", rule_ports_6_at},     {"calling", rule_ports_6},
	{"leaving", rule_from_host},
};

static void add_sets(struct netlink_batch *batch)
{
	struct netlink_message message;

	nft_add_link_set(batch, &table, WAYS, 1);
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		nft_begin_set(&message, &table, maps[i].name, (uint32_t)i + 2, maps[i].key_type,
			      key_size(&maps[i]));
		nft_put_number(&message, NFTA_SET_FLAGS, NFT_SET_MAP);
		nft_put_number(&message, NFTA_SET_DATA_TYPE, maps[i].value_type);
		nft_put_number(&message, NFTA_SET_DATA_LEN,
			       (uint32_t)address_size(&maps[i]) + WORD);
		netlink_batch_add(batch, &message, false);
	}
}

static int make_table(struct netlink_socket *socket)
{
	struct netlink_batch batch;
	int r;

	nft_batch_begin(&batch);
	nft_add_table(&batch, &table);
	add_sets(&batch);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		nft_add_chain(&batch, &table, chains[i].name, chains[i].type, chains[i].hook,
			      chains[i].priority);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		nft_add_rule(&batch, &table, rules[i].chain, rules[i].write);
	r = nft_batch_call(socket, &batch);
	return r == -EEXIST ? 0 : r;
}

/* --- Elements --- */

static void put_port(uint8_t *bytes, uint16_t port)
{
	const uint16_t number = htons(port);

	memcpy(bytes, &number, sizeof(number));
}

/* False: the port is not of this map. */
static bool make_element(const struct map *map, const struct port_request *port,
			 struct nft_element *ret)
{
	size_t at = map->has_address ? address_size(map) : 0;

	if (map->has_address != (port->family != AF_UNSPEC) ||
	    (map->has_address && port->family != map->family))
		return false;
	*ret = (struct nft_element){.set = map->name, .key_length = key_size(map)};
	memcpy(ret->key, port->address, at);
	ret->key[at] = port->protocol;
	put_port(ret->key + at + WORD, port->host);
	return true;
}

static int write_localnet(const char *way, bool is_on)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%.15s/route_localnet", way);
	return file_write(AT_FDCWD, path, is_on ? "1" : "0");
}

/* First the shield, then what it is for. */
static int open_way(struct netlink_socket *socket, const char *way)
{
	const struct nft_element element = nft_link_element(WAYS, way);

	TRY(nft_change(socket, &table, NFT_MSG_NEWSETELEM, &element));
	return write_localnet(way, true);
}

static int for_ports(struct netlink_socket *socket, const struct port_requests *ports,
		     const struct port_owner *owner, const struct address *target)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		for (size_t j = 0; maps[i].family == target->family && j < ports->count; j++) {
			struct nft_element element;

			if (!make_element(&maps[i], &ports->items[j], &element))
				continue;
			/* We hold the port, so whoever's it was has it no more. */
			TRY(nft_change(socket, &table, NFT_MSG_DELSETELEM, &element));
			if (!owner)
				continue;
			element.value_length = address_size(&maps[i]) + WORD;
			memcpy(element.value, target->bytes, address_size(&maps[i]));
			put_port(element.value + address_size(&maps[i]), ports->items[j].inside);
			(void)snprintf(element.note, sizeof(element.note), "%.15s %.15s",
				       owner->cable, owner->way);
			TRY(nft_change(socket, &table, NFT_MSG_NEWSETELEM, &element));
		}
	return 0;
}

int port_nft_set(const struct port_owner *owner, const struct port_requests *ports,
		 const struct address *target)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket socket =
		NETLINK_CLOSED;

	TRY(nft_open(&socket));
	TRY(make_table(&socket));
	TRY(open_way(&socket, owner->way));
	return for_ports(&socket, ports, owner, target);
}

int port_nft_drop(const struct port_requests *ports, int family)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket socket =
		NETLINK_CLOSED;
	const struct address target = {.family = family};
	int r;

	TRY(nft_open(&socket));
	r = for_ports(&socket, ports, NULL, &target);
	return r == -ENOENT ? 0 : r;
}

/* --- Swept --- */

struct elements {
	struct nft_element *items;
	size_t count, room;
	const char *set;
	struct arena *arena;
};

static void take_note(const struct netlink_rest *inside, struct nft_element *element)
{
	struct netlink_rest note;

	if (!nft_find(*inside, NFTA_SET_ELEM_USERDATA, &note) || note.length < 3 ||
	    note.bytes[0] != NFT_NOTE_IS_COMMENT || (size_t)note.bytes[1] + 2 > note.length)
		return;
	(void)snprintf(element->note, sizeof(element->note), "%.*s", (int)note.bytes[1],
		       (const char *)note.bytes + 2);
}

static int take_element(const struct netlink_rest *inside, const struct netlink_rest *key,
			void *userdata)
{
	struct elements *elements = userdata;
	struct nft_element *element;

	if (key->length > NFT_KEY_MAX)
		return 0;
	element = ARRAY_ADD(elements->arena, elements);
	element->set = elements->set;
	element->key_length = key->length;
	memcpy(element->key, key->bytes, key->length);
	take_note(inside, element);
	return 0;
}

/* The note of an element is its cable and its way. The way of one whose cable is there, in 'ret';
 * false: it is gone, or 'except'. */
static bool read_way(const struct nft_element *element, const char *except, char ret[IFNAMSIZ])
{
	char cable[IFNAMSIZ] = "";

	return sscanf(element->note, "%15s %15s", cable, ret) == 2 && if_nametoindex(cable) > 0 &&
	       (!except || strcmp(cable, except) != 0);
}

static int list_all(struct netlink_socket *socket, struct elements *elements)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		elements->set = maps[i].name;
		TRY(nft_list_elements(socket, &table, maps[i].name, take_element, elements));
	}
	return 0;
}

static bool leads_anywhere(const struct elements *elements, const char *except, const char *way)
{
	char name[IFNAMSIZ];

	for (size_t i = 0; i < elements->count; i++)
		if (read_way(&elements->items[i], except, name) && strcmp(name, way) == 0)
			return true;
	return false;
}

/* What leads there is closed before what shields it. */
static int close_ways(struct netlink_socket *socket, const struct elements *elements,
		      const char *except)
{
	struct elements ways = {.set = WAYS, .arena = elements->arena};

	TRY(nft_list_elements(socket, &table, WAYS, take_element, &ways));
	for (size_t i = 0; i < ways.count; i++) {
		const char *way = (const char *)ways.items[i].key;

		if (leads_anywhere(elements, except, way))
			continue;
		(void)write_localnet(way, false);
		TRY(nft_change(socket, &table, NFT_MSG_DELSETELEM, &ways.items[i]));
	}
	return 0;
}

int port_nft_sweep(const char *cable)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket socket =
		NETLINK_CLOSED;
	auto_arena struct arena arena = {0};
	struct elements elements = {.arena = &arena};
	char way[IFNAMSIZ];
	size_t kept = 0;
	int r;

	TRY(nft_open(&socket));
	r = list_all(&socket, &elements);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < elements.count; i++)
		if (read_way(&elements.items[i], cable, way))
			kept++;
		else
			TRY(nft_change(&socket, &table, NFT_MSG_DELSETELEM, &elements.items[i]));
	TRY(close_ways(&socket, &elements, cable));
	if (kept > 0)
		return kept < elements.count;
	TRY(nft_remove_table(&socket, &table));
	return 1;
}
