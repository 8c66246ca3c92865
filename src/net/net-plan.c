/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which links there will be, and what they are called.
 * Zone: free. Pure.
 */
#include "net/net-plan.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "net/siphash.h"

#define NAME_KEPT 11 /* of a name that is too long; the rest is made out of the whole name */

/*
 * One key for each purpose, so that no two ends share an address. They are our own and part of the
 * interface: another key is another address of every machine.
 */
enum purpose {
	PURPOSE_HOST,
	PURPOSE_INSIDE,
	PURPOSE_EXTRA_HOST,
	PURPOSE_EXTRA_INSIDE,
	PURPOSE_MACVLAN,
	PURPOSE_TAP,
	PURPOSE_ZONE,
	PURPOSE_NAME,
	_PURPOSE_COUNT
};

/* clang-format off */
static const uint8_t keys[_PURPOSE_COUNT][16] = {
	[PURPOSE_HOST] =
		{0xd0, 0x5e, 0x84, 0x94, 0x7e, 0x88, 0x1e, 0xfb, 0xab, 0xe2, 0x78, 0x00, 0xf4, 0x3a, 0x9a, 0x51},
	[PURPOSE_INSIDE] =
		{0x67, 0x37, 0x59, 0xdc, 0x1a, 0x79, 0x8a, 0xc5, 0x32, 0xd9, 0x34, 0x41, 0x04, 0xec, 0x55, 0x0e},
	[PURPOSE_EXTRA_HOST] =
		{0xf2, 0x91, 0x68, 0x96, 0xae, 0x7d, 0x27, 0xc6, 0x35, 0xd0, 0x01, 0x16, 0xa6, 0xa7, 0x38, 0x92},
	[PURPOSE_EXTRA_INSIDE] =
		{0x37, 0x56, 0x73, 0x44, 0x5d, 0xea, 0x89, 0xe9, 0x0d, 0xda, 0xd5, 0x4e, 0xe1, 0x76, 0x90, 0xd0},
	[PURPOSE_MACVLAN] =
		{0xb9, 0x18, 0xeb, 0x08, 0xa2, 0x17, 0x61, 0xd3, 0xf4, 0x0c, 0x97, 0x07, 0x6a, 0x18, 0xee, 0x15},
	[PURPOSE_TAP] =
		{0x4b, 0xe2, 0x19, 0x7c, 0x03, 0xda, 0x85, 0x6f, 0x52, 0x31, 0xc8, 0x9e, 0xb7, 0x14, 0xf0, 0xa6},
	[PURPOSE_ZONE] =
		{0x1f, 0xc7, 0x60, 0xb2, 0x49, 0x8d, 0xe3, 0x15, 0xa8, 0x7b, 0x02, 0xd4, 0x6e, 0x95, 0x3c, 0xfa},
	[PURPOSE_NAME] =
		{0x80, 0x65, 0xcc, 0x34, 0x7a, 0xf5, 0x3b, 0xae, 0xdc, 0xa7, 0xdd, 0xe3, 0x58, 0x52, 0xc4, 0x1e},
};
/* clang-format on */

static const char *const kinds[] = {
	[LINK_MOVED] = "moved interface", [LINK_VETH] = "veth", [LINK_MACVLAN] = "macvlan",
	[LINK_IPVLAN] = "ipvlan",         [LINK_TAP] = "tap",
};

struct planner {
	struct arena *arena;
	const struct config *config;
	const char *machine;
	const struct net_facts *facts;
	struct net_plan *plan;
};

/* --- Names and addresses --- */

const char *net_name(struct arena *arena, const char *name, const char **ret_alternative)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_";
	size_t length = strlen(name);
	uint64_t hash;

	*ret_alternative = NULL;
	if (length <= LINK_NAME_MAX)
		return name;
	hash = siphash(keys[PURPOSE_NAME], name, length);
	*ret_alternative = length <= LINK_ALTERNATIVE_MAX ? name : NULL;
	return arena_format(arena, "%.*s%c%c%c%c", NAME_KEPT, name, digits[hash >> 18 & 63],
			    digits[hash >> 12 & 63], digits[hash >> 6 & 63], digits[hash & 63]);
}

/* Of the host, the machine and, for all but the first of a kind, a number. */
static void make_mac(struct arena *arena, const char *machine, const struct net_facts *facts,
		     enum purpose purpose, uint64_t number, uint8_t ret[LINK_MAC_BYTES])
{
	size_t length = strlen(machine), total = sizeof(facts->host_id) + length;
	uint8_t *text = arena_allocate(arena, total + sizeof(number));
	uint64_t hash;

