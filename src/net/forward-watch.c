/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * That routes have changed is all that is heard, not which: some hosts have thousands, which come
 * and go. So nothing is heard until they have been looked at, and looking takes a small part of the
 * time at most. A command that is over at once watches nothing.
 * Zone: owing.
 */
#include "net/forward-watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"
#include "net/forward.h"
#include "net/netlink.h"

#define BEGIN_USEC UINT64_C(250000)
#define PAUSE_USEC UINT64_C(100000) /* one route is seldom alone */
#define DRAIN_MAX 10000
#define REST 20 /* times as long as it took */

void forward_watch_begin(struct forward_watch *watch, const char *link)
{
	*watch = (struct forward_watch){
		.link = link,
		.fd = -EBADF,
		.next_usec = link ? clock_now_usec() + BEGIN_USEC : CLOCK_NEVER,
	};
}

void forward_watch_end(struct forward_watch *watch)
{
	scope_close(&watch->fd);
	watch->fd = -EBADF;
	watch->next_usec = CLOCK_NEVER;
}

int forward_watch_fd(const struct forward_watch *watch)
{
	return watch->next_usec == CLOCK_NEVER ? watch->fd : -EBADF;
}

void forward_watch_hear(struct forward_watch *watch)
{
	uint64_t then = clock_now_usec() + PAUSE_USEC;

	watch->next_usec = then > watch->until_usec ? then : watch->until_usec;
}

static int subscribe(int *ret_fd)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
					    .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	__attribute__((cleanup(netlink_socket_close))) struct netlink_socket socket =
		NETLINK_CLOSED;

	TRY(netlink_socket_open(&socket));
	if (bind(socket.fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = socket.fd;
	socket.fd = -EBADF;
	return 0;
}

/* What is left wakes us again. That there was too much is told once, in between. */
static void drain(int fd)
{
	char byte;

	for (int i = 0; i < DRAIN_MAX; i++)
		if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0 && errno == EAGAIN)
			return;
}

void forward_watch_work(struct forward_watch *watch)
{
	uint64_t start = clock_now_usec(), end;
	int r = watch->fd < 0 ? subscribe(&watch->fd) : 0;

	watch->next_usec = CLOCK_NEVER;
	if (r < 0) {
		debug("Cannot hear of the host's routes, leaving its forwarding as it is");
		return;
	}
	drain(watch->fd);
	forward_open_new(watch->link);
	end = clock_now_usec();
	watch->until_usec = end + REST * (end - start);
}
