/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table of the words that can be said about a new interface.
 * Zone: free.
 */
#include "config/new-link-values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/config.h"
#include "config/network-values.h"
#include "config/values.h"

#define NAME_MAX_KERNEL 15       /* IFNAMSIZ without its end */
#define NAME_MAX_ALTERNATIVE 127 /* ALTIFNAMSIZ without its end */
#define VLAN_MAX 4094
#define WORDS_MAX 64 /* of a kind: what one message to the kernel has room for */

struct reading {
	struct arena *arena;
	struct new_link_request *request;
};

/* --- Words --- */

static bool read_vlan(const char *text, uint16_t *ret)
{
	uint32_t number;

	if (parse_u32(text, &number) < 0 || number < 1 || number > VLAN_MAX)
		return false;
	*ret = (uint16_t)number;
	return true;
}

static bool take_vlan(const struct reading *reading, const char *value)
{
	struct vlan_requests *list = &reading->request->vlans;
	const char *dash = strchr(value, '-');
	struct vlan_request vlan;

	if (!read_vlan(dash ? arena_copy_n(reading->arena, value, (size_t)(dash - value)) : value,
		       &vlan.first) ||
	    !read_vlan(dash ? dash + 1 : value, &vlan.last) || vlan.first > vlan.last ||
	    list->count == WORDS_MAX)
		return false;
	*ARRAY_ADD(reading->arena, list) = vlan;
	return true;
}

static bool take_pvid(const struct reading *reading, const char *value)
{
	return reading->request->pvid == 0 && read_vlan(value, &reading->request->pvid);
}

static bool take_mac(const struct reading *reading, const char *value)
{
	struct new_link_request *request = reading->request;

	if (request->mac_is_set || parse_mac(value, request->mac) < 0)
		return false;
	request->mac_is_set = true;
	return true;
}

/* Of one station: neither nobody's nor a group's. */
static bool is_usable(const struct address_request *address)
{
	static const uint8_t zero[sizeof(address->bytes)];

	if (memcmp(address->bytes, zero, sizeof(zero)) == 0)
		return false;
	return address->family == AF_INET6 ? address->bytes[0] != 0xff
					   : (address->bytes[0] & 0xf0) != 0xe0;
}

static bool take_ip(const struct reading *reading, const char *value)
{
	struct address_requests *list = &reading->request->addresses;
	const char *slash = strchr(value, '/');
	struct address_request address = {.family = strchr(value, ':') ? AF_INET6 : AF_INET};
	uint32_t length;

	if (!slash ||
	    inet_pton(address.family, arena_copy_n(reading->arena, value, (size_t)(slash - value)),
		      address.bytes) != 1 ||
	    parse_u32(slash + 1, &length) < 0 || length < 1 ||
	    length > (address.family == AF_INET ? 32 : 128) || !is_usable(&address) ||
	    list->count == WORDS_MAX)
		return false;
	address.length = length;
	*ARRAY_ADD(reading->arena, list) = address;
	return true;
}

static bool take_user(const struct reading *reading, const char *value)
{
	struct new_link_request *request = reading->request;

	if (request->user_is_set || parse_uid(value, &request->user) < 0)
		return false;
	request->user_is_set = true;
	return true;
}

static const struct name kind_names[] = {
	{"bridge", NEW_LINK_BRIDGE},
	{"tap", NEW_LINK_TAP},
	{"veth", NEW_LINK_VETH},
};
const struct names new_link_kinds = NAMES(kind_names);

#define OF(kind) (1u << (kind))
#define OF_ALL (OF(NEW_LINK_BRIDGE) | OF(NEW_LINK_TAP) | OF(NEW_LINK_VETH))

