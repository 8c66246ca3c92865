/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes addresses for the machine's name, when it is known which that is.
 * Zone: owing.
 */
#include "run/run-network.h"

#include "base/log.h"
#include "base/scope.h"
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
	TRY(net_setup_find(&request, &facts->net.setup));
	if (facts->net.setup.is_managed)
		mention_networkd(config, facts, request.link);
	return 0;
}