	memcpy(text, facts->host_id, sizeof(facts->host_id));
	memcpy(text + sizeof(facts->host_id), machine, length);
	for (size_t i = 0; number > 0 && i < sizeof(number); i++)
		text[total++] = (uint8_t)(number >> (8 * i));
	hash = siphash(keys[purpose], text, total);
	for (size_t i = 0; i < LINK_MAC_BYTES; i++)
		ret[i] = (uint8_t)(hash >> (8 * i));
	ret[0] = (uint8_t)((ret[0] | 0x02) & ~0x01); /* administered locally, one station */
}

const char *net_mac_text(struct arena *arena, const uint8_t mac[LINK_MAC_BYTES])
{
	return arena_format(arena, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
			    mac[4], mac[5]);
}

const char *link_kind_name(enum link_kind kind)
{
	return kinds[kind];
}

/* --- Links --- */

static struct link_plan *add(const struct planner *p, enum link_kind kind, enum setting setting)
{
	struct link_plan *link = ARRAY_ADD(p->arena, p->plan);

	*link = (struct link_plan){.kind = kind, .setting = setting};
	return link;
}

static void add_moved(const struct planner *p)
{
	const struct link_requests *requests = &p->config->network_interfaces;

	for (size_t i = 0; i < requests->count; i++) {
		const struct link_request *request = &requests->items[i];
		struct link_plan *link = add(p, LINK_MOVED, SETTING_NETWORK_INTERFACE);

		link->host = request->host;
		link->inside = request->inside ? request->inside : request->host;
	}
}

const char *net_cable(struct arena *arena, const struct config *config, const char *machine,
		      const char **ret_alternative)
{
	bool is_plugged = config->network_bridges.count > 0 || config->network_zone;

	*ret_alternative = NULL;
	if (config->network_veth_name)
		return config->network_veth_name;
	return net_name(arena, arena_format(arena, "%s-%s", is_plugged ? "vb" : "ve", machine),
			ret_alternative);
}

void net_plan_cable(struct arena *arena, const char *machine, const struct net_facts *facts,
		    unsigned int number, struct link_plan *link)
{
	const char *prefix = link->bridge ? "vb" : "ve";
	const struct new_link_request *asked = link->asked;

	link->number = number;
	if (!link->host)
		link->host = net_name(
			arena,
			number > 0 ? arena_format(arena, "%s-%s+%u", prefix, machine, number)
				   : arena_format(arena, "%s-%s", prefix, machine),
			&link->host_alternative);
	link->inside =
		asked && asked->inside ? asked->inside : arena_format(arena, "host%u", number);
	make_mac(arena, machine, facts, PURPOSE_HOST, number, link->host_mac);
	make_mac(arena, machine, facts, PURPOSE_INSIDE, number, link->inside_mac);
	if (asked && asked->mac_is_set)
		memcpy(link->inside_mac, asked->mac, sizeof(link->inside_mac));
}

void net_plan_assume(struct arena *arena, const char *machine, const struct net_facts *facts,
		     struct net_plan *ret)
{
	static const char *const bridges[] = {NULL, "any"};

	*ret = (struct net_plan){0};
	for (unsigned int i = 0; i < 2 * NET_CABLES_MAX; i++) {
		struct link_plan *link = ARRAY_ADD(arena, ret);

		*link = (struct link_plan){.kind = LINK_VETH, .bridge = bridges[i % 2]};
		net_plan_cable(arena, machine, facts, i / 2, link);
	}
}

static void add_veth(const struct planner *p)
{
	const struct config *config = p->config;
	const struct new_link_requests *bridges = &config->network_bridges;
	bool is_plugged = bridges->count > 0 || config->network_zone;
	struct link_plan *link;

	if (!config->network_veth && !is_plugged)
		return;
	link = add(p, LINK_VETH,
		   config->network_zone ? SETTING_NETWORK_ZONE
		   : is_plugged         ? SETTING_NETWORK_BRIDGE
					: SETTING_NETWORK_VETH);
	link->is_main = true;
	link->asked = bridges->count > 0 ? &bridges->items[0] : NULL;
	link->host = net_cable(p->arena, config, p->machine, &link->host_alternative);
	link->bridge_is_zone = config->network_zone != NULL;
	link->bridge = config->network_zone ? arena_format(p->arena, "vz-%s", config->network_zone)
		       : link->asked        ? link->asked->bridge
					    : NULL;
	if (link->bridge_is_zone)
		make_mac(p->arena, link->bridge, p->facts, PURPOSE_ZONE, 0, link->bridge_mac);
	net_plan_cable(p->arena, p->machine, p->facts, 0, link);
	if (config->network_mac_is_set && !(link->asked && link->asked->mac_is_set))
		memcpy(link->inside_mac, config->network_mac, sizeof(link->inside_mac));
	net_setup_plan_make(p->arena, config, &p->facts->setup,
			    net_setup_link(p->arena, config, link->host), &p->plan->setup);
}

