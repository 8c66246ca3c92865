/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration as a whole: what it is before anybody says anything, what follows from what was
 * said, and what cannot be had together.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

struct config;

/* Resets everything but the arena and the program's name to the defaults. */
void config_defaults(struct config *config);

/*
 * Fills in what is implied, then looks for settings that contradict each other. Returns 0, or a
 * negative errno after one refusal. To be called once, when all sources have been read.
 */
int config_check(struct config *config);

/*
 * '--ephemeral --template=X' without a directory means '--ephemeral --directory=X', as it always
 * did elsewhere; config_check() then makes it so.
 */
bool config_throws_template_away(const struct config *config);

/* True if nothing that happens inside changes the tree: any number of such machines may share it.
 */
bool config_keeps_tree(const struct config *config);

/* True if links to the host are asked for, for which a machine needs a network of its own. */
bool config_has_links(const struct config *config);

/* True if a property of the unit was given that only a service manager could apply. */
bool config_has_idle_properties(const struct config *config);
