/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who holds the sockets of ports, and what follows from the machine's addresses.
 * Zone: owing.
 */
#include "net/ports.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/port-values.h"
#include "net/forward.h"
#include "net/port-flows.h"
#include "net/port-inside.h"
#include "net/port-socket.h"
#include "net/walls.h"
#include "net/zone.h"

/* Whoever has ended needs no ports. */
static int complain(const struct ports *ports, int r)
{
	if (r == -ESRCH)
		return 0;
	return fail(r, "Cannot serve the ports of machine '%s'", ports->machine);
}

/* --- In the kernel --- */

/*
 * The guest may call itself what it likes: an address counts only where the host's own route to it
 * leads into the machine. Else it could have the host lead its clients on to the host's loopback,
 * or to somebody of its neighbourhood.
 */
static bool is_reached(const struct ports *ports, const struct address *address)
{
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket socket =
		NETLINK_CLOSED;
	int link = 0;

	return address->family != AF_UNSPEC && netlink_socket_open(&socket) == 0 &&
	       route_find(&socket, address, &link) == 0 &&
	       link == (int)if_nametoindex(ports->owner.way) &&
	       forward_is_open(ports->owner.way, address->family);
}

static int lead_family(struct ports *ports, const struct address *to, int family,
		       struct address *led)
{
	bool is_reachable = is_reached(ports, to);
	const struct address old = *led;
	int r = 0;

	if (is_reachable && memcmp(to, led, sizeof(*to)) == 0)
		return 0;
	*led = (struct address){0};
	if (is_reachable)
		r = port_nft_set(&ports->owner, &ports->published, to);
	else if (old.family != AF_UNSPEC)
		r = port_nft_drop(&ports->published, family);
	if (is_reachable && r == 0)
		*led = *to;
	if (old.family != AF_UNSPEC)
		port_flows_forget(&old);
	return r;
}

/* Whatever is missing here is served by processes. */
static void lead(struct ports *ports)
{
	const struct relay_targets *targets = &ports->inward[0].targets;
	int lock_fd = -EBADF, r;

	if (!ports->owner.way)
		return;
	r = zone_lock(&lock_fd);
	if (r == 0)
		r = lead_family(ports, &targets->ipv4, AF_INET, &ports->led_to.ipv4);
	if (r == 0)
		r = lead_family(ports, &targets->ipv6, AF_INET6, &ports->led_to.ipv6);
	zone_unlock(&lock_fd);
	if (r < 0)
		debug("The kernel does not lead ports on (%s), leaving it to processes",
		      strerrordesc_np(-r));
}

/* The link of the host that is ours alone, or the zone's; a bridge of others is theirs. */
static void find_owner(struct ports *ports)
{
	for (size_t i = 0; i < ports->plan->count; i++) {
		const struct link_plan *link = &ports->plan->items[i];

		if (link->is_main && (!link->bridge || link->bridge_is_zone))
			ports->owner = (struct port_owner){
				.cable = link->host,
				.way = link->bridge ? link->bridge : link->host,
			};
	}
	if (ports->owner.way && walls_are_there()) {
		ports->owner.way = NULL;
		note("The host's own rules may keep packets to '%s' back: clients of the ports do not "
		     "reach the machine with their own addresses",
		     ports->owner.cable);
	}
}

static int sweep(const char *cable)
{
	int lock_fd = -EBADF, r = zone_lock(&lock_fd);

	r = r < 0 ? r : port_nft_sweep(cable);
	zone_unlock(&lock_fd);
	return r;
}

static void undo_lead(struct ports *ports)
{
	int r;

	if (ports->led_to.ipv4.family == AF_UNSPEC && ports->led_to.ipv6.family == AF_UNSPEC)
		return;
	r = sweep(ports->owner.cable);
	if (r < 0)
		warn(r, "Cannot remove the rules for the ports of machine '%s', leaving them",
		     ports->machine);
	ports->led_to = (struct relay_targets){0};
}

static void undo_ports(void *argument)
{
	struct ports *ports = argument;

	undo_lead(ports);
	for (size_t i = 0; i < RELAYS_MAX; i++)
		relay_stop(&ports->inward[i]);
	relay_stop(&ports->to_host);
}

