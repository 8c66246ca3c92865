/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks the kernel for routes and addresses, other machines by locks on files that are called like
 * addresses.
 * Zone: owing; free when it only looks.
 */
#include "net/setup-find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/undo.h"
#include "config/config.h"
#include "host/locks.h"
#include "net/link.h"
#include "net/networkd.h"
#include "net/resolvers.h"

struct routes {
	struct prefix *items;
	size_t count, room;
};

struct finder {
	const struct net_setup_request *request;
	struct net_candidate_request candidates;
	struct net_setup_facts *facts;
	struct routes routes;
	int link;          /* index of ours, as far as it is there already; 0: none */
	const char *taken; /* for the hint, what was in the way last */
};

/* --- The kernel --- */

static int take_route(const struct route *route, void *userdata)
{
	struct finder *finder = userdata;

	if (route->to.length > 0 && (finder->link == 0 || route->link != finder->link))
		*ARRAY_ADD(finder->request->arena, &finder->routes) = route->to;
	return 0;
}

/* Of a zone's bridge: machines that come later live where the first does. */
static int take_address(int link, const struct prefix *prefix, void *userdata)
{
	struct finder *finder = userdata;
	struct net_addresses *addresses =
		prefix->address.family == AF_INET ? &finder->facts->ipv4 : &finder->facts->ipv6;

	if (link == finder->link && !addresses->is_used)
		*addresses = (struct net_addresses){.is_used = true, .host = *prefix};
	return 0;
}

static int look_at_kernel(struct finder *finder)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket socket =
		NETLINK_CLOSED;
	static const int families[] = {AF_INET, AF_INET6};
	struct link link;

	TRY(netlink_socket_open(&socket));
	if (link_find(&socket, finder->request->link, NULL, &link) == 0)
		finder->link = link.index;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		int r = route_list(&socket, families[i], take_route, finder);

		/* A kernel without IPv6 has no routes of it. */
		if (r < 0 && families[i] == AF_INET)
			return r;
		if (finder->link > 0 && finder->candidates.is_shared)
			TRY(address_list(&socket, families[i], take_address, finder));
	}
	return 0;
}

static bool has_ipv6(void)
{
	auto_free char *text = NULL;

	return file_read(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/disable_ipv6", 8, &text,
			 NULL) == 0 &&
	       *text == '0';
}

/* --- The choice --- */

static bool clashes(struct finder *finder, const struct prefix *prefix)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < finder->routes.count; i++)
		if (prefix_overlaps(&finder->routes.items[i], prefix)) {
			finder->taken =
				arena_format(finder->request->arena, "%s/%u",
					     address_text(&finder->routes.items[i].address, text),
					     finder->routes.items[i].length);
			return true;
		}
	return false;
}

/* 0, -EBUSY: it is another machine's. */
static int claim(const struct finder *finder, const struct address *address)
{
	const struct net_setup_request *request = finder->request;
	char text[ADDRESS_TEXT_MAX];
	const char *path =
		arena_format(request->arena, "%s/%s", NET_CLAIMS, address_text(address, text));

	return request->locks ? locks_take_file(request->locks, path, request->undo)
			      : locks_look_file(path);
}

/* One machine has the subnet alone, of a zone's each takes a place. */
static int take_place(struct finder *finder, struct net_addresses *ipv4)
{
	const struct prefix subnet = net_subnet(&ipv4->host);

	if (!finder->candidates.is_shared)
		return claim(finder, &subnet.address);
	for (unsigned int i = 0; i < NET_PLACES; i++) {
		int r;

		if (!net_candidate_place(&finder->candidates, i, ipv4))
			continue;
		r = claim(finder, &ipv4->guest.address);
		if (r != -EBUSY)
			return r;
	}
	return -EBUSY;
}

static const char *kept_path(const struct finder *finder)
{
	return arena_format(finder->request->arena, "%s/%s", NET_KEPT, finder->request->link);
}

/* What was chosen last time because the first choice was taken. */
static unsigned int read_kept(const struct finder *finder)
{
	auto_free char *text = NULL;
	uint32_t number;

	if (file_read(AT_FDCWD, kept_path(finder), 16, &text, NULL) < 0 ||
	    parse_u32(text, &number) < 0 || number >= NET_CANDIDATES)
		return 0;
	return number;
}

