/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: what the plan of the links depends on besides what is asked.
 * Zone: free.
 */
#pragma once

#include "net/net-plan.h"

/* Fills in the host's id if a link is asked for, else looks at nothing. Silent. */
void net_facts_gather(const struct config *config, struct net_facts *ret);