static const struct {
	const char *prefix;
	unsigned int kinds;
	bool (*take)(const struct reading *reading, const char *value);
	const char *wanted;
} words[] = {
	{"vlan=", OF(NEW_LINK_BRIDGE), take_vlan,
	 "up to 64 times vlan= with a number from 1 to 4094, or two with '-' between them"},
	{"pvid=", OF(NEW_LINK_BRIDGE), take_pvid, "one pvid= with a number from 1 to 4094"},
	{"mac=", OF_ALL, take_mac, "one mac= with an address like 02:00:00:12:34:56"},
	{"ip=", OF_ALL, take_ip,
	 "up to 64 times ip= with an address and its prefix, like 10.0.0.2/24"},
	{"user=", OF(NEW_LINK_TAP), take_user, "one user= with the number of a user"},
};

static const char *const unknown_words[] = {
	[NEW_LINK_BRIDGE] = "vlan=, pvid=, mac= and ip= behind a comma",
	[NEW_LINK_TAP] = "user=, mac= and ip= behind a comma",
	[NEW_LINK_VETH] = "mac= and ip= behind a comma",
};

static int read_word(const struct asking *asking, enum new_link_kind kind,
		     const struct reading *reading, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!(words[i].kinds & OF(kind)) || !text_has_prefix(word, words[i].prefix))
			continue;
		return words[i].take(reading, word + strlen(words[i].prefix))
			       ? 0
			       : refuse_value(asking, word, words[i].wanted);
	}
	return refuse_value(asking, word, unknown_words[kind]);
}

/* --- Names --- */

static const char *const wanted_names[] = {
	[NEW_LINK_BRIDGE] = "a bridge of the host as BRIDGE[:NAME]",
	[NEW_LINK_TAP] = "a name of an interface",
	[NEW_LINK_VETH] = "a name of an interface as :NAME, or none",
};

static bool read_names(enum new_link_kind kind, const char *names, struct arena *arena,
		       struct new_link_request *request)
{
	const char *colon = strchr(names, ':');

	if (kind == NEW_LINK_TAP)
		request->inside = names;
	else if (colon)
		request->inside = colon + 1;
	if (kind == NEW_LINK_BRIDGE)
		request->bridge =
			colon ? arena_copy_n(arena, names, (size_t)(colon - names)) : names;
	else if (kind == NEW_LINK_VETH && *names && colon != names)
		return false;
	return (!request->bridge || is_link_name(request->bridge, NAME_MAX_ALTERNATIVE)) &&
	       (!request->inside || is_link_name(request->inside, NAME_MAX_KERNEL));
}

int new_link_read(const struct asking *asking, enum new_link_kind kind, const char *value,
		  struct new_link_request *ret)
{
	struct arena *arena = &asking->config->arena;
	const struct reading reading = {arena, ret};
	size_t length = strcspn(value, ",");
	const char *names = arena_copy_n(arena, value, length);

	*ret = (struct new_link_request){0};
	if (!read_names(kind, names, arena, ret)) {
		(void)refuse_value(asking, names, wanted_names[kind]);
		hint("A new name of an interface has at most 15 characters, no blank and none of "
		     "'/', ':', '%%', and is no number, 'all' or 'default'");
		return -EINVAL;
	}
	for (value += length; *value; value += length) {
		value++; /* the comma */
		length = strcspn(value, ",");
		TRY(read_word(asking, kind, &reading, arena_copy_n(arena, value, length)));
	}
	return 0;
}

static int add(const struct asking *asking, enum new_link_kind kind, const char *value)
{
	struct new_link_requests *list =
		(struct new_link_requests *)((char *)asking->config + asking->row->field);
	struct new_link_request request;

	TRY(new_link_read(asking, kind, value, &request));
	*ARRAY_ADD(&asking->config->arena, list) = request;
	return 0;
}

int set_network_bridge(const struct asking *asking, const char *value)
{
	return add(asking, NEW_LINK_BRIDGE, value);
}

int set_network_tap(const struct asking *asking, const char *value)
{
	return add(asking, NEW_LINK_TAP, value);
}