static void keep(const struct finder *finder, unsigned int kept, unsigned int number)
{
	const char *path = kept_path(finder);
	auto_close int fd = -EBADF;
	char text[16];

	if (!finder->request->locks || kept == number)
		return;
	if (number == 0) {
		(void)unlink(path);
		return;
	}
	(void)snprintf(text, sizeof(text), "%u", number);
	(void)mkdir(NET_KEPT, 0755);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		debug("Cannot note the choice of a subnet in '%s'", path);
}

static int try_candidate(struct finder *finder, unsigned int number)
{
	struct net_addresses ipv4, ipv6;
	struct prefix subnet;

	net_candidate(&finder->candidates, number, &ipv4, &ipv6);
	subnet = net_subnet(&ipv4.host);
	if (clashes(finder, &subnet))
		return -EBUSY;
	subnet = net_subnet(&ipv6.host);
	if (clashes(finder, &subnet))
		return -EBUSY;
	TRY(take_place(finder, &ipv4));
	finder->facts->ipv4 = ipv4;
	if (finder->facts->ipv6.is_used || has_ipv6())
		finder->facts->ipv6 = finder->facts->ipv6.is_used ? finder->facts->ipv6 : ipv6;
	return 0;
}

static int choose(struct finder *finder)
{
	unsigned int kept = read_kept(finder), number = kept;
	int r = try_candidate(finder, kept);

	for (unsigned int i = 0; i < NET_CANDIDATES && r == -EBUSY; i++) {
		number = i;
		r = try_candidate(finder, i);
	}
	if (r == 0)
		keep(finder, kept, number);
	return r;
}

/* --- Left over --- */

/* What is locked and released takes its file along. */
void net_setup_forget(void)
{
	auto_closedir DIR *directory = opendir(NET_CLAIMS);
	auto_arena struct arena arena = {0};
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		auto_undo struct undo undo = {0};
		struct locks locks = {0};

		if (*entry->d_name != '.')
			(void)locks_take_file(
				&locks, arena_format(&arena, "%s/%s", NET_CLAIMS, entry->d_name),
				&undo);
	}
}

/* --- All of it --- */

static int explain(const struct finder *finder, int r)
{
	if (r != -EBUSY)
		return fail(r, "Cannot find addresses for the network of machine '%s'",
			    finder->request->machine);
	(void)refuse(EADDRNOTAVAIL, "No private addresses are free for the network of machine '%s'",
		     finder->request->machine);
	if (finder->taken)
		hint("The host has routes in all ranges, such as to %s; --network-setup=none goes without",
		     finder->taken);
	else
		hint("Other machines have them; --network-setup=none goes without");
	return -EADDRNOTAVAIL;
}

int net_setup_find(const struct net_setup_request *request, struct net_setup_facts *ret)
{
	bool is_zone = request->config->network_zone != NULL;
	struct finder finder = {
		.request = request,
		.facts = ret,
		.candidates = {.host_id = request->host_id,
			       .network = is_zone ? request->link : request->machine,
			       .machine = request->machine,
			       .is_shared = is_zone},
	};
	int r;

	*ret = (struct net_setup_facts){0};
	if (!request->link || request->config->network_setup == NETWORK_SETUP_NONE)
		return 0;
	if (request->config->network_setup == NETWORK_SETUP_AUTO &&
	    networkd_manages(request->arena, request->link, is_zone ? "bridge" : "veth")) {
		ret->is_managed = true;
		return 0;
	}
	r = look_at_kernel(&finder);
	if (r == 0 && ret->ipv4.is_used)
		r = take_place(&finder, &ret->ipv4);
	else if (r == 0)
		r = choose(&finder);
	if (r < 0)
		return explain(&finder, r);
	if (ret->ipv6.is_used && is_zone)
		ret->ipv6.is_used = net_candidate_place(&finder.candidates, 0, &ret->ipv6);
	ret->resolv_conf = resolvers_read(request->arena, NO_WATCH, &ret->servers);
	ret->is_found = true;
	return 0;
}
