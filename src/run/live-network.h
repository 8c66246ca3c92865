/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients of the machine's door change about its network.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"

struct link_plan;
struct machine;

/*
 * Adds a link of 'kind' ("bridge", "tap", "veth"), of which 'text' says the rest. NULL, with the
 * link in '*ret'; or a sentence for the client, in 'arena': after a line feed what it can do.
 */
const char *live_network_add(struct arena *arena, struct machine *machine, const char *kind,
			     const char *text, const struct link_plan **ret);

/* Takes a link away by its name inside. NULL, or such a sentence. */
const char *live_network_remove(struct arena *arena, struct machine *machine, const char *inside);

/*
 * Adds or takes away the ports that 'text' names as the option of that 'kind' takes them ("port",
 * "host-port"): all of them or none. NULL, or such a sentence.
 */
const char *live_network_change_ports(struct arena *arena, struct machine *machine,
				      const char *kind, const char *text, bool is_added);
