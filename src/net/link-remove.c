/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whoever sends a request is kept until the kernel has done all of it. With NLM_F_ECHO the removal
 * is also told to the socket that it came from, while nobody else can look yet: so one process
 * sends, another hears.
 * Zone: owing.
 */
#include "net/link-remove.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"

/* One mapping, for both have to last as long as the process. */
struct sender {
	_Alignas(16) char stack[12288];
	struct netlink_message message;
	struct netlink_socket socket;
};

/* Nobody shall wait for it, as for the end of a pipe or a lock that we hold. */
static int send_and_end(void *argument)
{
	const struct sender *sender = argument;
	unsigned int fd = (unsigned int)sender->socket.fd;

	if (fd > 0)
		(void)close_range(0, fd - 1, 0);
	(void)close_range(fd + 1, ~0U, 0);
	_exit(netlink_send(&sender->socket, &sender->message) < 0);
}

/* The removal itself, told to us: it ends the hearing. */
static int take_echo(uint16_t type, const struct netlink_rest *body, void *userdata)
{
	(void)body;
	*(bool *)userdata = type == RTM_DELLINK;
	return type == RTM_DELLINK ? -ECANCELED : 0;
}

/* Copying our memory would take longer than the removal. Its errno is ours: it has none to set. */
static int send_aside(struct sender *sender)
{
	return clone(send_and_end, sender->stack + sizeof(sender->stack), CLONE_VM | SIGCHLD,
		     sender);
}

static int leave(struct netlink_socket *socket, struct netlink_message *message)
{
	struct sender *sender = mmap(NULL, sizeof(*sender), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	bool is_gone = false;
	int r;

	TRY(netlink_number(socket, message));
	if (sender != MAP_FAILED) {
		sender->message = *message;
		sender->socket = *socket;
	}
	if (sender == MAP_FAILED || send_aside(sender) < 0)
		TRY(netlink_send(socket, message));
	r = netlink_hear(socket, take_echo, &is_gone);
	return is_gone ? 0 : r;
}

int link_remove(struct netlink_socket *socket, int index, enum link_farewell farewell)
{
	const struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct netlink_message message;

	netlink_begin(&message, RTM_DELLINK, farewell == LINK_LEAVE ? NLM_F_ECHO : 0, &body);
	return farewell == LINK_LEAVE ? leave(socket, &message)
				      : netlink_call(socket, &message, NULL, NULL);
}
