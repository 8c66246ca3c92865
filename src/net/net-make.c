/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes one link of a plan, and takes it back.
 * Zone: owing.
 */
#include "net/net-make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "net/address.h"
#include "net/link.h"
#include "net/net-wireless.h"
#include "net/zone.h"

/* A killed supervisor's last request may take effect while we clean up after it. */
#define ATTEMPTS_MAX 8

void net_explain(const struct netlink_socket *socket)
{
	if (*socket->complaint)
		hint("The kernel says: %s", socket->complaint);
}

/* --- Taken back --- */

/* The guest may have removed or renamed it meanwhile, and a number may be somebody else's then. */
static void remove_veth(struct net *net, const struct link_plan *plan, int index)
{
	struct link link;
	int r = link_find_index(&net->host, index, &link);

	if (r == -ENODEV || (r == 0 && (strcmp(link.kind, "veth") != 0 ||
					memcmp(link.mac, plan->host_mac, sizeof(link.mac)) != 0)))
		return;
	r = r < 0 ? r : link_remove(&net->host, index, net->farewell);
	if (r < 0 && r != -ENODEV)
		warn(r, "Cannot remove the interface '%s', leaving it", plan->host);
}

/* What rtnetlink calls it. */
static const char *kind_of(const struct link_plan *plan)
{
	return plan->kind == LINK_TAP ? "tun" : link_kind_name(plan->kind);
}

/* Its address must be free when the next start makes it again. */
static void remove_child(struct net *net, const struct link_plan *plan, int index)
{
	struct link link;
	int r = link_find_index(&net->inside, index, &link);

	if (r == 0 && strcmp(link.kind, kind_of(plan)) == 0)
		r = link_remove(&net->inside, index, net->farewell);
	if (r < 0 && r != -ENODEV)
		warn(r, "Cannot remove the interface '%s' of the machine, leaving it to the kernel",
		     plan->inside);
}

/* The kernel moves first, and renames then. */
static int move_back(struct net *net, const struct net_link *link)
{
	struct link left;
	int r;

	(void)link_drop_alternative(&net->inside, link->index, link->name);
	r = link_move(&net->inside, link->index, net->home_fd, link->name);
	if (r != -EEXIST || link_find_index(&net->inside, link->index, &left) != -ENODEV)
		return r;
	warn(0,
	     "The host has another interface '%s' by now, leaving that of the machine the name that "
	     "it had there",
	     link->name);
	return 0;
}

static void give_back(struct net *net, const struct net_link *link)
{
	int r = link->wireless.id ? net_wireless_back(net, link) : move_back(net, link);

	if (r == -ENODEV)
		warn(0,
		     "The interface '%s' is gone, going on without: the machine removed it or passed it on",
		     link->name);
	else if (r < 0)
		warn(r, "Cannot move the interface '%s' back to the host, leaving it to the kernel",
		     link->name);
}

void net_take_back(struct net *net, const struct link_plan *plan, const struct net_link *link)
{
	if (plan->kind == LINK_MOVED && (link->index > 0 || link->wireless.id))
		give_back(net, link);
	else if (link->index > 0 && plan->kind == LINK_VETH)
		remove_veth(net, plan, link->index);
	else if (link->index > 0)
		remove_child(net, plan, link->index);
	if (plan->bridge_is_zone && link->parent > 0)
		(void)zone_leave(&net->host, plan->bridge, net->farewell);
}

/* --- Made --- */

bool net_is_own(const struct link_plan *plan, const struct link *link)
{
	return strcmp(link->kind, "veth") == 0 && strcmp(link->name, plan->host) == 0 &&
	       memcmp(link->mac, plan->host_mac, sizeof(link->mac)) == 0;
}

int net_refuse_taken(const struct link_plan *plan)
{
	(void)refuse(EEXIST, "The host has an interface '%s' already", plan->host);
	hint(plan->is_main ? "Remove it, or choose another name with --network-veth-name="
			   : "Remove it, or choose another name");
	return -EEXIST;
}

static int remove_left_over(struct net *net, const struct link_plan *plan)
{
	struct link link;
	int r = link_find(&net->host, plan->host, NULL, &link);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	r = net_is_own(plan, &link) ? link_remove(&net->host, link.index, LINK_WAIT) : -EEXIST;
	/* The kernel may be about to remove it, with the network of the one that was killed. */
	return r == -ENODEV ? 0 : r;
}

