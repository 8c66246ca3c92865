/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the machine's name has of the host's network: takes its addresses, and what was left of it.
 * Zone: owing.
 */
#include "run/run-network.h"

#include <net/if.h>

#include "base/log.h"
#include "base/scope.h"
#include "host/locks.h"
#include "host/registry.h"
#include "net/ports.h"
#include "net/setup-find.h"

/* Its files give addresses by DHCP. Inside only a systemd brings a program that asks unasked. */
static void mention_networkd(const struct config *config, const struct facts *facts,
			     const char *link)
{
	if (config->start == START_BOOT && facts->tree.init_kind == INIT_SYSTEMD)
		return;
	if (config->network_zone)
		note("The host's systemd-networkd sets '%s' up: the machine has to ask for an "
		     "address by DHCP",
		     link);
	else
		note("The host's systemd-networkd sets '%s' up: the machine has to ask for an "
		     "address by DHCP; '--network-veth-name=' with a name that is not the host's "
		     "to set up gives it one",
		     link);
}

void run_sweep_ports(const struct registry_entry *left)
{
	char cable[IF_NAMESIZE];

	if (left->ports.count == 0)
		return;
	/* The kernel takes its time to remove a cable: by name while there is one, then without. */
	for (size_t i = 0; i < left->interfaces.count; i++)
		if (if_indextoname((unsigned int)left->interfaces.items[i], cable))
			(void)ports_sweep(cable);
	(void)ports_sweep(NULL);
}

/*
 * Ports of one that was killed, of which a start without ports would not hear: they lead to
 * whatever has the cable's name next. That it had some stands in the file of the name, which is not
 * written anew yet.
 */
static void sweep_ports(struct arena *arena, const struct facts *facts, const struct locks *locks)
{
	struct registry_entry entry;

	if (locks && locks_name_was_left(locks) &&
	    registry_read_left(arena, &facts->places, facts->machine, &entry) == 0)
		run_sweep_ports(&entry);
}

int run_take_network(struct arena *arena, const struct config *config, struct facts *facts,
		     struct locks *locks, struct undo *undo)
{
	const char *alternative;
	const struct net_setup_request request = {
		.arena = arena,
		.config = config,
		.machine = facts->machine,
		.host_id = facts->net.host_id,
		.link = net_setup_link(arena, config,
				       net_cable(arena, config, facts->machine, &alternative)),
		.locks = locks,
		.undo = undo,
	};

	if (!facts->net.may_make_links)
		return 0;
	sweep_ports(arena, facts, locks);
	TRY(net_setup_find(&request, &facts->net.setup));
	if (facts->net.setup.is_managed)
		mention_networkd(config, facts, request.link);
	return 0;
}
