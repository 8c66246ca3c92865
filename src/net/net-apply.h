/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: the links of a machine. What they need of the host is found before the machine exists, they
 * are made when its network does, and taken back when it has ended.
 * Zone: owing.
 */
#pragma once

#include <net/if.h>

#include "base/undo.h"
#include "net/link-remove.h"
#include "net/net-plan.h"
#include "net/netlink.h"
#include "net/wireless.h"

/* One link of the plan. */
struct net_link {
	char name[IFNAMSIZ];   /* moved: what the host calls it */
	char inside[IFNAMSIZ]; /* moved: what the machine will */
	int parent;            /* index of what it is made of, or is plugged into */
	int index;             /* of what we made: outside for a cable, else inside; 0: nothing */
	struct wireless wireless; /* moved with its radio */
	uint64_t newest;          /* id of an interface: the radio's later ones are the guest's */
};

struct net_live;

struct net {
	const struct net_plan *plan;
	struct net_link *links;
	/* 'inside' keeps the network of the machine until its links are taken back. */
	struct netlink_socket host, inside;
	int home_fd, inside_fd; /* network namespaces: the host's and the machine's */
	int join_fd;            /* the one to be joined, or -EBADF */
	bool is_owed;           /* what is here is on an undo list */
	bool only_looks;        /* and so does not wait */
	struct net_live **live; /* malloc'ed, of net/net-live.h */
	size_t live_count;
	uint32_t id_shift; /* the host's id of root inside */
	/* LINK_LEAVE: the supervisor ends when it has been taken back. */
	enum link_farewell farewell;
};

#define NET_NONE \
	((struct net){.host = NETLINK_CLOSED, \
		      .inside = NETLINK_CLOSED, \
		      .home_fd = -EBADF, \
		      .inside_fd = -EBADF, \
		      .join_fd = -EBADF})

/*
 * Opens the network namespace to be joined and finds the interfaces of the host; one that is not
 * there yet is waited for a little. A plan without either costs no system call. '*net' starts as
 * NET_NONE. Complains itself.
 */
int net_prepare(struct arena *arena, const struct net_plan *plan, struct net *net,
		struct undo *undo);

/*
 * Complains about what would be in the way of net_prepare() and net_place(), as far as it can be
 * seen now.
 */
void net_look(struct arena *arena, const struct net_plan *plan);

/*
 * Opens both networks, where that has not been done yet. Complains itself, but for -EPIPE as
 * below.
 */
int net_reach(struct net *net, pid_t pid, struct undo *undo);

/*
 * Makes the links of the process 'pid', which has a network of its own. Complains itself, but for
 * -EPIPE: the process is gone.
 */
int net_place(struct net *net, pid_t pid);

/*
 * Removes what a killed supervisor may have left of the plan's links. Returns 1 if there was
 * anything. The machine must not run.
 */
int net_clean(const struct net_plan *plan);
