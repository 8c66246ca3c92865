/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE while the machine runs: links that are added to it and taken away, and at its end taken back
 * like those that it started with.
 * Zone: owing.
 */
#pragma once

#include "config/new-link-values.h"
#include "net/net-apply.h"

#define NET_LIVE_MAX 32

struct net_live_request {
	const char *machine;
	const struct net_facts *facts;
	pid_t pid; /* of the machine's leader, our child */
	enum new_link_kind kind;
	const char *text;  /* as of new_link_read() */
	struct undo *undo; /* of this boot */
};

/*
 * Adds a link. Nothing is waited for but the kernel. '*ret' is readable until the link is removed.
 * Complains itself; a link that was not finished is gone.
 */
int net_live_add(struct net *net, const struct net_live_request *request,
		 const struct link_plan **ret);

/*
 * Takes back a link of the machine, added or not, by the name that it got or has inside. Complains
 * itself: -ENODEV if it is none of ours.
 */
int net_live_remove(struct net *net, const char *machine, const char *inside);

/* The host's end of the one with that number, below net->live_count; 0: it has none. */
int net_live_index(const struct net *net, size_t i);

/* All that were added are taken back. */
void net_live_end(struct net *net);