static void add_long_name(struct netlink_socket *socket, int index, const char *name,
			  const char *alternative)
{
	int r;

	if (!alternative)
		return;
	r = link_add_alternative(socket, index, alternative);
	if (r == 0)
		note("The interface '%s' is called '%s' as well: its name was too long", name,
		     alternative);
	else
		warn(r, "Cannot call the interface '%s' '%s' as well, leaving it at the short name",
		     name, alternative);
}

/* The port is down until it has its VLANs and no other. */
static int admit_vlans(struct net *net, const struct link_plan *plan, int port)
{
	int r;

	if (!link_has_vlans(plan))
		return 0;
	r = link_set_vlans(&net->host, port, plan->asked);
	r = r < 0 ? r : link_set_up(&net->host, port);
	if (r < 0) {
		(void)fail(r, "Cannot give the interface '%s' its VLANs", plan->host);
		net_explain(&net->host);
	}
	return r;
}

/* One of the same name may have come meanwhile. */
static bool is_still_there(struct net *net, const char *name, int index)
{
	struct link link;

	return link_find(&net->host, name, NULL, &link) == 0 && link.index == index;
}

static int make_veth(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	struct link link;
	int r = link_make_veth(&net->host, plan, ret->parent, net->inside_fd);

	for (int i = 0; r == -EEXIST && i < ATTEMPTS_MAX && remove_left_over(net, plan) == 0; i++)
		r = link_make_veth(&net->host, plan, ret->parent, net->inside_fd);
	if (r == -EEXIST)
		return net_refuse_taken(plan);
	r = r < 0 ? r : link_find(&net->host, plan->host, NULL, &link);
	if (r == -EOPNOTSUPP && plan->bridge) {
		(void)refuse(EOPNOTSUPP, "Nothing can be plugged into '%s': it is no bridge",
			     plan->bridge);
		hint("'ip link add NAME type bridge' makes one");
		return r;
	}
	if (r < 0 && plan->bridge && !plan->bridge_is_zone &&
	    !is_still_there(net, plan->bridge, ret->parent))
		return refuse(ENODEV, "The bridge '%s' of the host is gone since it was found",
			      plan->bridge);
	if (r < 0) {
		(void)fail(r, "Cannot make the interfaces '%s' and '%s'", plan->host, plan->inside);
		net_explain(&net->host);
		return r;
	}
	ret->index = link.index;
	add_long_name(&net->host, ret->index, plan->host, plan->host_alternative);
	return plan->asked ? admit_vlans(net, plan, ret->index) : 0;
}

static int make_veth_of_zone(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	struct zone_entry entry;

	TRY(zone_enter(&net->host, plan->bridge, plan->bridge_mac, &entry));
	ret->parent = entry.bridge;
	return zone_finish(&net->host, &entry, make_veth(net, plan, ret));
}

static int make_child(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	const char *kind = link_kind_name(plan->kind);
	int r = link_make_child(&net->host, plan, ret->parent, net->inside_fd);
	struct link link;

	if (r == -EOPNOTSUPP) {
		(void)refuse(EOPNOTSUPP, "This kernel has no interfaces of the kind %s for '%s'",
			     kind, plan->inside);
		hint("'modprobe %s' loads what it needs, where it was built", kind);
		return r;
	}
	r = r < 0 ? r : link_find(&net->inside, plan->inside, NULL, &link);
	if (r < 0) {
		(void)fail(r, "Cannot make the %s '%s' of the interface '%s'", kind, plan->inside,
			   plan->host);
		net_explain(&net->host);
		if (r == -EBUSY)
			hint("An interface has macvlans or ipvlans, and not both");
		return r;
	}
	ret->index = link.index;
	add_long_name(&net->inside, ret->index, plan->inside, plan->inside_alternative);
	return 0;
}

/* The kernel moves first, and renames then: what failed may be half done. */
static void find_half_moved(struct net *net, struct net_link *ret)
{
	struct link link;

	if (link_find(&net->inside, ret->name, NULL, &link) < 0)
		return;
	for (size_t i = 0; i < net->plan->count; i++)
		if (net->plan->items[i].kind == LINK_MOVED && net->links[i].index == link.index)
			return;
	ret->index = link.index;
}

static int move_in(struct net *net, struct net_link *ret)
{
	bool is_renamed = strcmp(ret->name, ret->inside) != 0;
	int r = -EINVAL;
	struct link link;

	if (!ret->wireless.id)
		r = link_move(&net->host, ret->parent, net->inside_fd,
			      is_renamed ? ret->inside : NULL);
	/* What the kernel does not move by itself may move with its radio. */
	if (r == -EINVAL)
		r = net_wireless_in(net, ret);
	r = r < 0 ? r : link_find(&net->inside, ret->inside, NULL, &link);
	if (r < 0) {
		if (!ret->wireless.id)
			find_half_moved(net, ret);
		(void)fail(r, "Cannot move the interface '%s' into the machine", ret->name);
		net_explain(&net->host);
		if (r == -EINVAL)
			hint("Bridges and most tunnels stay where they are");
		else if (r == -EOPNOTSUPP && ret->wireless.id)
			hint("The driver of this radio keeps it in the host's network");
		return r;
	}
	ret->index = link.index;
	return 0;
}

