/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each added link is kept with all that was said of it, and forgotten with it.
 * Zone: owing, in the supervisor.
 */
#include "net/net-live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"
#include "net/net-make.h"
#include "net/setup-apply.h"

struct net_live {
	struct config config; /* for its arena, which has everything of the others */
	struct new_link_request asked;
	struct link_plan plan;
	struct net_link link;
};

static void forget(struct net_live *live)
{
	arena_done(&live->config.arena);
	free(live);
}

/* --- Which names --- */

static bool has_number(const struct net *net, unsigned int number)
{
	for (size_t i = 0; i < net->plan->count; i++)
		if (net->plan->items[i].kind == LINK_VETH && net->plan->items[i].number == number)
			return true;
	for (size_t i = 0; i < net->live_count; i++)
		if (net->live[i]->plan.kind == LINK_VETH && net->live[i]->plan.number == number)
			return true;
	return false;
}

static int look_inside(struct net *net, const char *name)
{
	struct link link;
	int r = link_find(&net->inside, name, NULL, &link);

	return r == -ENODEV ? 0 : r < 0 ? fail(r, "Cannot enter the network of the machine") : 1;
}

/* The first number of which there is nothing, neither outside nor inside. */
static int name_cable(struct net *net, const struct net_live_request *request,
		      struct net_live *live)
{
	for (unsigned int number = 1; number < NET_CABLES_MAX; number++) {
		int r;

		if (has_number(net, number))
			continue;
		live->plan.host = NULL;
		net_plan_cable(&live->config.arena, request->machine, request->facts, number,
			       &live->plan);
		r = look_inside(net, live->plan.inside);
		if (r == 0 || r < 0)
			return r;
		if (live->asked.inside)
			break;
	}
	return refuse(EEXIST, "The machine has an interface '%s' already", live->plan.inside);
}

static int plan_link(struct net *net, const struct net_live_request *request, struct net_live *live)
{
	live->plan.asked = &live->asked;
	live->plan.bridge = live->asked.bridge;
	if (request->kind != NEW_LINK_TAP) {
		live->plan.kind = LINK_VETH;
		return name_cable(net, request, live);
	}
	net_plan_tap(&live->config.arena, request->machine, request->facts,
		     NET_CABLES_MAX + (unsigned int)net->live_count, &live->plan);
	if (look_inside(net, live->plan.inside) == 0)
		return 0;
	return refuse(EEXIST, "The machine has an interface '%s' already", live->plan.inside);
}

/* --- Added --- */

static int find_bridge(struct net *net, struct net_live *live)
{
	struct link link;
	int r;

	if (!live->plan.bridge)
		return 0;
	r = link_find(&net->host, live->plan.bridge, NULL, &link);
	if (r == -ENODEV) {
		(void)refuse(ENODEV, "The host has no interface '%s'", live->plan.bridge);
		hint("'ip link' shows those that it has");
		return r;
	}
	if (r < 0)
		return fail(r, "Cannot look for the interface '%s' of the host", live->plan.bridge);
	live->link.parent = link.index;
	return net_check_bridge(&live->plan, &link);
}

static int make(struct net *net, struct net_live *live)
{
	int r = net_make(net, &live->plan, &live->link);

	r = r < 0 ? r : net_give_addresses(net, &live->plan);
	if (r < 0)
		net_take_back(net, &live->plan, &live->link);
	return r;
}

static int add(struct net *net, const struct net_live_request *request, struct net_live *live)
{
	const struct asking asking = {.config = &live->config, .noun = "'net add'"};

	TRY(new_link_read(&asking, request->kind, request->text, &live->asked));
	TRY(net_reach(net, request->pid, request->undo));
	TRY(plan_link(net, request, live));
	TRY(find_bridge(net, live));
	return make(net, live);
}

int net_live_add(struct net *net, const struct net_live_request *request,
		 const struct link_plan **ret)
{
	struct net_live **all, *live;
	int r;

	if (net->live_count == NET_LIVE_MAX)
		return refuse(E2BIG, "Machine '%s' has %d links that were added, which is the most",
			      request->machine, NET_LIVE_MAX);
	all = realloc(net->live, (net->live_count + 1) * sizeof(struct net_live *));
	if (all)
		net->live = all;
	live = all ? calloc(1, sizeof(*live)) : NULL;
	if (!live)
		return fail(-ENOMEM, "Cannot enter the network of the machine");
	r = add(net, request, live);
	if (r < 0) {
		forget(live);
		return r == -EPIPE ? fail(-ESRCH, "Cannot enter the network of the machine") : r;
	}
	net->live[net->live_count++] = live;
	*ret = &live->plan;
	return 0;
}

/* --- Removed --- */

/* The guest may call it otherwise by now. */
static bool is_meant(struct net *net, const struct link_plan *plan, const struct net_link *link,
		     const char *name)
{
	struct link found;

	if (link->index <= 0)
		return false;
	if (plan->kind == LINK_MOVED ? strcmp(link->inside, name) == 0
				     : strcmp(plan->inside, name) == 0)
		return true;
	return link_find(&net->inside, name, NULL, &found) == 0 &&
	       (plan->kind == LINK_VETH ? found.peer : found.index) == link->index;
}

static void remove_live(struct net *net, size_t i)
{
	struct net_live *live = net->live[i];

	net_take_back(net, &live->plan, &live->link);
	net->live[i] = net->live[--net->live_count];
	forget(live);
}

int net_live_remove(struct net *net, const char *machine, const char *inside)
{
	for (size_t i = 0; i < net->live_count; i++)
		if (is_meant(net, &net->live[i]->plan, &net->live[i]->link, inside)) {
			remove_live(net, i);
			return 0;
		}
	for (size_t i = 0; net->links && i < net->plan->count; i++)
		if (is_meant(net, &net->plan->items[i], &net->links[i], inside)) {
			net_take_back(net, &net->plan->items[i], &net->links[i]);
			net->links[i] = (struct net_link){0};
			if (net->plan->items[i].is_main && net->plan->setup.does_host)
				(void)net_setup_sweep();
			return 0;
		}
	(void)refuse(ENODEV, "Machine '%s' was given no interface '%s'", machine, inside);
	hint("'nspawn net %s' shows those that it has", machine);
	return -ENODEV;
}

int net_live_index(const struct net *net, size_t i)
{
	return net->live[i]->plan.kind == LINK_VETH ? net->live[i]->link.index : 0;
}

void net_live_end(struct net *net)
{
	while (net->live_count > 0)
		remove_live(net, net->live_count - 1);
	free(net->live);
	net->live = NULL;
}
