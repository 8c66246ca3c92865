/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes what the plan says, and takes it back.
 * Zone: owing. The supervisor enters the machine's network for two system calls, to open a socket.
 */
#include "net/net-apply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/scope.h"
#include "net/link.h"
#include "net/link-wait.h"
#include "net/setup-apply.h"
#include "net/setup-find.h"
#include "net/zone.h"

/* A killed supervisor's last request may take effect while we clean up after it. */
#define ATTEMPTS_MAX 8

static void explain(const struct netlink_socket *socket)
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
	r = r < 0 ? r : link_remove(&net->host, index);
	if (r < 0 && r != -ENODEV)
		warn(r, "Cannot remove the interface '%s', leaving it", plan->host);
}

/* Its address must be free when the next start makes it again. */
static void remove_child(struct net *net, const struct link_plan *plan, int index)
{
	struct link link;
	int r = link_find_index(&net->inside, index, &link);

	if (r == 0 && strcmp(link.kind, link_kind_name(plan->kind)) == 0)
		r = link_remove(&net->inside, index);
	if (r < 0 && r != -ENODEV)
		warn(r, "Cannot remove the interface '%s' of the machine, leaving it to the kernel",
		     plan->inside);
}

static void give_back(struct net *net, const struct net_link *link)
{
	int r;

	(void)link_drop_alternative(&net->inside, link->index, link->name);
	r = link_move(&net->inside, link->index, net->home_fd, link->name);
	if (r == -ENODEV)
		warn(0,
		     "The interface '%s' is gone, going on without: the machine removed it or passed it on",
		     link->name);
	else if (r < 0)
		warn(r, "Cannot move the interface '%s' back to the host, leaving it to the kernel",
		     link->name);
}

static void take_back(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	const struct net_link *link = &net->links[i];

	if (link->index > 0 && plan->kind == LINK_MOVED)
		give_back(net, link);
	else if (link->index > 0 && plan->kind == LINK_VETH)
		remove_veth(net, plan, link->index);
	else if (link->index > 0)
		remove_child(net, plan, link->index);
	if (plan->bridge_is_zone && link->parent > 0)
		(void)zone_leave(&net->host, plan->bridge);
}

static void undo_net(void *argument)
{
	struct net *net = argument;

	for (size_t i = net->links ? net->plan->count : 0; i > 0; i--)
		take_back(net, i - 1);
	if (net->links && net->plan->setup.does_host)
		(void)net_setup_sweep();
	netlink_socket_close(&net->inside);
	netlink_socket_close(&net->host);
	scope_close(&net->home_fd);
	scope_close(&net->inside_fd);
	scope_close(&net->join_fd);
	*net = NET_NONE;
}

/* --- Found --- */

static int open_namespace(const char *path, int *ret_fd)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int type = fd < 0 ? -1 : ioctl(fd, NS_GET_NSTYPE);

	if (fd < 0)
		return fail(-errno, "Cannot open the network namespace '%s'", path);
	if (type != CLONE_NEWNET) {
		(void)refuse(EINVAL, "'%s' is no network namespace", path);
		hint("'ip netns add NAME' makes one, as /run/netns/NAME");
		return -EINVAL;
	}
	*ret_fd = steal_fd(fd);
	return 0;
}

/* What the host calls it, and what the machine will: another of its own names is no new name. */
static int find_moved(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	struct link link;
	bool keeps_name;

	TRY(link_wait(&net->host, plan->host, plan->inside, &link));
	keeps_name = link.is_also || strcmp(plan->inside, plan->host) == 0;
	if (link.flags & IFF_LOOPBACK)
		return refuse(EINVAL, "The loopback interface '%s' cannot be moved", link.name);
	(void)snprintf(ret->name, sizeof(ret->name), "%s", link.name);
	(void)snprintf(ret->inside, sizeof(ret->inside), "%s",
		       keeps_name ? link.name : plan->inside);
	ret->parent = link.index;
	return 0;
}

static int find_needed(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	const char *name = plan->kind == LINK_VETH ? plan->bridge : plan->host;
	struct link link;

	if (plan->kind == LINK_MOVED)
		return find_moved(net, plan, &net->links[i]);
	/* The bridge of a zone is found when it is needed, under a lock. */
	if (!name || plan->bridge_is_zone)
		return 0;
	TRY(link_wait(&net->host, name, NULL, &link));
	net->links[i].parent = link.index;
	return 0;
}

int net_prepare(struct arena *arena, const struct net_plan *plan, struct net *net,
		struct undo *undo)
{
	int r;

	net->plan = plan;
	if (plan->count == 0 && !plan->namespace_path)
		return 0;
	undo_push(undo, undo_net, net, "network");
	if (plan->namespace_path)
		return open_namespace(plan->namespace_path, &net->join_fd);
	net->home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	r = net->home_fd < 0 ? -errno : netlink_socket_open(&net->host);
	if (r < 0)
		return fail(r, "Cannot ask the kernel for the interfaces of the host");
	net->links = arena_allocate(arena, plan->count * sizeof(*net->links));
	for (size_t i = 0; i < plan->count; i++)
		TRY(find_needed(net, i));
	return 0;
}

/* --- Made --- */

