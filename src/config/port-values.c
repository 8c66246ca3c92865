/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values about ports, taken apart up to the single port: a range is many of them.
 * Zone: free.
 */
#include "config/port-values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/values.h"

#define WANTED "ports as [ADDRESS:][tcp:|udp:]PORT[:PORT]"
#define WANTED_OF_HOST "a port as [tcp:|udp:]PORT"

struct range {
	uint32_t first, last;
};

const char *port_protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

const char *port_text(struct arena *arena, const struct port_request *port)
{
	const char *protocol = port_protocol_name(port->protocol);
	char address[INET6_ADDRSTRLEN];

	if (port->family == AF_UNSPEC ||
	    !inet_ntop(port->family, port->address, address, sizeof(address)))
		return arena_format(arena, "%s:%u", protocol, port->host);
	return arena_format(arena, port->family == AF_INET6 ? "[%s]:%s:%u" : "%s:%s:%u", address,
			    protocol, port->host);
}

size_t port_run_length(const struct port_requests *ports, size_t first)
{
	size_t count = 1;

	for (; first + count < ports->count; count++) {
		struct port_request next = ports->items[first];

		next.host = (uint16_t)(next.host + count);
		next.inside = (uint16_t)(next.inside + count);
		if (memcmp(&next, &ports->items[first + count], sizeof(next)) != 0)
			break;
	}
	return count;
}

struct strings port_texts(struct arena *arena, const struct port_requests *ports)
{
	struct strings texts = {0};

	for (size_t i = 0, count; i < ports->count; i += count) {
		const struct port_request *first = &ports->items[i];
		const char *text = port_text(arena, first);

		count = port_run_length(ports, i);
		if (count > 1)
			text = arena_format(arena, "%s-%zu", text, first->host + count - 1);
		if (first->inside != first->host)
			text = arena_format(arena, "%s:%u", text, first->inside);
		if (first->inside != first->host && count > 1)
			text = arena_format(arena, "%s-%zu", text, first->inside + count - 1);
		strings_add(arena, &texts, text);
	}
	return texts;
}

/* --- Parts of a value --- */

static int parse_number(const struct asking *asking, const char *text, uint32_t *ret)
{
	uint32_t number = 0;
	int r = parse_u32(text, &number);

	if (r == -EINVAL)
		return r;
	if (r < 0 || number == 0 || number > UINT16_MAX)
		return refuse(ERANGE, "%s takes ports from 1 to 65535, not '%s'", asking->noun,
			      text);
	*ret = number;
	return 0;
}

/* -EINVAL: nothing like it; other errors are told. */
static int parse_range(const struct asking *asking, const char *text, struct range *ret)
{
	struct arena *arena = &asking->config->arena;
	const char *dash = strchr(text, '-');

	TRY(parse_number(asking, dash ? arena_copy_n(arena, text, (size_t)(dash - text)) : text,
			 &ret->first));
	ret->last = ret->first;
	if (dash)
		TRY(parse_number(asking, dash + 1, &ret->last));
	if (ret->last < ret->first)
		return refuse(ERANGE, "%s has a range that ends before it begins, '%s'",
			      asking->noun, text);
	return 0;
}

/* Takes an address and its colon off the value; what does not look like one stays. */
static int take_address(struct arena *arena, const char **value, struct port_request *port)
{
	bool is_bracketed = **value == '[';
	const char *begin = *value + is_bracketed, *end = strchr(begin, is_bracketed ? ']' : ':');
	const char *text = end ? arena_copy_n(arena, begin, (size_t)(end - begin)) : "";
	uint8_t family = is_bracketed ? AF_INET6 : AF_INET;

	if (!is_bracketed && !strchr(text, '.'))
		return 0;
	if (!end || end[is_bracketed] != ':' || inet_pton(family, text, port->address) != 1)
		return -EINVAL;
	port->family = family;
	*value = end + is_bracketed + 1;
	return 0;
}

static void take_protocol(const char **value, struct port_request *port)
{
	port->protocol = text_has_prefix(*value, "udp:") ? IPPROTO_UDP : IPPROTO_TCP;
	if (port->protocol == IPPROTO_UDP || text_has_prefix(*value, "tcp:"))
		*value += strlen("tcp:");
}

/* --- The lists --- */

static bool is_same_place(const struct port_request *a, const struct port_request *b)
{
	if (a->protocol != b->protocol || a->host != b->host)
		return false;
	return a->family == AF_UNSPEC || b->family == AF_UNSPEC ||
	       (a->family == b->family && memcmp(a->address, b->address, sizeof(a->address)) == 0);
}

static int add(const struct asking *asking, struct port_requests *list,
	       const struct port_request *port)
{
	struct arena *arena = &asking->config->arena;

	for (size_t i = 0; i < list->count; i++)
		if (is_same_place(&list->items[i], port))
			return refuse(EEXIST, "%s names the port %s a second time", asking->noun,
				      port_text(arena, port));
	if (list->count >= PORTS_MAX)
		return refuse(E2BIG, "%s makes more than %u ports", asking->noun, PORTS_MAX);
	*ARRAY_ADD(arena, list) = *port;
	return 0;
}

static int add_range(const struct asking *asking, struct port_request port, struct range host,
		     struct range inside)
{
	if (inside.last - inside.first != host.last - host.first)
		return refuse(ERANGE, "%s has ranges of different lengths, %u ports and %u",
			      asking->noun, host.last - host.first + 1,
			      inside.last - inside.first + 1);
	for (uint32_t i = 0; i <= host.last - host.first; i++) {
		port.host = (uint16_t)(host.first + i);
		port.inside = (uint16_t)(inside.first + i);
		TRY(add(asking, &asking->config->ports, &port));
	}
	return 0;
}

static int read_ports(const struct asking *asking, const char *value)
{
	struct arena *arena = &asking->config->arena;
	struct port_request port = {.family = AF_UNSPEC};
	struct range host, inside;
	const char *colon;

	TRY(take_address(arena, &value, &port));
	take_protocol(&value, &port);
	colon = strchr(value, ':');
	TRY(parse_range(asking, colon ? arena_copy_n(arena, value, (size_t)(colon - value)) : value,
			&host));
	inside = host;
	if (colon)
		TRY(parse_range(asking, colon + 1, &inside));
	return add_range(asking, port, host, inside);
}

int set_port(const struct asking *asking, const char *value)
{
	int r = read_ports(asking, value);

	return r == -EINVAL ? refuse_value(asking, value, WANTED) : r;
}

int set_host_port(const struct asking *asking, const char *value)
{
	struct port_request port = {.family = AF_UNSPEC};
	const char *rest = value;
	uint32_t number;
	int r;

	take_protocol(&rest, &port);
	r = parse_number(asking, rest, &number);
	if (r < 0)
		return r == -EINVAL ? refuse_value(asking, value, WANTED_OF_HOST) : r;
	port.host = port.inside = (uint16_t)number;
	return add(asking, &asking->config->host_ports, &port);
}
