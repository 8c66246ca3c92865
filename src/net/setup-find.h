/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: which subnet is free for a machine, and who else sets networks up on this host.
 * Zone: owing; free when it only looks.
 */
#pragma once

#include "net/setup-plan.h"

struct locks;
struct undo;

/* Files of machines' addresses that are taken, and of subnets that were no first choice. */
#define NET_CLAIMS "/run/nspawn/.addresses"
#define NET_KEPT "/run/nspawn/.subnets"

struct net_setup_request {
	struct arena *arena;
	const struct config *config;
	const char *machine;
	const uint8_t *host_id; /* 16 bytes */
	const char *link;       /* net_setup_link(); NULL: there is nothing to find */
	struct locks *locks;    /* take the addresses until 'undo' runs; NULL: only look */
	struct undo *undo;
};

/*
 * Finds addresses that clash with no route of the host and no other machine: those of the machine's
 * name, the same at each start, else others. Complains itself where there are none.
 */
int net_setup_find(const struct net_setup_request *request, struct net_setup_facts *ret);

/* Removes what killed supervisors left of addresses that they had taken. Silent. */
void net_setup_forget(void);
