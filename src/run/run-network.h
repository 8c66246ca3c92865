/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addresses of one run: taken before the plan, for all boots.
 * Zone: owing; free when it only looks.
 */
#pragma once

#include "run/facts.h"

struct locks;
struct registry_entry;
struct undo;

/* Removes the ports of a killed supervisor, which left this. Silent. */
void run_sweep_ports(const struct registry_entry *left);

/*
 * Fills facts->net.setup, if the machine has a link that we set up, and removes the ports of a
 * killed one. Without 'locks' nothing is taken or removed. Complains itself.
 */
int run_take_network(struct arena *arena, const struct config *config, struct facts *facts,
		     struct locks *locks, struct undo *undo);
