/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second half of a decision about ids: for ids/ids.c.
 * Zone: free.
 */
#pragma once

#include "ids/ids.h"

/* What a decision is made of, on its way. */
struct decision {
	struct arena *arena;
	const struct config *config;
	const struct ids_facts *facts;
	struct ids ids;
};

/* The first id of the range that an id belongs to. Pure. */
uint32_t ids_base_of(uint32_t id);

/* Whether the tree is known to belong to the ids of the foreign range. Pure. */
bool ids_tree_is_foreign(const struct ids_facts *facts);

/* Owners as asked, or as fits best. Complains itself. */
int ids_decide_owners(struct decision *d);

/* As they are on disk; tells what is lost by that. */
int ids_leave_owners(struct decision *d);
