/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes sockets and says why not.
 * Zone: owing.
 */
#include "net/port-socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/scope.h"
#include "config/port-values.h"

#define BACKLOG 65535 /* the kernel's own limit is lower: net.core.somaxconn */
#define FIRST_FREE_PORT 1024

static int turn_on(int fd, int level, int option)
{
	const int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on)) < 0 ? -errno : 0;
}

/* What connections inherit, and what datagrams tell of where they were sent to. */
static int prepare(int fd, int family, bool is_tcp)
{
	if (is_tcp) {
		/* Connections that are over shall not be in the way. */
		TRY(turn_on(fd, SOL_SOCKET, SO_REUSEADDR));
		TRY(turn_on(fd, SOL_SOCKET, SO_KEEPALIVE));
		return turn_on(fd, IPPROTO_TCP, TCP_NODELAY);
	}
	return family == AF_INET ? turn_on(fd, IPPROTO_IP, IP_PKTINFO)
				 : turn_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
}

static int open_bound(const struct port_request *port, const struct sockaddr *address,
		      socklen_t length, bool is_dual, bool is_early)
{
	bool is_tcp = port->protocol == IPPROTO_TCP, is_6 = address->sa_family == AF_INET6;
	auto_close int fd =
		socket(address->sa_family,
		       (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int only = !is_dual;

	if (fd < 0)
		return -errno;
	TRY(prepare(fd, address->sa_family, is_tcp));
	if (is_6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return -errno;
	if (is_early)
		TRY(is_6 ? turn_on(fd, IPPROTO_IPV6, IPV6_FREEBIND)
			 : turn_on(fd, IPPROTO_IP, IP_FREEBIND));
	if (bind(fd, address, length) < 0 || (is_tcp && listen(fd, BACKLOG) < 0))
		return -errno;
	return steal_fd(fd);
}

static int open_4(const struct port_request *port, const void *address, bool is_early)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port->host)};

	memcpy(&four.sin_addr, address, sizeof(four.sin_addr));
	return open_bound(port, (const struct sockaddr *)&four, sizeof(four), false, is_early);
}

static int open_6(const struct port_request *port, const void *address, bool is_dual, bool is_early)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port->host)};

	memcpy(&six.sin6_addr, address, sizeof(six.sin6_addr));
	return open_bound(port, (const struct sockaddr *)&six, sizeof(six), is_dual, is_early);
}

int port_socket_open_loopback(const struct port_request *port, int family, int *ret_fd)
{
	const uint8_t four[4] = {127, 0, 0, 1};
	int fd = family == AF_INET ? open_4(port, four, true)
				   : open_6(port, &in6addr_loopback, false, true);

	TRY(fd);
	*ret_fd = fd;
	return 0;
}

static int open_any(const struct port_request *port)
{
	int fd;

	if (port->family == AF_INET)
		return open_4(port, port->address, false);
	if (port->family == AF_INET6)
		return open_6(port, port->address, false, false);
	fd = open_6(port, &in6addr_any, true, false);
	/* A kernel without IPv6. */
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = open_4(port, &(struct in_addr){htonl(INADDR_ANY)}, false);
	return fd;
}

static int explain(struct arena *arena, const struct port_request *port, int r)
{
	const char *text = port_text(arena, port);

	if (r == -EADDRINUSE) {
		(void)refuse(EADDRINUSE, "The port %s of the host is taken", text);
		hint("'ss -lnp --%s sport = :%u' shows by whom", port_protocol_name(port->protocol),
		     port->host);
		return r;
	}
	if (r == -EADDRNOTAVAIL)
		return refuse(EADDRNOTAVAIL, "The host does not have the address of the port %s",
			      text);
	if (r != -EACCES)
		return fail(r, "Cannot open the port %s of the host", text);
	(void)refuse(EACCES, "Only root may open the port %s of the host", text);
	if (port->host < FIRST_FREE_PORT)
		hint("Ports from 1024 on are free for all, and those from net.ipv4.ip_unprivileged_port_start on");
	return r;
}

int port_socket_open(struct arena *arena, const struct port_request *port, int *ret_fd)
{
	int fd = open_any(port);

	if (fd < 0)
		return explain(arena, port, fd);
	*ret_fd = fd;
	return 0;
}
