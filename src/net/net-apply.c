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
#include "net/net-live.h"
#include "net/net-make.h"
#include "net/ports.h"
#include "net/setup-apply.h"
#include "net/setup-find.h"
#include "net/zone.h"

/* --- Taken back --- */

static void undo_net(void *argument)
{
	struct net *net = argument;

	net_live_end(net);
	for (size_t i = net->links ? net->plan->count : 0; i > 0; i--)
		net_take_back(net, &net->plan->items[i - 1], &net->links[i - 1]);
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
	const struct link_want want = {plan->host, plan->inside, !net->only_looks};
	struct link link;
	bool keeps_name;

	TRY(link_wait(&net->host, &want, &link));
	keeps_name = link.is_also || strcmp(plan->inside, plan->host) == 0;
	if (link.flags & IFF_LOOPBACK)
		return refuse(EINVAL, "The loopback interface '%s' cannot be moved", link.name);
	(void)snprintf(ret->name, sizeof(ret->name), "%s", link.name);
	(void)snprintf(ret->inside, sizeof(ret->inside), "%s",
		       keeps_name ? link.name : plan->inside);
	ret->parent = link.index;
	return 0;
}

/* What takes this interface away before the one of number 'end' is made, or NULL. */
static const struct net_link *find_mover(const struct net *net, size_t end, int index)
{
	for (size_t i = 0; i < end; i++)
		if (net->plan->items[i].kind == LINK_MOVED && net->links[i].parent == index)
			return &net->links[i];
	return NULL;
}

/* What moves in is no longer there for others; one interface may have several names. */
static int refuse_moved(const struct net *net, size_t i)
{
	const struct net_link *mover = find_mover(net, i, net->links[i].parent);

	return mover ? refuse(EEXIST, "The interface '%s' of the host is there twice", mover->name)
		     : 0;
}

static int find_needed(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	const struct link_want want = {
		.name = plan->kind == LINK_VETH ? plan->bridge : plan->host,
		.may_wait = !net->only_looks,
	};
	struct link link;

	/* The bridge of a zone is found when it is needed, under a lock. */
	if (!want.name || plan->bridge_is_zone)
		return 0;
	if (plan->kind == LINK_MOVED) {
		TRY(find_moved(net, plan, &net->links[i]));
	} else {
		TRY(link_wait(&net->host, &want, &link));
		if (plan->bridge)
			TRY(net_check_bridge(plan, &link));
		net->links[i].parent = link.index;
	}
	return refuse_moved(net, i);
}

static void owe(struct net *net, struct undo *undo)
{
	if (!net->is_owed)
		undo_push(undo, undo_net, net, "network");
	net->is_owed = true;
}

static int open_home(struct net *net)
{
	int r = 0;

	if (net->home_fd < 0)
		net->home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (net->home_fd < 0)
		r = -errno;
	else if (net->host.fd < 0)
		r = netlink_socket_open(&net->host);
	return r < 0 ? fail(r, "Cannot ask the kernel for the interfaces of the host") : 0;
}

int net_prepare(struct arena *arena, const struct net_plan *plan, struct net *net,
		struct undo *undo)
{
	net->plan = plan;
	if (plan->count == 0 && !plan->namespace_path)
		return 0;
	owe(net, undo);
	if (plan->namespace_path)
		return open_namespace(plan->namespace_path, &net->join_fd);
	TRY(open_home(net));
	net->links = arena_allocate(arena, plan->count * sizeof(*net->links));
	for (size_t i = 0; i < plan->count; i++)
		TRY(find_needed(net, i));
	return 0;
}

/* --- Looked at --- */

/* What is there of our own is left over, or of the machine that runs under this name. */
static void look_for_taken(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	struct link link;

	if (plan->kind == LINK_VETH && link_find(&net->host, plan->host, NULL, &link) == 0 &&
	    !net_is_own(plan, &link) && !find_mover(net, i, link.index))
		(void)net_refuse_taken(plan);
	if (plan->bridge_is_zone && link_find(&net->host, plan->bridge, NULL, &link) == 0 &&
	    strcmp(link.kind, "bridge") != 0)
		(void)refuse(EEXIST, "The interface '%s' of the host is no bridge of a zone",
			     plan->bridge);
}

static void look_at_links(struct arena *arena, struct net *net)
{
	net->links = arena_allocate(arena, net->plan->count * sizeof(*net->links));
	for (size_t i = 0; i < net->plan->count; i++) {
		(void)find_needed(net, i);
		look_for_taken(net, i);
	}
}

void net_look(struct arena *arena, const struct net_plan *plan)
{
	struct net net = NET_NONE;

	net.plan = plan;
	net.only_looks = true;
	if (plan->namespace_path)
		(void)open_namespace(plan->namespace_path, &net.join_fd);
	else if (plan->count > 0 && open_home(&net) == 0)
		look_at_links(arena, &net);
	netlink_socket_close(&net.host);
	scope_close(&net.home_fd);
	scope_close(&net.join_fd);
}

/* --- Made --- */

/* Who is in a network cannot be seen from it, and we have no address in it: a short visit. */
static int visit_inside(struct net *net, pid_t pid)
{
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (net->inside_fd < 0)
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

static int set_up(struct net *net, size_t i)
{
	const struct link_plan *plan = &net->plan->items[i];
	const struct net_setup_ends ends = {
		.host = &net->host,
		.inside = &net->inside,
		.index = plan->bridge_is_zone ? net->links[i].parent : net->links[i].index,
		.inside_name = plan->inside,
	};

	TRY(net_give_addresses(net, plan));
	return plan->is_main ? net_setup_apply(&net->plan->setup, &ends) : 0;
}

int net_reach(struct net *net, pid_t pid, struct undo *undo)
{
	owe(net, undo);
	TRY(open_home(net));
	return net->inside.fd >= 0 ? 0 : visit_inside(net, pid);
}

int net_place(struct net *net, pid_t pid)
{
	if (net->plan->count == 0)
		return 0;
	TRY(visit_inside(net, pid));
	for (size_t i = 0; i < net->plan->count; i++)
		TRY(net_make(net, &net->plan->items[i], &net->links[i]));
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
		    link_find(&net.host, link->host, NULL, &found) == 0 &&
		    net_is_own(link, &found) && link_remove(&net.host, found.index, LINK_WAIT) == 0)
			has_removed = true;
		if (link->bridge_is_zone && zone_leave(&net.host, link->bridge, LINK_WAIT) > 0)
			has_removed = true;
	}
	netlink_socket_close(&net.host);
	net_setup_forget();
	if (net_setup_sweep() > 0)
		has_removed = true;
	if (ports_sweep(NULL) > 0)
		has_removed = true;
	return has_removed;
}
