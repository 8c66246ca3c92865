/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes addresses for the machine's name, when it is known which that is.
 * Zone: owing.
 */
#include "run/run-network.h"

#include "net/setup-find.h"

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

	return facts->net.may_make_links ? net_setup_find(&request, &facts->net.setup) : 0;
}
