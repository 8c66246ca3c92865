/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The links of the machine to the host.
 * Zone: free.
 */
#include <string.h>

#include "config/port-values.h"
#include "run/explain-rows.h"

/* --- What was said about a new one --- */

static const char *join(const struct explanation *e, const char *list, const char *word)
{
	return list ? arena_format(e->arena, "%s %s", list, word) : word;
}

static const char *addresses_text(const struct explanation *e, const struct link_plan *link)
{
	const char *list = NULL;

	for (size_t i = 0; link->asked && i < link->asked->addresses.count; i++) {
		const struct address_request *request = &link->asked->addresses.items[i];
		struct address address = {.family = request->family};
		char text[ADDRESS_TEXT_MAX];

		memcpy(address.bytes, request->bytes, sizeof(address.bytes));
		list = join(e, list,
			    arena_format(e->arena, "%s/%u", address_text(&address, text),
					 request->length));
	}
	return list;
}

static const char *vlans_text(const struct explanation *e, const struct link_plan *link)
{
	const char *list = NULL;

	for (size_t i = 0; link->asked && i < link->asked->vlans.count; i++) {
		const struct vlan_request *vlan = &link->asked->vlans.items[i];

		list = join(e, list,
			    vlan->first == vlan->last
				    ? arena_format(e->arena, "%u", vlan->first)
				    : arena_format(e->arena, "%u-%u", vlan->first, vlan->last));
	}
	return list;
}

static const char *say_asked(const struct explanation *e, const struct link_plan *link)
{
	const char *addresses = addresses_text(e, link), *vlans = vlans_text(e, link), *text = "";

	if (vlans)
		text = arena_format(e->arena, ", with a tag in VLAN %s", vlans);
	if (link->asked && link->asked->pvid > 0)
		text = arena_format(e->arena, "%s, without one in VLAN %u", text,
				    link->asked->pvid);
	return addresses ? arena_format(e->arena, "%s, %s inside", text, addresses) : text;
}

/* The name of a throw-away machine is another one each time, and so is what is made out of it. */
static bool is_named_anew(const struct explanation *e)
{
	return e->config->ephemeral && !e->config->machine;
}

static bool has_outer_end_anew(const struct explanation *e, const struct link_plan *link)
{
	return is_named_anew(e) &&
	       (link->number > 0 || (link->is_main && !e->config->network_veth_name));
}

static const char *say_outer_end(const struct explanation *e, const struct link_plan *link)
{
	if (has_outer_end_anew(e, link))
		return "an interface of the host that is named anew each time";
	return arena_format(e->arena, "'%s' of the host", link->host);
}

static const char *say_link(const struct explanation *e, const struct link_plan *link)
{
	switch (link->kind) {
	case LINK_MOVED:
		return arena_format(e->arena, "'%s' of the host itself", link->host);
	case LINK_VETH:
		return link->bridge
			       ? arena_format(
					 e->arena, "a cable to %s, plugged into the bridge '%s'%s",
					 say_outer_end(e, link), link->bridge, say_asked(e, link))
			       : arena_format(e->arena, "a cable to %s", say_outer_end(e, link));
	case LINK_TAP:
		return arena_format(e->arena, "a tap interface for programs of user %u inside%s",
				    link->asked->user, say_asked(e, link));
	case LINK_MACVLAN:
	case LINK_IPVLAN:
	default:
		return arena_format(e->arena, "%s of '%s' of the host", link_kind_name(link->kind),
				    link->host);
	}
}

static const char *say_reason(const struct link_plan *link)
{
	if (link->kind == LINK_MOVED)
		return "comes back when the machine ends";
	if (link->bridge_is_zone)
		return "the bridge comes with the first machine of the zone and goes with the last";
	return NULL;
}

/* Of the cable only; the others have nobody here who sets them up. */
static const char *say_setup(const struct explanation *e, const struct link_plan *link)
{
	const struct net_setup_plan *setup = &e->plan->net.setup;

	if (link->kind != LINK_VETH || (link->bridge && !link->bridge_is_zone))
		return NULL;
	if (link->is_main && setup->does_host && setup->does_guest)
		return NULL;
	if (link->is_main && e->facts->net.setup.is_managed)
		return "the systemd-networkd of the host gives it addresses";
	return "who manages the host's network sets its end up";
}

static const char *mac_text(struct explanation *e, const uint8_t *mac, bool is_known)
{
	return is_known ? net_mac_text(e->arena, mac) : NULL;
}