/* The machine's payload does not run yet: nobody sees our visit. */
static int visit_inside(struct net *net, pid_t pid)
{
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	net->inside_fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Who is dead has none, and has said why. */
	if (net->inside_fd < 0 && (errno == ENOENT || errno == ESRCH))
		return -EPIPE;
	if (net->inside_fd < 0 || setns(net->inside_fd, CLONE_NEWNET) < 0)
		return fail(-errno, "Cannot enter the network of the machine");
	r = netlink_socket_open(&net->inside);
	if (setns(net->home_fd, CLONE_NEWNET) < 0)
		return fail(-errno, "Cannot return to the network of the host");
	return r < 0 ? fail(r, "Cannot enter the network of the machine") : 0;
}

/* What we would make ourselves, and so is left over: nobody else has the machine's name. */
static bool is_own(const struct link_plan *plan, const struct link *link)
{
	return strcmp(link->kind, "veth") == 0 && strcmp(link->name, plan->host) == 0 &&
	       memcmp(link->mac, plan->host_mac, sizeof(link->mac)) == 0;
}

static int remove_left_over(struct net *net, const struct link_plan *plan)
{
	struct link link;
	int r = link_find(&net->host, plan->host, NULL, &link);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	r = is_own(plan, &link) ? link_remove(&net->host, link.index) : -EEXIST;
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

static int make_veth(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	struct link link;
	int r = link_make_veth(&net->host, plan, ret->parent, net->inside_fd);

	for (int i = 0; r == -EEXIST && i < ATTEMPTS_MAX && remove_left_over(net, plan) == 0; i++)
		r = link_make_veth(&net->host, plan, ret->parent, net->inside_fd);
	if (r == -EEXIST) {
		(void)refuse(EEXIST, "The host has an interface '%s' already", plan->host);
		hint("Remove it, or give the machine another name with --machine=");
		return r;
	}
	r = r < 0 ? r : link_find(&net->host, plan->host, NULL, &link);
	if (r == -EOPNOTSUPP && plan->bridge) {
		(void)refuse(EOPNOTSUPP, "Nothing can be plugged into '%s': it is no bridge",
			     plan->bridge);
		hint("'ip link add NAME type bridge' makes one");
		return r;
	}
	if (r < 0) {
		(void)fail(r, "Cannot make the interfaces '%s' and '%s'", plan->host, plan->inside);
		explain(&net->host);
		return r;
	}
	ret->index = link.index;
	add_long_name(&net->host, ret->index, plan->host, plan->host_alternative);
	return 0;
}

static int make_veth_of_zone(struct net *net, const struct link_plan *plan, struct net_link *ret)
{
	int lock_fd, r;

	TRY(zone_enter(&net->host, plan->bridge, &lock_fd, &ret->parent));
	r = make_veth(net, plan, ret);
	zone_unlock(&lock_fd);
	return r;
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
		explain(&net->host);
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
	int r = link_move(&net->host, ret->parent, net->inside_fd, is_renamed ? ret->inside : NULL);
	struct link link;

	r = r < 0 ? r : link_find(&net->inside, ret->inside, NULL, &link);
	if (r < 0) {
		find_half_moved(net, ret);
		(void)fail(r, "Cannot move the interface '%s' into the machine", ret->name);
		explain(&net->host);
		if (r == -EINVAL)
			hint("Bridges, tunnels and wireless interfaces stay where they are");
		return r;
	}
	ret->index = link.index;
	return 0;
}

/*
 * When we are killed, the kernel gives hardware back under the name that it has then; by this one
 * it can still be found. Only when all are in, as one may have the old name of another.
 */
static void keep_old_name(struct net *net, size_t i)
{
	const struct net_link *link = &net->links[i];

	if (net->plan->items[i].kind == LINK_MOVED && strcmp(link->name, link->inside) != 0)
		(void)link_add_alternative(&net->inside, link->index, link->name);
}

static int make(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	struct net_link *link = &net->links[i];

	if (plan->kind == LINK_MOVED)
		return move_in(net, link);
	if (plan->kind != LINK_VETH)
		return make_child(net, plan, link);
	return plan->bridge_is_zone ? make_veth_of_zone(net, plan, link)
				    : make_veth(net, plan, link);
}

static int set_up(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	const struct net_setup_ends ends = {
		.host = &net->host,
		.inside = &net->inside,
		.index = plan->bridge_is_zone ? net->links[i].parent : net->links[i].index,
		.inside_name = plan->inside,
	};

	return plan->is_main ? net_setup_apply(&net->plan->setup, &ends) : 0;
}

int net_place(struct net *net, pid_t pid)
{
	if (net->plan->count == 0)
		return 0;
	TRY(visit_inside(net, pid));
	for (size_t i = 0; i < net->plan->count; i++)
		TRY(make(net, i));
	for (size_t i = 0; i < net->plan->count; i++)
		keep_old_name(net, i);
	for (size_t i = 0; i < net->plan->count; i++)
		TRY(set_up(net, i));
	return 0;
}

/* --- Left over --- */

int net_clean(const struct net_plan *plan)
{
	struct net net = NET_NONE;
	bool has_removed = false;

	net.plan = plan;
	if (plan->count == 0 || netlink_socket_open(&net.host) < 0)
		return 0;
	for (size_t i = 0; i < plan->count; i++) {
		const struct link_plan *link = &plan->items[i];
		struct link found;

		if (link->kind == LINK_VETH &&
		    link_find(&net.host, link->host, NULL, &found) == 0 && is_own(link, &found) &&
		    link_remove(&net.host, found.index) == 0)
			has_removed = true;
		if (link->bridge_is_zone && zone_leave(&net.host, link->bridge) > 0)
			has_removed = true;
	}
	netlink_socket_close(&net.host);
	net_setup_forget();
	if (net_setup_sweep() > 0)
		has_removed = true;
	return has_removed;
}
