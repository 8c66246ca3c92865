/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the relay's process share: one epoll(7), and who is called for what.
 * Zone: doomed. Everything is bounded: what strangers send must not make it grow.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/port-relay.h"

struct relay_loop;

/* What epoll(7) points to. It is the first of what it belongs to, which relay_end() frees. */
struct watch {
	void (*ready)(struct relay_loop *loop, struct watch *watch, uint32_t events);
	int fd;
	struct watch *next_ended;
};

/* A socket of a port. */
struct listener {
	struct watch watch; /* first: one is made of the other */
	struct port_request port;
	struct listener *next;
};

union socket_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

/* Where one client may be led, in the order of trying. */
#define WAYS_MAX 2
struct ways {
	union socket_address items[WAYS_MAX], sources[WAYS_MAX]; /* a source without family: any */
	size_t count;
};

struct flow;
struct session;

struct relay_loop {
	enum relay_side side;
	int epoll_fd;
	struct watch *ended; /* freed when no event of this round can name them any more */
	struct watch orders;
	bool is_serving;
	struct listener *listeners;

	/* The machine's addresses */
	struct relay_targets targets;
	bool has_links;
	struct netlink_socket question; /* asked for all of them */
	struct watch changes;           /* hears that there are others */
	bool is_changed;
	uint64_t looked_usec;

	/* Connections (port-relay-tcp.c) */
	size_t flow_count, flow_max;
	struct flow *busy, *ended_flows; /* have more to do; to be freed after the events */
	int pipes[32][2];
	size_t pipe_count;
	bool is_full; /* no more are accepted */
	uint64_t full_until_usec;

	/* Conversations of datagrams (port-relay-udp.c): the longest idle first */
	struct session *oldest, *newest;
	size_t session_count;
};

int relay_watch(struct relay_loop *loop, struct watch *watch, uint32_t events);
void relay_end(struct relay_loop *loop, struct watch *watch);

/* The ways for a client from 'peer' to the port. */
void relay_find_ways(const struct relay_loop *loop, const struct port_request *port,
		     const union socket_address *peer, struct ways *ret);

/* A socket on its way to number 'number', not blocking; or a negative errno. */
int relay_connect(const struct ways *ways, size_t number, int type);

socklen_t socket_address_length(const union socket_address *address);

/* --- TCP --- */

int tcp_listen(struct relay_loop *loop, struct listener *listener);
void tcp_listen_again(struct relay_loop *loop);
void tcp_work(struct relay_loop *loop); /* what was left over for fairness */
void tcp_bury(struct relay_loop *loop);

/* --- UDP --- */

int udp_listen(struct relay_loop *loop, struct listener *listener);
void udp_forget(struct relay_loop *loop, const struct listener *listener); /* NULL: the idle */
void udp_forget_all(struct relay_loop *loop);
