/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An interface forwards IPv4 if it is told to, by the setting of the one where a packet comes in.
 * Answers come in by those that lead to others, so these have to be told as well; a guard in the
 * table then drops what is no answer. For IPv6 one setting is for all, and ends their listening
 * to routers, but for newer kernels' force_forwarding: where neither is there we leave it.
 * Zone: owing.
 */
#include "net/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "net/address.h"
#include "net/nft.h"
#include "net/zone.h"

/* --- Settings of the kernel --- */

static const struct family {
	const char *directory, *setting, *global;
	int family;
	bool may_lead_nowhere; /* as on many hosts: its rules are made where it does not */
} families[] = {
	{"/proc/sys/net/ipv4/conf", "forwarding", "/proc/sys/net/ipv4/ip_forward", AF_INET, false},
	{"/proc/sys/net/ipv6/conf", "force_forwarding", "/proc/sys/net/ipv6/conf/all/forwarding",
	 AF_INET6, true},
};

/* 1, 0, or -ENOENT where the kernel has no such setting. */
static int read_switch(const char *path)
{
	auto_free char *text = NULL;

	TRY(file_read(AT_FDCWD, path, 16, &text, NULL));
	return *text != '0';
}

static int write_switch(const char *path, bool is_on)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd_write_all(fd, is_on ? "1" : "0", 1);
}

static const char *switch_path(const struct family *family, const char *link, char ret[96])
{
	(void)snprintf(ret, 96, "%s/%.15s/%s", family->directory, link, family->setting);
	return ret;
}

/* --- Opened --- */

struct opening {
	struct netlink_socket *table;
	const struct family *family;
	int own; /* index of the machine's link */
	int last;
	int result;
};

static int open_link(const struct opening *opening, const char *link, bool is_own)
{
	char path[96];
	int r = read_switch(switch_path(opening->family, link, path));

	if (r != 0)
		return r < 0 ? r : 0;
	/* First the guard, then the gate. */
	if (!is_own)
		TRY(nft_add(opening->table, opening->family->family, NFT_GUARDED, link));
	return write_switch(path, true);
}

/* Nobody forwards what comes from there, and each interface with IPv6 has such a route. */
static bool is_of_link(const struct prefix *to)
{
	static const struct prefix link_local = {
		.address = {.family = AF_INET6, .bytes = {0xfe, 0x80}}, .length = 10};

	return to->address.family == AF_INET6 && to->length >= link_local.length &&
	       prefix_overlaps(&link_local, to);
}

/* The interface of a route, unless it was the last one's, the machine's or the loopback. */
static bool is_next_way(struct opening *opening, const struct route *route, char ret[IFNAMSIZ])
{
	if (route->link <= 0 || route->link == opening->own || route->link == opening->last ||
	    is_of_link(&route->to) || !if_indextoname((unsigned int)route->link, ret) ||
	    strcmp(ret, "lo") == 0)
		return false;
	opening->last = route->link;
	return true;
}

/* Wherever the host has a route to, answers come from. */
static int open_way(const struct route *route, void *userdata)
{
	struct opening *opening = userdata;
	char name[IFNAMSIZ];

	if (opening->result == 0 && is_next_way(opening, route, name))
		opening->result = open_link(opening, name, false);
	return 0;
}

/* -ENOENT: the kernel has no such family, or cannot forward for one interface alone. */
static int can_open(const struct family *family, const char *link)
{
	char path[96];
	int r = read_switch(family->global);

	r = r == 0 ? read_switch(switch_path(family, link, path)) : r;
	return r < 0 ? r : 0;
}

static int stop_at_way(const struct route *route, void *userdata)
{
	char name[IFNAMSIZ];

	return is_next_way(userdata, route, name) ? -EEXIST : 0;
}

static bool has_way(const struct family *family, struct netlink_socket *routes, int own)
{
	struct opening opening = {.family = family, .own = own, .last = -1};

	return !family->may_lead_nowhere ||
	       route_list(routes, family->family, stop_at_way, &opening) == -EEXIST;
}

static int open_gates(struct opening *opening, struct netlink_socket *routes, const char *link)
{
	if (read_switch(opening->family->global) != 0)
		return 0;
	TRY(open_link(opening, link, true));
	TRY(route_list(routes, opening->family->family, open_way, opening));
	return opening->result;
}

static void warn_of_table(int r)
{
	warn(r, "Cannot make the rules by which packets of the machine leave the host, going on "
		"without a way beyond it");
	if (r == -EPROTONOSUPPORT || r == -EOPNOTSUPP || r == -ENOENT)
		hint("'modprobe nf_tables nft_masq nft_ct' loads what they need, where it was built");
}

/* False: no rules can be made, which is said already. */
static bool open_family(struct opening *opening, struct netlink_socket *routes, const char *link,
			bool *ret_is_open)
{
	const struct family *family = opening->family;
	int r = can_open(family, link);

	if (r == 0 && has_way(family, routes, opening->own)) {
		r = nft_make(opening->table, family->family, link);
		if (r < 0) {
			warn_of_table(r);
			return false;
		}
		r = open_gates(opening, routes, link);
	}
	*ret_is_open = r == 0;
	if (r == -ENOENT && family->family == AF_INET6)
		debug("This kernel forwards IPv6 for all interfaces or none, leaving it");
	else if (r < 0)
		warn(r,
		     "Cannot let the host forward packets of '%s', going on without a way beyond it",
		     link);
	return true;
}

