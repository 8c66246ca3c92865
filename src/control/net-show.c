/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interfaces that a machine has just now, whoever made them, with the ends of cables on the
 * host, and its ports.
 * Zone: free.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/scope.h"
#include "control/net.h"
#include "net/address.h"
#include "net/link.h"

/* A guest can make any number. */
#define LINKS_MAX 1024

struct shown_link {
	struct link link;
	struct strings addresses;
	const char *host, *bridge;
};

struct shown_links {
	struct arena *arena;
	struct shown_link *items;
	size_t count, room;
};

/* --- Inside --- */

static int take_link(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	struct shown_links *list = userdata;
	struct link link;

	if (type == RTM_NEWLINK && list->count < LINKS_MAX && link_parse(body, NULL, &link) &&
	    !(link.flags & IFF_LOOPBACK))
		ARRAY_ADD(list->arena, list)->link = link;
	return 0;
}

static int take_address(int index, const struct prefix *prefix, void *userdata)
{
	struct shown_links *list = userdata;
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].link.index == index &&
		    list->items[i].addresses.count < LINKS_MAX)
			strings_add(list->arena, &list->items[i].addresses,
				    arena_format(list->arena, "%s/%u",
						 address_text(&prefix->address, text),
						 prefix->length));
	return 0;
}

static int look_inside(struct netlink_socket *socket, struct shown_links *list)
{
	const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
	struct netlink_message message;

	netlink_begin(&message, RTM_GETLINK, NLM_F_DUMP, &any);
	TRY(netlink_call(socket, &message, take_link, list));
	TRY(address_list(socket, AF_INET, take_address, list));
	/* A kernel without IPv6 has no addresses of it. */
	(void)address_list(socket, AF_INET6, take_address, list);
	return 0;
}

/* --- On the host --- */

/* Two ends of one cable know each other's number. */
static void find_host_end(struct netlink_socket *host, struct arena *arena,
			  struct shown_link *shown)
{
	struct link outer, bridge;

	if (strcmp(shown->link.kind, "veth") != 0 || shown->link.peer <= 0 ||
	    link_find_index(host, shown->link.peer, &outer) < 0 ||
	    strcmp(outer.kind, "veth") != 0 || outer.peer != shown->link.index)
		return;
	shown->host = arena_copy(arena, outer.name);
	if (outer.master > 0 && link_find_index(host, outer.master, &bridge) == 0)
		shown->bridge = arena_copy(arena, bridge.name);
}

/* --- Shown --- */

static const char *kind_of(const struct link *link)
{
	return strcmp(link->kind, "tun") == 0 ? "tap" : link->kind;
}

static int print(const struct shown_links *list, enum output_form form)
{
	static const struct output_column columns[] = {
		{"INTERFACE", "interface", false},
		{"KIND", "kind", false},
		{"UP", "up", false},
		{"HOST", "host", false},
		{"BRIDGE", "bridge", false},
		{NULL, "mac", false},
		{"ADDRESSES", "addresses", false},
	};
	struct output_table table = {
		.arena = list->arena, .columns = columns, .column_count = ARRAY_LEN(columns)};
	const struct output_style style = {.form = form, .things = "links", .thing = "link"};

	for (size_t i = 0; i < list->count; i++) {
		const struct shown_link *shown = &list->items[i];
		const struct output_cell cells[] = {
			output_text(shown->link.name),
			output_text(kind_of(&shown->link)),
			output_truth(shown->link.flags & IFF_UP),
			output_text(shown->host),
			output_text(shown->bridge),
			output_text(shown->link.has_mac ? net_mac_text(list->arena, shown->link.mac)
							: NULL),
			output_list(&shown->addresses),
		};

		output_add(&table, cells);
	}
	return output_print(&table, &style);
}

/* Below the table of links, and not in its JSON, which is a list of them. */
static void print_ports(struct arena *arena, const char *title, const struct strings *ports)
{
	if (ports->count == 0)
		return;
	printf("%s:", title);
	for (size_t i = 0; i < ports->count; i++)
		printf(" %s", escape_text(arena, ports->items[i]));
	(void)putchar('\n');
}

static int enter(const struct places *places, const struct registry_entry *entry)
{
	auto_close int pidfd = -EBADF;

	if (!entry->has_own_network)
		return refuse(EOPNOTSUPP, "Machine '%s' has no network of its own", entry->machine);
	if (registry_leader(entry, &pidfd) < 0)
		return refuse(ESRCH, "The supervisor of machine '%s' is gone", entry->machine);
	/* In a user namespace of the machine's its root must not get hold of us. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setns(pidfd, CLONE_NEWNET | (places->is_user ? CLONE_NEWUSER : 0)) < 0)
		return fail(-errno, "Cannot enter the network of the machine");
	return 0;
}

int net_show(struct arena *arena, const struct places *places, const struct registry_entry *entry,
	     enum output_form form)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket host = NETLINK_CLOSED,
									     inside =
										     NETLINK_CLOSED;
	struct shown_links list = {.arena = arena};
	int r = netlink_socket_open(&host);

	if (r < 0)
		return fail(r, "Cannot ask the kernel for the interfaces of the host");
	TRY(enter(places, entry));
	r = netlink_socket_open(&inside);
	r = r < 0 ? r : look_inside(&inside, &list);
	if (r < 0)
		return fail(r, "Cannot enter the network of the machine");
	for (size_t i = 0; i < list.count; i++)
		find_host_end(&host, arena, &list.items[i]);
	TRY(print(&list, form));
	if (form == OUTPUT_TEXT) {
		print_ports(arena, "Ports", &entry->ports);
		print_ports(arena, "Host ports", &entry->host_ports);
	}
	return 0;
}