/* --- Taps --- */

/* The file belongs to the network that it was opened in. */
static int open_tun(struct net *net)
{
	int fd, r;

	if (setns(net->inside_fd, CLONE_NEWNET) < 0)
		return fail(-errno, "Cannot enter the network of the machine");
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	r = fd < 0 ? -errno : fd;
	if (setns(net->home_fd, CLONE_NEWNET) < 0) {
		scope_close(&fd);
		return fail(-errno, "Cannot return to the network of the host");
	}
	if (r < 0) {
		(void)fail(r, "Cannot open '%s'", "/dev/net/tun");
		hint("'modprobe tun' loads what it needs");
	}
	return r;
}

/* It stays without its file, and goes with the network of the machine. */
static int make_persistent(const struct net *net, const struct link_plan *plan, int tun_fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", plan->inside);
	if (ioctl(tun_fd, TUNSETIFF, &request) < 0)
		return -errno;
	/* One that is nobody's is everybody's. */
	if (ioctl(tun_fd, TUNSETOWNER, (unsigned long)net->id_shift + plan->asked->user) < 0)
		return -errno;
	return ioctl(tun_fd, TUNSETPERSIST, 1UL) < 0 ? -errno : 0;
}

static int make_tap(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	auto_close int tun_fd = open_tun(net);
	struct link link;
	int r;

	TRY(tun_fd);
	r = make_persistent(net, plan, tun_fd);
	r = r < 0 ? r : link_find(&net->inside, plan->inside, NULL, &link);
	if (r == 0) {
		ret->index = link.index;
		r = link_set_mac(&net->inside, link.index, plan->inside_mac);
	}
	return r < 0 ? fail(r, "Cannot make the tap interface '%s'", plan->inside) : 0;
}

/* --- All kinds --- */

int net_check_bridge(const struct link_plan *plan, const struct link *bridge)
{
	if (strcmp(bridge->kind, "bridge") != 0) {
		(void)refuse(EOPNOTSUPP, "Nothing can be plugged into '%s': it is no bridge",
			     plan->bridge);
		hint("'ip link add NAME type bridge' makes one");
		return -EOPNOTSUPP;
	}
	if (!link_has_vlans(plan) || bridge->vlans == LINK_VLANS_FILTERED)
		return 0;
	(void)refuse(EOPNOTSUPP, "The bridge '%s' does not tell VLANs apart", plan->bridge);
	if (bridge->vlans == LINK_VLANS_UNKNOWN)
		hint("This kernel was built without that (CONFIG_BRIDGE_VLAN_FILTERING)");
	else
		hint("'ip link set %s type bridge vlan_filtering 1' makes it do so", plan->bridge);
	return -EOPNOTSUPP;
}

int net_give_addresses(struct net *net, const struct link_plan *plan)
{
	const struct new_link_request *asked = plan->asked;
	struct link link;
	int r;

	/* Who may use a tap need not be able to set it up. */
	if (!asked || (asked->addresses.count == 0 && plan->kind != LINK_TAP))
		return 0;
	r = link_find(&net->inside, plan->inside, NULL, &link);
	r = r < 0 ? r : link_set_up(&net->inside, link.index);
	for (size_t i = 0; r == 0 && i < asked->addresses.count; i++) {
		const struct address_request *address = &asked->addresses.items[i];
		struct prefix prefix = {.address.family = address->family,
					.length = address->length};

		memcpy(prefix.address.bytes, address->bytes, sizeof(prefix.address.bytes));
		r = address_add(&net->inside, link.index, &prefix);
	}
	if (r < 0) {
		(void)fail(r, "Cannot give the machine's interface '%s' its addresses",
			   plan->inside);
		net_explain(&net->inside);
	}
	return r;
}

int net_make(struct net *net, const struct link_plan *plan, struct net_link *link)
{
	if (plan->kind == LINK_MOVED)
		return move_in(net, link);
	if (plan->kind == LINK_TAP)
		return make_tap(net, plan, link);
	if (plan->kind != LINK_VETH)
		return make_child(net, plan, link);
	return plan->bridge_is_zone ? make_veth_of_zone(net, plan, link)
				    : make_veth(net, plan, link);
}
