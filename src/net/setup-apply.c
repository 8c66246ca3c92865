/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addresses go with the interfaces that have them; what does not is swept up.
 * Zone: owing.
 */
#include "net/setup-apply.h"

#include <errno.h>

#include "base/log.h"
#include "base/scope.h"
#include "net/forward.h"
#include "net/link.h"
#include "net/walls.h"
#include "net/zone.h"

/* A kernel may have IPv6 and refuse it on an interface. */
static int add_address(struct netlink_socket *socket, int index, const struct net_addresses *which,
		       const struct prefix *prefix)
{
	int r = which->is_used ? address_add(socket, index, prefix) : 0;

	if (r < 0 && prefix->address.family == AF_INET6) {
		debug("An interface takes no IPv6 address, going on without");
		return 0;
	}
	return r;
}

/* True in '*ret_ipv6' if IPv6 leads beyond the host. */
static int set_up_host(const struct net_setup_plan *plan, const struct net_setup_ends *ends,
		       bool *ret_ipv6)
{
	int lock_fd = -EBADF, r = zone_lock(&lock_fd);

	if (r < 0)
		return fail(r, "Cannot lock the zones of the host by '%s'", ZONE_LOCK);
	/* With the lock, or who sees its route would take the link for one of the host's own. */
	link_trust_addresses(plan->link);
	r = link_set_up(ends->host, ends->index);
	r = r < 0 ? r : add_address(ends->host, ends->index, &plan->ipv4, &plan->ipv4.host);
	r = r < 0 ? r : add_address(ends->host, ends->index, &plan->ipv6, &plan->ipv6.host);
	if (r == 0)
		forward_open(ends->host, plan->link, ends->index, ret_ipv6);
	zone_unlock(&lock_fd);
	if (r < 0)
		return fail(r, "Cannot give the interface '%s' its addresses", plan->link);
	walls_mention(plan->link);
	return 0;
}

/*
 * The address that the kernel would make (RFC 4291, appendix A) and then keep back for a second or
 * two. Settings of the other network are out of reach from here.
 */
static void trust_link_address(struct netlink_socket *socket, const struct link *link)
{
	const uint8_t *mac = link->mac;
	const struct prefix prefix = {
		.address = {.family = AF_INET6,
			    .bytes = {0xfe, 0x80, [8] = mac[0] ^ 0x02, mac[1], mac[2], 0xff, 0xfe,
				      mac[3], mac[4], mac[5]}},
		.length = 64,
	};

	(void)address_add(socket, link->index, &prefix);
}

static int set_up_inside(const struct net_setup_plan *plan, const struct net_setup_ends *ends,
			 bool has_ipv6)
{
	struct link link;
	int r = link_find(ends->inside, ends->inside_name, NULL, &link);

	if (r == 0 && link.has_mac)
		trust_link_address(ends->inside, &link);
	r = r < 0 ? r : link_set_up(ends->inside, link.index);
	r = r < 0 ? r : add_address(ends->inside, link.index, &plan->ipv4, &plan->ipv4.guest);
	r = r < 0 ? r : add_address(ends->inside, link.index, &plan->ipv6, &plan->ipv6.guest);
	if (r == 0 && plan->ipv4.is_used)
		r = route_add_default(ends->inside, link.index, &plan->ipv4.host.address);
	if (r == 0 && plan->ipv6.is_used && has_ipv6 &&
	    route_add_default(ends->inside, link.index, &plan->ipv6.host.address) < 0)
		debug("The machine takes no IPv6 route, going on without");
	return r < 0 ? fail(r, "Cannot give the machine's interface '%s' its addresses",
			    ends->inside_name)
		     : 0;
}

int net_setup_apply(const struct net_setup_plan *plan, const struct net_setup_ends *ends)
{
	/* Who sets up the other end knows where it leads. */
	bool has_ipv6 = !plan->does_host;

	if (plan->does_host)
		TRY(set_up_host(plan, ends, &has_ipv6));
	return plan->does_guest ? set_up_inside(plan, ends, has_ipv6) : 0;
}

int net_setup_sweep(void)
{
	int lock_fd = -EBADF, r = zone_lock(&lock_fd);

	if (r < 0)
		warn(r, "Cannot lock the zones of the host, leaving the rules for packets");
	else
		r = forward_sweep();
	zone_unlock(&lock_fd);
	return r > 0;
}
