/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which addresses a machine has by its name, and the words in which its own programs hear of them.
 * Zone: free. Pure.
 */
#include "net/setup-plan.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "net/siphash.h"

/* Parts of the interface, as other keys are other addresses of every machine. */
static const uint8_t subnet_key[16] = {0x3e, 0x71, 0xc0, 0x0d, 0x95, 0xab, 0x4b, 0x18,
				       0x9f, 0x52, 0x66, 0xe7, 0x2d, 0x90, 0xf1, 0x5c};
static const uint8_t place_key[16] = {0xb4, 0x08, 0x5d, 0xee, 0x37, 0x19, 0x42, 0xcb,
				      0x81, 0xfa, 0x23, 0x7e, 0xd6, 0x6c, 0x0a, 0x94};

#define BITS_ALONE 28  /* of the subnet of one machine, which is as large as networkd's */
#define BITS_SHARED 24 /* of a zone's */
#define BITS_6 64

/*
 * What is free for private use (RFC 1918), the largest first: a machine meets another's subnet
 * rarely there, and where the host has a route to all of one the next is tried.
 */
static const struct {
	uint32_t base;
	unsigned int bits;
	unsigned int tries;
} pools[] = {
	{0x0a000000, 8, 16},
	{0xac100000, 12, 16},
	{0xc0a80000, 16, 16},
};

const char *net_setup_link(struct arena *arena, const struct config *config, const char *cable)
{
	if (config->network_zone)
		return arena_format(arena, "vz-%s", config->network_zone);
	return config->network_bridges.count > 0 || !config->network_veth ? NULL : cable;
}

static uint64_t hash(const struct net_candidate_request *request, const uint8_t key[16],
		     const char *name, uint32_t number)
{
	uint8_t text[16 + 64 + sizeof(number)] = {0};
	size_t length = strnlen(name, 64);

	memcpy(text, request->host_id, 16);
	memcpy(text + 16, name, length);
	memcpy(text + 16 + length, &number, sizeof(number));
	return siphash(key, text, 16 + length + sizeof(number));
}

static void set_ipv4(struct prefix *prefix, uint32_t address, unsigned int bits)
{
	const uint32_t bytes = htonl(address);

	*prefix = (struct prefix){.address.family = AF_INET, .length = bits};
	memcpy(prefix->address.bytes, &bytes, sizeof(bytes));
}

void net_candidate(const struct net_candidate_request *request, unsigned int number,
		   struct net_addresses *ipv4, struct net_addresses *ipv6)
{
	uint64_t random = hash(request, subnet_key, request->network, number);
	unsigned int bits = request->is_shared ? BITS_SHARED : BITS_ALONE, pool = 0;
	uint32_t base;

	for (unsigned int left = number; left >= pools[pool].tries && pool < ARRAY_LEN(pools) - 1;
	     pool++)
		left -= pools[pool].tries;
	base = pools[pool].base |
	       (((uint32_t)random << (32 - bits)) & (UINT32_MAX >> pools[pool].bits));
	ipv4->is_used = true;
	set_ipv4(&ipv4->host, base + 1, bits);
	set_ipv4(&ipv4->guest, base + 2, bits);

	/* Unique by chance (RFC 4193): fd, and 56 bits. */
	*ipv6 = (struct net_addresses){.is_used = true};
	ipv6->host = (struct prefix){.address.family = AF_INET6, .length = BITS_6};
	ipv6->host.address.bytes[0] = 0xfd;
	for (size_t i = 1; i < 8; i++)
		ipv6->host.address.bytes[i] = (uint8_t)(random >> (8 * i));
	ipv6->guest = ipv6->host;
	ipv6->host.address.bytes[ADDRESS_BYTES - 1] = 1;
	ipv6->guest.address.bytes[ADDRESS_BYTES - 1] = 2;
}

bool net_candidate_place(const struct net_candidate_request *request, unsigned int number,
			 struct net_addresses *addresses)
{
	const struct prefix *host = &addresses->host;
	uint64_t random = hash(request, place_key, request->machine, 0);
	uint32_t address, room;

	addresses->guest = *host;
	if (host->address.family == AF_INET6) {
		for (size_t i = 0; i < 8; i++)
			addresses->guest.address.bytes[8 + i] = (uint8_t)(random >> (8 * i));
		addresses->guest.address.bytes[8] |= 0x02; /* far from ::1 */
		return memcmp(addresses->guest.address.bytes, host->address.bytes, ADDRESS_BYTES) !=
		       0;
	}
	/* All but the first and the last, which have meanings of their own. */
	room = host->length < BITS_SHARED ? NET_PLACES + 1
	       : host->length < 31        ? (UINT32_C(1) << (32 - host->length)) - 2
					  : 0;
	if (room == 0)
		return false;
	memcpy(&address, host->address.bytes, sizeof(address));
	address = ntohl(address) & (UINT32_MAX << (32 - host->length));
	set_ipv4(&addresses->guest, address + 1 + (uint32_t)((random + number) % room),
		 host->length);
	return memcmp(addresses->guest.address.bytes, host->address.bytes, 4) != 0;
}