void forward_open(struct netlink_socket *routes, const char *link, int index, bool *ret_ipv6)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket table = NETLINK_CLOSED;
	int r = nft_open(&table);

	*ret_ipv6 = false;
	if (r < 0) {
		warn_of_table(r);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct opening opening = {
			.table = &table, .family = &families[i], .own = index, .last = -1};
		bool is_open;

		if (!open_family(&opening, routes, link, &is_open))
			return;
		if (families[i].family == AF_INET6)
			*ret_ipv6 = is_open;
	}
}

/* The first that is shut ends the search. */
static int find_shut(const struct route *route, void *userdata)
{
	struct opening *opening = userdata;
	char name[IFNAMSIZ], path[96];

	return is_next_way(opening, route, name) &&
			       read_switch(switch_path(opening->family, name, path)) == 0
		       ? -EEXIST
		       : 0;
}

static int stop_at_name(const char *link, void *userdata)
{
	return strcmp(link, userdata) == 0 ? -EEXIST : 0;
}

static bool is_missing(struct netlink_socket *table, const struct family *family, const char *link)
{
	int r = nft_list(table, family->family, NFT_LINKS, stop_at_name, (void *)(uintptr_t)link);

	return r == 0 || r == -ENOENT;
}

/* A way has come that the machine is kept from. */
static bool is_due(struct netlink_socket *table, const struct family *family,
		   struct netlink_socket *routes, const char *link, int index)
{
	struct opening opening = {.family = family, .own = index, .last = -1};

	if (can_open(family, link) < 0 || !has_way(family, routes, index))
		return false;
	return is_missing(table, family, link) ||
	       (read_switch(family->global) == 0 &&
		route_list(routes, family->family, find_shut, &opening) == -EEXIST);
}

static bool is_any_due(struct netlink_socket *routes, const char *link, int index)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket table = NETLINK_CLOSED;

	if (nft_open(&table) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (is_due(&table, &families[i], routes, link, index))
			return true;
	return false;
}

void forward_open_new(const char *link)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket routes =
		NETLINK_CLOSED;
	int lock_fd = -EBADF, index = (int)if_nametoindex(link);
	bool has_ipv6;

	if (index <= 0 || netlink_socket_open(&routes) < 0 || !is_any_due(&routes, link, index))
		return;
	if (zone_lock(&lock_fd) == 0)
		forward_open(&routes, link, index, &has_ipv6);
	zone_unlock(&lock_fd);
}

/* --- Closed --- */

struct names {
	char (*items)[IFNAMSIZ];
	size_t count, room;
	struct arena *arena;
};

static int take_name(const char *link, void *userdata)
{
	struct names *names = userdata;

	(void)snprintf(*ARRAY_ADD(names->arena, names), IFNAMSIZ, "%s", link);
	return 0;
}

/* Who turned it on for everybody meanwhile has the say. */
static void close_guarded(struct netlink_socket *table, struct arena *arena,
			  const struct family *family)
{
	struct names names = {.arena = arena};
	char path[96];
	int r = 0;

	if (nft_list(table, family->family, NFT_GUARDED, take_name, &names) < 0 ||
	    read_switch(family->global) != 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		r = write_switch(switch_path(family, names.items[i], path), false);
		if (r < 0 && r != -ENOENT)
			warn(r, "Cannot end the forwarding of packets by '%s', leaving it",
			     names.items[i]);
	}
}

/*
 * The number of machines' links that are there, or a negative errno. Where there is none the others
 * go with the table.
 */
static int sweep_links(struct netlink_socket *table, struct arena *arena, int family,
		       bool *has_dropped)
{
	struct names names = {.arena = arena};
	size_t gone = 0;

	TRY(nft_list(table, family, NFT_LINKS, take_name, &names));
	for (size_t i = 0; i < names.count; i++)
		if (if_nametoindex(names.items[i]) == 0)
			memmove(names.items[gone++], names.items[i], IFNAMSIZ);
	if (gone == names.count)
		return 0;
	for (size_t i = 0; i < gone; i++)
		TRY(nft_drop(table, family, NFT_LINKS, names.items[i]));
	*has_dropped = gone > 0;
	return (int)(names.count - gone);
}

static bool is_absent(int r)
{
	return r == -ENOENT || r == -EPROTONOSUPPORT || r == -EOPNOTSUPP;
}

/* Returns whether something went, or could not. */
static bool sweep_family(struct netlink_socket *table, struct arena *arena,
			 const struct family *family)
{
	bool has_dropped = false;
	int r = sweep_links(table, arena, family->family, &has_dropped);

	if (r > 0 || is_absent(r))
		return has_dropped;
	if (r == 0) {
		close_guarded(table, arena, family);
		r = nft_remove(table, family->family);
	}
	if (r < 0)
		warn(r, "Cannot remove the rules for packets of machines, leaving them");
	return true;
}

int forward_sweep(void)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket table = NETLINK_CLOSED;
	auto_arena struct arena arena = {0};
	bool has_gone = false;

	if (nft_open(&table) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (sweep_family(&table, &arena, &families[i]))
			has_gone = true;
	return has_gone;
}

/* --- Asked --- */

bool forward_is_open(const char *link, int family)
{
	char path[96];

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].family == family)
			return read_switch(families[i].global) == 1 ||
			       read_switch(switch_path(&families[i], link, path)) == 1;
	return false;
}
