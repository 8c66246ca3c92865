/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: the ids that a machine gets besides its own, for containers inside.
 * Zone: free.
 */
#pragma once

struct arena;
struct config;
struct ids;
struct ids_facts;

/*
 * Adds them to what ids_decide() has decided, or says what is lost without. Pure, texts and maps
 * are in the arena.
 */
void ids_nest(struct arena *arena, const struct config *config, const struct ids_facts *facts,
	      struct ids *ids);