struct prefix net_subnet(const struct prefix *prefix)
{
	struct prefix subnet = *prefix;

	for (unsigned int bit = prefix->length; bit < 8 * ADDRESS_BYTES; bit++)
		subnet.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return subnet;
}

/* --- Names --- */

/* Those of this host alone, and those that need an interface's name to be told. */
static bool is_reachable(const char *server)
{
	uint8_t bytes[ADDRESS_BYTES];

	if (inet_pton(AF_INET, server, bytes) == 1)
		return bytes[0] != 127 && bytes[0] != 0;
	return inet_pton(AF_INET6, server, bytes) == 1 && bytes[0] >= 0x20 &&
	       !(bytes[0] == 0xfe && bytes[1] >= 0x80 && bytes[1] < 0xc0);
}

/* Lines of others, like comments, say what is true of the host's own file. */
static bool is_wanted(const struct strings *words)
{
	static const char *const keys[] = {"search", "domain", "options"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (words->count > 1 && strcmp(words->items[0], keys[i]) == 0)
			return true;
	return false;
}

#define SERVERS_MAX 3 /* as many as resolvers ask (resolv.conf(5)) */

const char *net_resolv_conf(struct arena *arena, const char *text, struct strings *servers)
{
	struct strings lines = {0};
	const char *result = "";

	*servers = (struct strings){0};
	text_words(arena, text, "\n", &lines);
	for (size_t i = 0; i < lines.count; i++) {
		struct strings words = {0};

		if (text_has_controls(lines.items[i]) && !strchr(lines.items[i], '\t'))
			continue;
		text_words(arena, lines.items[i], BLANKS, &words);
		if (words.count > 1 && strcmp(words.items[0], "nameserver") == 0 &&
		    is_reachable(words.items[1]) && servers->count < SERVERS_MAX) {
			strings_add(arena, servers, words.items[1]);
			result = arena_format(arena, "%snameserver %s\n", result, words.items[1]);
		} else if (is_wanted(&words)) {
			result = arena_format(arena, "%s%s\n", result, lines.items[i]);
		}
	}
	return servers->count > 0 ? result : NULL;
}

/* --- What is written in the machine --- */

/*
 * After what an administrator of the machine wrote, whose files have lower numbers, and before what
 * comes with systemd, which would ask for addresses nobody has to give.
 */
static const char *make_network_file(struct arena *arena, const struct strings *servers)
{
	/* Nothing to configure is nothing to wait for: it keeps what it finds. */
	const char *text =
		"# Made by nspawn(1): this interface had its addresses and routes already "
		"at the start of the machine.\n"
		"[Match]\nKind=veth\nName=host0\n\n"
		"[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n"
		"KeepConfiguration=yes\n";

	for (size_t i = 0; i < servers->count; i++)
		text = arena_format(arena, "%sDNS=%s\n", text, servers->items[i]);
	return text;
}

static const char *make_hosts(struct arena *arena, const struct net_setup_plan *plan)
{
	const struct net_addresses *const families[] = {&plan->ipv4, &plan->ipv6};
	char address[ADDRESS_TEXT_MAX];
	const char *text = "";

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i]->is_used)
			text = arena_format(arena, "%s%s host %s\n", text,
					    address_text(&families[i]->host.address, address),
					    NET_HOSTS_MARK);
	return text;
}

void net_setup_plan_make(struct arena *arena, const struct config *config,
			 const struct net_setup_facts *facts, const char *link,
			 struct net_setup_plan *ret)
{
	enum network_setup setup = config->network_setup;

	*ret = (struct net_setup_plan){.link = link};
	if (!link || !facts->is_found)
		return;
	ret->does_host = setup == NETWORK_SETUP_AUTO || setup == NETWORK_SETUP_HOST;
	ret->does_guest = setup == NETWORK_SETUP_AUTO || setup == NETWORK_SETUP_GUEST;
	ret->ipv4 = facts->ipv4;
	ret->ipv6 = facts->ipv6;
	if (!ret->does_guest)
		return;
	ret->hosts = make_hosts(arena, ret);
	ret->network_file = make_network_file(arena, &facts->servers);
	ret->resolv_conf = facts->resolv_conf;
}