static void explain_link(struct explanation *e, const struct link_plan *link)
{
	struct explain_row *row = explain_row(e, link->inside, say_link(e, link),
					      say_reason(link) ?: say_setup(e, link));
	bool is_veth = link->kind == LINK_VETH, is_anew = is_named_anew(e),
	     is_host_anew = has_outer_end_anew(e, link),
	     is_asked = (link->is_main && e->config->network_mac_is_set) ||
			(link->asked && link->asked->mac_is_set);

	row->origin = explain_origin(e, link->setting);
	explain_text(e, row, "kind", link_kind_name(link->kind));
	explain_text(e, row, "host", is_host_anew ? NULL : link->host);
	explain_text(e, row, "host_alternative", is_host_anew ? NULL : link->host_alternative);
	explain_text(e, row, "alternative", link->inside_alternative);
	explain_text(e, row, "bridge", link->bridge);
	if (link->asked) {
		explain_text(e, row, "addresses", addresses_text(e, link));
		explain_text(e, row, "vlans", vlans_text(e, link));
		explain_text(e, row, "pvid",
			     link->asked->pvid > 0 ? arena_format(e->arena, "%u", link->asked->pvid)
						   : NULL);
	}
	explain_text(e, row, "mac",
		     mac_text(e, link->inside_mac,
			      (is_veth || link->kind == LINK_MACVLAN || link->kind == LINK_TAP) &&
				      (!is_anew || is_asked)));
	explain_text(e, row, "host_mac", mac_text(e, link->host_mac, is_veth && !is_anew));
}

/* --- Addresses --- */

static const char *say_prefix(struct explanation *e, const struct prefix *prefix)
{
	char text[ADDRESS_TEXT_MAX];

	return arena_format(e->arena, "%s/%u", address_text(&prefix->address, text),
			    prefix->length);
}

static void explain_addresses(struct explanation *e, const char *name,
			      const struct net_addresses *addresses)
{
	const struct net_setup_plan *setup = &e->plan->net.setup;
	const char *host = say_prefix(e, &addresses->host),
		   *guest = say_prefix(e, &addresses->guest);
	struct explain_row *row;

	if (!addresses->is_used)
		return;
	if (setup->does_host && setup->does_guest)
		row = explain_rowf(e, name, "made out of the name, where the host has no route to",
				   "%s inside, by way of %s of '%s'", guest, host, setup->link);
	else if (setup->does_host)
		row = explain_rowf(e, name, "the other end is the machine's to set up",
				   "%s of '%s'", host, setup->link);
	else
		row = explain_rowf(e, name, "the host's end is the host's to set up",
				   "%s inside, by way of %s", guest, host);
	row->origin = explain_origin(e, SETTING_NETWORK_SETUP);
	explain_text(e, row, "host_address", setup->does_host ? host : NULL);
	explain_text(e, row, "address", setup->does_guest ? guest : NULL);
	explain_text(e, row, "link", setup->link);
}

static void explain_setup(struct explanation *e)
{
	const struct net_setup_plan *setup = &e->plan->net.setup;
	struct explain_row *row;

	explain_addresses(e, "IPv4", &setup->ipv4);
	explain_addresses(e, "IPv6", &setup->ipv6);
	if (!setup->does_host)
		return;
	row = explain_row(e, "beyond the host", "packets leave with the host's address",
			  "forwarding for this link and answers to it, by the tables 'ip nspawn' "
			  "and 'ip6 nspawn' of nf_tables; the latter only if IPv6 leads there");
	row->origin = explain_origin(e, SETTING_NETWORK_SETUP);
}

/* --- Ports --- */

static void explain_ports(struct explanation *e, const struct port_requests *ports, bool is_of_host)
{
	for (size_t i = 0, count; i < ports->count; i += count) {
		const struct port_request *first = &ports->items[i];
		const char *name = port_text(e->arena, first), *value;
		struct explain_row *row;

		count = is_of_host ? 1 : port_run_length(ports, i);
		value = arena_format(e->arena, "port %u", first->inside);
		if (count > 1) {
			name = arena_format(e->arena, "%s-%zu", name, first->host + count - 1);
			value = arena_format(e->arena, "ports %u-%zu", first->inside,
					     first->inside + count - 1);
		}
		row = is_of_host
			      ? explain_rowf(e, name, "from the machine's loopback to the host's",
					     "%s of 127.0.0.1 of the host", value)
			      : explain_rowf(e, name, "from the host, held before the start",
					     "%s inside", value);
		row->origin = explain_origin(e, is_of_host ? SETTING_HOST_PORT : SETTING_PORT);
	}
}

void explain_network(struct explanation *e)
{
	const struct net_plan *plan = &e->plan->net;

	(void)explain_section(e, "network", "Network", NULL);
	for (size_t i = 0; i < plan->count; i++)
		explain_link(e, &plan->items[i]);
	if (plan->setup.does_host || plan->setup.does_guest)
		explain_setup(e);
	if (plan->namespace_path)
		explain_row(e, "joined", plan->namespace_path, "with the interfaces that it has")
			->origin = explain_origin(e, SETTING_NETWORK_NAMESPACE_PATH);
	explain_ports(e, &e->config->ports, false);
	explain_ports(e, &e->config->host_ports, true);
}