/* The first is what the cable of --network-veth is plugged into. */
static void add_bridges(const struct planner *p)
{
	const struct new_link_requests *requests = &p->config->network_bridges;

	for (size_t i = 1; i < requests->count; i++) {
		struct link_plan *link = add(p, LINK_VETH, SETTING_NETWORK_BRIDGE);

		link->asked = &requests->items[i];
		link->bridge = link->asked->bridge;
		net_plan_cable(p->arena, p->machine, p->facts, (unsigned int)i, link);
	}
}

void net_plan_tap(struct arena *arena, const char *machine, const struct net_facts *facts,
		  unsigned int number, struct link_plan *link)
{
	link->kind = LINK_TAP;
	link->inside = link->asked->inside;
	make_mac(arena, machine, facts, PURPOSE_TAP, number, link->inside_mac);
	if (link->asked->mac_is_set)
		memcpy(link->inside_mac, link->asked->mac, sizeof(link->inside_mac));
}

static void add_taps(const struct planner *p)
{
	const struct new_link_requests *requests = &p->config->network_taps;

	for (size_t i = 0; i < requests->count; i++) {
		struct link_plan *link = add(p, LINK_TAP, SETTING_NETWORK_TAP);

		link->asked = &requests->items[i];
		net_plan_tap(p->arena, p->machine, p->facts, (unsigned int)i, link);
	}
}

static void add_veths_extra(const struct planner *p)
{
	const struct link_requests *requests = &p->config->network_veths_extra;

	for (size_t i = 0; i < requests->count; i++) {
		const struct link_request *request = &requests->items[i];
		struct link_plan *link = add(p, LINK_VETH, SETTING_NETWORK_VETH_EXTRA);

		link->host = request->host;
		link->inside = request->inside ? request->inside : request->host;
		make_mac(p->arena, p->machine, p->facts, PURPOSE_EXTRA_HOST, i, link->host_mac);
		make_mac(p->arena, p->machine, p->facts, PURPOSE_EXTRA_INSIDE, i, link->inside_mac);
	}
}

static void add_children(const struct planner *p, enum link_kind kind, enum setting setting,
			 const struct link_requests *requests)
{
	const char *prefix = kind == LINK_MACVLAN ? "mv" : "iv";

	for (size_t i = 0; i < requests->count; i++) {
		const struct link_request *request = &requests->items[i];
		struct link_plan *link = add(p, kind, setting);
		const char *name = arena_format(p->arena, "%s-%s", prefix, request->host);

		link->host = request->host;
		link->inside = request->inside
				       ? request->inside
				       : net_name(p->arena, name, &link->inside_alternative);
		if (kind == LINK_MACVLAN)
			make_mac(p->arena, p->machine, p->facts, PURPOSE_MACVLAN, i,
				 link->inside_mac);
	}
}

/* --- What cannot be --- */

static int refuse_twin(const char *inside)
{
	return refuse(EEXIST, "Two interfaces of the machine would be called '%s'", inside);
}

static int refuse_twins(const struct net_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct link_plan *link = &plan->items[i];

		/* Each network has one; that of the host is refused with a better reason. */
		if (strcmp(link->inside, "lo") == 0 &&
		    (link->kind != LINK_MOVED || strcmp(link->host, "lo") != 0))
			return refuse_twin("lo");
		for (size_t j = 0; j < i; j++) {
			const struct link_plan *a = &plan->items[j], *b = &plan->items[i];

			if (strcmp(a->inside, b->inside) == 0)
				return refuse_twin(b->inside);
			/* One can have any number of children, but be moved once. */
			if (a->kind == b->kind && a->kind <= LINK_VETH &&
			    strcmp(a->host, b->host) == 0)
				return refuse(EEXIST,
					      "The interface '%s' of the host is there twice",
					      a->host);
		}
	}
	return 0;
}

int net_plan_make(struct arena *arena, const struct config *config, const char *machine,
		  const struct net_facts *facts, struct net_plan *ret)
{
	const struct planner p = {arena, config, machine, facts, ret};

	*ret = (struct net_plan){.namespace_path = config->network_namespace_path};
	add_moved(&p);
	add_veth(&p);
	add_bridges(&p);
	add_veths_extra(&p);
	add_children(&p, LINK_MACVLAN, SETTING_NETWORK_MACVLAN, &config->network_macvlans);
	add_children(&p, LINK_IPVLAN, SETTING_NETWORK_IPVLAN, &config->network_ipvlans);
	add_taps(&p);
	if (config->network_bridges.count > NET_CABLES_MAX)
		return refuse(E2BIG, "A machine cannot be plugged into more than %d bridges",
			      NET_CABLES_MAX);
	TRY(refuse_twins(ret));
	if (ret->count == 0 || facts->may_make_links)
		return 0;
	(void)refuse(EPERM, "Only root can give a machine a link to the host's network");
	hint("An ordinary user's machine can have a network of its own, by --private-network");
	return -EPERM;
}