/* --- One port --- */

static int hold(struct ports *ports, const struct port_request *port)
{
	auto_close int fd = -EBADF;
	int r;

	TRY(port_socket_open(ports->arena, port, &fd));
	r = relay_add(&ports->inward[0], port, fd);
	for (size_t i = 1; r == 0 && i < RELAYS_MAX && port->protocol == IPPROTO_TCP; i++)
		if (ports->inward[i].fd >= 0)
			r = relay_add(&ports->inward[i], port, fd);
	return r < 0 ? complain(ports, r) : 0;
}

static int take_of_host(const struct port_request *port, int fd, void *userdata)
{
	struct ports *ports = userdata;

	return relay_add(&ports->to_host, port, fd);
}

static int hold_inside(struct ports *ports, const struct port_requests *of_host)
{
	const struct port_request *failed = NULL;
	int r = port_sockets_inside(&ports->network, of_host, take_of_host, ports, &failed);

	if (r < 0 && failed && r == -EADDRINUSE)
		return refuse(EADDRINUSE, "The port %s of the machine is taken",
			      port_text(ports->arena, failed));
	return r < 0 ? complain(ports, r) : 0;
}

/* --- All of them --- */

/* What is asked for stays as it is. */
static void copy(struct arena *arena, const struct port_requests *from, struct port_requests *to)
{
	*to = (struct port_requests){0};
	for (size_t i = 0; i < from->count; i++)
		*ARRAY_ADD(arena, to) = from->items[i];
}

static int start_inward(struct ports *ports)
{
	size_t connections = 0;

	for (size_t i = 0; i < RELAYS_MAX && connections < CONNECTIONS_WANTED; i++) {
		TRY(relay_start(&ports->inward[i], RELAY_INWARD));
		connections += ports->inward[i].flow_max;
	}
	return 0;
}

static int enter_all(struct ports *ports)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < RELAYS_MAX; i++)
		if (ports->inward[i].fd >= 0)
			r = relay_enter(&ports->inward[i], &ports->network);
	return r;
}

void ports_ask(struct arena *arena, const struct config *config, struct ports *ports)
{
	ports->arena = arena;
	copy(arena, &config->ports, &ports->published);
	copy(arena, &config->host_ports, &ports->of_host);
}

int ports_prepare(const char *machine, const struct net_plan *plan, struct ports *ports,
		  struct undo *undo)
{
	int r = 0;

	ports->machine = machine;
	ports->plan = plan;
	/* Also what is added later. */
	undo_push(undo, undo_ports, ports, "ports");
	if (ports->published.count > 0)
		r = start_inward(ports);
	if (r == 0 && ports->of_host.count > 0)
		r = relay_start(&ports->to_host, RELAY_TO_HOST);
	if (r < 0)
		return complain(ports, r);
	for (size_t i = 0; i < ports->published.count; i++)
		TRY(hold(ports, &ports->published.items[i]));
	return 0;
}

bool ports_are_early(void)
{
	return geteuid() == 0;
}

int ports_place(struct ports *ports, int network_fd)
{
	int r = 0;

	ports->network = (struct relay_network){
		.fd = network_fd,
		.is_ours = ports_are_early(),
		.has_links = ports->plan->count > 0 || ports->plan->namespace_path,
	};
	if (ports->of_host.count > 0) {
		TRY(hold_inside(ports, &ports->of_host));
		r = relay_enter(&ports->to_host, &ports->network);
	}
	if (r == 0 && ports->published.count > 0)
		r = enter_all(ports);
	if (r < 0)
		return complain(ports, r);
	if (ports->published.count > 0 && ports->network.is_ours) {
		find_owner(ports);
		/* Nobody else has the cable's name: what a killed supervisor of ours left goes,
		 * too. */
		(void)sweep(ports->owner.cable);
		lead(ports);
	}
	return 0;
}

/* --- Later --- */

