/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb for the network of a machine that runs.
 * Zone: free.
 */
#pragma once

#include "control/output.h"
#include "host/places.h"
#include "host/registry.h"

int control_net(int argc, char **argv);

/*
 * Prints the interfaces of the machine (net-show.c). We are in the machine's network afterwards.
 * Complains itself.
 */
int net_show(struct arena *arena, const struct places *places, const struct registry_entry *entry,
	     enum output_form form);
