/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One interface is asked for, and with its radio others may move: those are found by their ids.
 * Zone: owing.
 */
#include "net/net-wireless.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "net/link.h"
#include "net/wireless.h"

#define NEW_MAX 2048 /* interfaces of one radio, more than any takes */

/* nl80211 in the networks that 'net' is about. */
struct air {
	struct wireless_socket host, inside;
};

static void close_air(struct air *air)
{
	wireless_close(&air->inside);
	wireless_close(&air->host);
}

static int open_air(const struct net *net, struct air *ret)
{
	struct air air = {WIRELESS_CLOSED, WIRELESS_CLOSED};
	int r = wireless_open(net->home_fd, net->home_fd, &air.host);

	r = r < 0 ? r : wireless_open(net->inside_fd, net->home_fd, &air.inside);
	if (r < 0)
		close_air(&air);
	else
		*ret = air;
	return r;
}

/* All at once: when the first radio has moved, others of its interfaces are on the host no more. */
static void find_all(struct net *net, struct air *air)
{
	for (size_t i = 0; i < net->plan->count; i++) {
		struct net_link *link = &net->links[i];

		if (net->plan->items[i].kind == LINK_MOVED && link->index == 0 &&
		    wireless_find(&air->host, link->parent, &link->wireless) == 0)
			(void)wireless_newest(&air->host, link->wireless.radio, &link->newest);
	}
}

static int move_in(struct net *net, struct air *air, struct net_link *link)
{
	struct wireless found;
	int r;

	if (link->wireless.id == 0)
		find_all(net, air);
	if (link->wireless.id == 0)
		return -EINVAL;
	r = wireless_find_id(&air->inside, link->wireless.id, &found);
	if (r == -ENODEV) {
		TRY(wireless_move(&air->host, link->wireless.radio, net->inside_fd));
		r = wireless_find_id(&air->inside, link->wireless.id, &found);
	}
	TRY(r);
	TRY(link_rename(&net->inside, found.index, link->inside));
	link->index = found.index;
	return 0;
}

int net_wireless_in(struct net *net, struct net_link *link)
{
	struct air air;
	int r = open_air(net, &air);

	if (r < 0)
		return r == -ENOENT ? -EINVAL : r;
	r = move_in(net, &air, link);
	close_air(&air);
	return r;
}

/* In one of the two networks, if it is there. */
static int restore_name(struct wireless_socket *air, struct netlink_socket *network,
			const struct net_link *link)
{
	struct wireless found;
	struct link now;

	TRY(wireless_find_id(air, link->wireless.id, &found));
	TRY(link_find_index(network, found.index, &now));
	if (strcmp(now.name, link->name) == 0)
		return 0;
	(void)link_drop_alternative(network, found.index, link->name);
	(void)link_set_down(network, found.index);
	return link_rename(network, found.index, link->name);
}

/* What the guest made of the radio would be on the host under a name of its choice. */
static void remove_new(struct wireless_socket *air, const struct net_link *link)
{
	uint64_t id;

	for (int i = 0; i < NEW_MAX; i++)
		if (wireless_newest(air, link->wireless.radio, &id) < 0 || id <= link->newest ||
		    wireless_remove(air, id) < 0)
			return;
}

static int give_back(struct net *net, struct air *air, const struct net_link *link)
{
	int r;

	remove_new(&air->inside, link);
	/* udev on the host looks at the name as soon as it is there. */
	(void)restore_name(&air->inside, &net->inside, link);
	/* With another of its interfaces it may be back already. */
	r = wireless_move(&air->inside, link->wireless.radio, net->home_fd);
	return r < 0 && r != -ENODEV ? r : restore_name(&air->host, &net->host, link);
}

int net_wireless_back(struct net *net, const struct net_link *link)
{
	struct air air;
	int r = open_air(net, &air);

	TRY(r);
	r = give_back(net, &air, link);
	close_air(&air);
	return r;
}