/* Without elements of the machine's that are there already. */
static void lead_anew(struct ports *ports)
{
	if (ports->network.is_ours && ports->owner.cable)
		(void)sweep(ports->owner.cable);
	ports->led_to = (struct relay_targets){0};
	if (ports->published.count > 0)
		lead(ports);
}

static int begin_published(struct ports *ports)
{
	int r = start_inward(ports);

	r = r < 0 ? r : enter_all(ports);
	if (r < 0)
		return complain(ports, r);
	if (ports->network.is_ours)
		find_owner(ports);
	return 0;
}

static int begin_of_host(struct ports *ports)
{
	int r = relay_start(&ports->to_host, RELAY_TO_HOST);

	r = r < 0 ? r : relay_enter(&ports->to_host, &ports->network);
	return r < 0 ? complain(ports, r) : 0;
}

static void let_go(struct ports *ports, const struct port_request *port, bool is_host_port)
{
	if (is_host_port) {
		(void)relay_remove(&ports->to_host, port);
		return;
	}
	for (size_t i = 0; i < RELAYS_MAX; i++)
		if (ports->inward[i].fd >= 0)
			(void)relay_remove(&ports->inward[i], port);
}

/* All of them, or none. */
static int hold_all(struct ports *ports, const struct port_requests *added, bool is_host_port)
{
	for (size_t i = 0; i < added->count; i++) {
		struct port_requests one = {.items = &added->items[i], .count = 1};
		int r = is_host_port ? hold_inside(ports, &one) : hold(ports, one.items);

		if (r == 0)
			continue;
		while (i-- > 0)
			let_go(ports, &added->items[i], is_host_port);
		return r;
	}
	return 0;
}

int ports_add(struct ports *ports, const struct port_requests *added, bool is_host_port)
{
	struct port_requests *list = is_host_port ? &ports->of_host : &ports->published;

	if (is_host_port && ports->to_host.fd < 0)
		TRY(begin_of_host(ports));
	if (!is_host_port && ports->inward[0].fd < 0)
		TRY(begin_published(ports));
	TRY(hold_all(ports, added, is_host_port));
	for (size_t i = 0; i < added->count; i++)
		*ARRAY_ADD(ports->arena, list) = added->items[i];
	if (!is_host_port)
		lead_anew(ports);
	return 0;
}

static struct port_request *find_port(const struct port_requests *list,
				      const struct port_request *port)
{
	for (size_t i = 0; i < list->count; i++)
		if (memcmp(&list->items[i], port, sizeof(*port)) == 0)
			return &list->items[i];
	return NULL;
}

int ports_remove(struct ports *ports, const struct port_requests *removed, bool is_host_port)
{
	struct port_requests *list = is_host_port ? &ports->of_host : &ports->published;

	for (size_t i = 0; i < removed->count; i++)
		if (!find_port(list, &removed->items[i]))
			return refuse(ENOENT, "The machine has no port %s",
				      port_text(ports->arena, &removed->items[i]));
	for (size_t i = 0; i < removed->count; i++) {
		let_go(ports, &removed->items[i], is_host_port);
		*find_port(list, &removed->items[i]) = list->items[list->count - 1];
		list->count--;
	}
	if (!is_host_port)
		lead_anew(ports);
	return 0;
}

static void hear(struct ports *ports, struct relay *relay)
{
	int r = relay->fd >= 0 ? relay_hear(relay) : 0;

	if (r == -EPIPE) {
		warn(0, "The process that serves ports of machine '%s' is gone, going on without",
		     ports->machine);
		relay_stop(relay);
	}
	if (r > 0 && relay == &ports->inward[0])
		lead(ports);
}

void ports_fds(const struct ports *ports, int ret[PORTS_POLLFDS])
{
	for (size_t i = 0; i < RELAYS_MAX; i++)
		ret[i] = ports->inward[i].fd;
	ret[RELAYS_MAX] = ports->to_host.fd;
}

void ports_dispatch(struct ports *ports)
{
	for (size_t i = 0; i < RELAYS_MAX; i++)
		hear(ports, &ports->inward[i]);
	hear(ports, &ports->to_host);
}

int ports_sweep(const char *cable)
{
	return sweep(cable) > 0;
}
