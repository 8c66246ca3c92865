/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The relay's process: it enters, gives up its rights, and serves until its supervisor is gone.
 * Zone: doomed. Nothing is printed here: the supervisor hears an errno and has the sentence.
 */
#include "net/port-relay-serve.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/scope.h"
#include "mount/detached.h"
#include "mount/mount-plan.h"
#include "net/port-filter.h"
#include "net/port-inside.h"
#include "net/port-relay-loop.h"

#define NOBODY 65534
#define EVENTS 256
#define LOOK_USEC \
	100000 /* a guest that changes its addresses all the time is not followed all the time */
#define FORGET_MSEC 30000
#define DRAINED_MAX 4096

/* Of who is no process of the host's, when its clients are, and nothing but loopback is there. */
#define NEIGHBOUR 0x7f404040 /* 127.64.64.64 */

/* --- Addresses --- */

int relay_watch(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

socklen_t socket_address_length(const union socket_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->four) : sizeof(address->six);
}

void relay_end(struct relay_loop *loop, struct watch *watch)
{
	scope_close(&watch->fd);
	watch->fd = -EBADF;
	watch->ready = NULL;
	watch->next_ended = loop->ended;
	loop->ended = watch;
}

static bool is_of_host(const union socket_address *peer)
{
	const struct in6_addr *six = &peer->six.sin6_addr;

	if (peer->any.sa_family == AF_INET)
		return ntohl(peer->four.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(six) ||
	       (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET);
}

static bool is_six(const union socket_address *peer)
{
	return peer->any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&peer->six.sin6_addr);
}

static void add_way(struct ways *ways, const struct address *address, uint16_t port)
{
	union socket_address *way = &ways->items[ways->count];

	if (address->family == AF_INET) {
		way->four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&way->four.sin_addr, address->bytes, sizeof(way->four.sin_addr));
	} else if (address->family == AF_INET6) {
		way->six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		memcpy(&way->six.sin6_addr, address->bytes, sizeof(way->six.sin6_addr));
	} else {
		return;
	}
	ways->count++;
}

/*
 * Loopback is no way in for others where there is anything else: what listens there alone is not
 * meant for them. Where nothing else is, they must not seem to be the machine's own.
 */
static void add_loopback(struct ways *ways, uint16_t port, bool is_trusted)
{
	static const struct address four = {AF_INET, {127, 0, 0, 1}}, six = {AF_INET6, {[15] = 1}};

	if (!is_trusted)
		ways->sources[ways->count].four =
			(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(NEIGHBOUR)}};
	add_way(ways, &four, port);
	if (is_trusted)
		add_way(ways, &six, port);
}

void relay_find_ways(const struct relay_loop *loop, const struct port_request *port,
		     const union socket_address *peer, struct ways *ret)
{
	const struct relay_targets *targets = &loop->targets;
	bool six_first = is_six(peer);

	*ret = (struct ways){0};
	if (loop->side == RELAY_TO_HOST) {
		add_loopback(ret, port->host, /* is_trusted= */ true);
		return;
	}
	add_way(ret, six_first ? &targets->ipv6 : &targets->ipv4, port->inside);
	add_way(ret, six_first ? &targets->ipv4 : &targets->ipv6, port->inside);
	if (ret->count == 0 && !loop->has_links)
		add_loopback(ret, port->inside, is_of_host(peer));
}

int relay_connect(const struct ways *ways, size_t number, int type)
{
	const union socket_address *to = &ways->items[number], *from = &ways->sources[number];
	auto_close int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (from->any.sa_family != AF_UNSPEC &&
	    bind(fd, &from->any, socket_address_length(from)) < 0)
		return -errno;
	if (connect(fd, &to->any, socket_address_length(to)) < 0 && errno != EINPROGRESS)
		return -errno;
	return steal_fd(fd);
}

/* --- The machine's addresses --- */

static int take_first(int link, const struct prefix *prefix, void *userdata)
{
	struct relay_targets *targets = userdata;
	struct address *place = prefix->address.family == AF_INET ? &targets->ipv4 : &targets->ipv6;

	(void)link;
	if (place->family == AF_UNSPEC)
		*place = prefix->address;
	return 0;
}

static int report(struct relay_loop *loop, bool is_answer, int result)
{
	const struct relay_report said = {
		.is_answer = is_answer, .result = result, .targets = loop->targets};

	/* Who does not read what changed hears of the next change. */
	return send(loop->orders.fd, &said, sizeof(said),
		    MSG_NOSIGNAL | (is_answer ? 0 : MSG_DONTWAIT)) < 0
		       ? -errno
		       : 0;
}

static int look(struct relay_loop *loop, struct relay_targets *ret)
{
	*ret = (struct relay_targets){0};
	TRY(address_list(&loop->question, AF_INET, take_first, ret));
	/* A kernel without IPv6 has no addresses of it. */
	(void)address_list(&loop->question, AF_INET6, take_first, ret);
	return 0;
}

/* Not heard again before we have looked: who changes them all the time shall not keep us. */
static void set_hearing(const struct relay_loop *loop, bool hears)
{
	struct epoll_event event = {.events = hears ? EPOLLIN : 0,
				    .data.ptr = (void *)&loop->changes};

	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->changes.fd, &event);
}

static void changed(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	loop->is_changed = true;
	set_hearing(loop, false);
}

static void drain(int fd)
{
	uint8_t bytes[256];

	for (int i = 0; i < DRAINED_MAX; i++)
		if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			return;
}

static void look_again(struct relay_loop *loop)
{
	struct relay_targets targets;

	loop->is_changed = false;
	loop->looked_usec = clock_now_usec();
	drain(loop->changes.fd);
	set_hearing(loop, true);
	if (look(loop, &targets) < 0 || memcmp(&targets, &loop->targets, sizeof(targets)) == 0)
		return;
	loop->targets = targets;
	/* Who goes on talking would talk to the old ones for ever. */
	udp_forget_all(loop);
	(void)report(loop, /* is_answer= */ false, 0);
}

static int watch_addresses(struct relay_loop *loop)
{
	struct netlink_socket changes = NETLINK_CLOSED;
	const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
					   .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};

	TRY(netlink_socket_open(&loop->question));
	TRY(netlink_socket_open(&changes));
	loop->changes = (struct watch){.ready = changed, .fd = changes.fd};
	if (bind(changes.fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0)
		return -errno;
	TRY(relay_watch(loop, &loop->changes, EPOLLIN));
	return look(loop, &loop->targets);
}

/* --- Rights --- */

/* As its root directory, one that is empty for ever: no path leads anywhere. */
static int leave_files(void)
{
	auto_close int empty_fd = -EBADF;

	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	empty_fd = detached_new("tmpfs", "size=4k,nr_inodes=2,mode=0555",
				MOUNT_FLAG_READ_ONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
					MOUNT_FLAG_NOEXEC,
				NULL, 0);
	TRY(empty_fd);
	return fchdir(empty_fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int drop_rights(bool may_be_nobody)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	/* Who is root of a user namespace with few ids has no nobody. */
	if (may_be_nobody &&
	    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	     setresuid(NOBODY, NOBODY, NOBODY) < 0) &&
	    errno != EINVAL)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	/* Cleared by a change of ids. Should it come too late, our socket's end tells as well. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

static int confine(bool may_be_nobody)
{
	/* An ordinary user may not, without a user namespace: that process has no more rights than
	 * he. */
	int r = leave_files();

	if (r < 0 && (r != -EPERM || geteuid() == 0))
		return r;
	return drop_rights(may_be_nobody);
}

/* --- Orders --- */

static bool is_port(const struct listener *listener, const struct port_request *port)
{
	return memcmp(&listener->port, port, sizeof(*port)) == 0;
}

static int serve(struct relay_loop *loop, struct listener *listener)
{
	return listener->port.protocol == IPPROTO_UDP ? udp_listen(loop, listener)
						      : tcp_listen(loop, listener);
}

static int add(struct relay_loop *loop, const struct port_request *port, int *fd)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r = 0;

	if (!listener)
		return -ENOMEM;
	listener->watch.fd = *fd;
	listener->port = *port;
	if (loop->is_serving)
		r = serve(loop, listener);
	if (r < 0) {
		free(listener);
		return r;
	}
	*fd = -EBADF;
	listener->next = loop->listeners;
	loop->listeners = listener;
	return 0;
}

/* Its connections go on. One port may have several sockets. */
static int take_away(struct relay_loop *loop, const struct port_request *port)
{
	int r = -ENOENT;

	for (struct listener **place = &loop->listeners; *place;) {
		struct listener *listener = *place;

		if (!is_port(listener, port)) {
			place = &listener->next;
			continue;
		}
		*place = listener->next;
		udp_forget(loop, listener);
		relay_end(loop, &listener->watch);
		r = 0;
	}
	return r;
}

static int begin(struct relay_loop *loop, const struct relay_order *order, int fd)
{
	bool is_root = geteuid() == 0;
	struct rlimit limit;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	loop->flow_max = relay_flow_max(limit.rlim_cur);
	if (loop->side == RELAY_INWARD) {
		TRY(port_network_enter(fd, order->is_ours));
		TRY(watch_addresses(loop));
	}
	loop->has_links = order->has_links;
	TRY(confine(is_root && order->is_ours));
	/* A kernel without filters serves all the same. */
	r = port_filter_load();
	if (r < 0 && r != -ENOSYS && r != -EINVAL)
		return r;
	loop->is_serving = true;
	for (struct listener *listener = loop->listeners; listener; listener = listener->next)
		TRY(serve(loop, listener));
	return 0;
}

static int receive_order(int from_fd, struct relay_order *order, int *ret_fd)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {order, sizeof(*order)};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(from_fd, &header, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *passenger = CMSG_FIRSTHDR(&header);

	if (length < 0 && errno == EINTR)
		return 0;
	/* The supervisor is gone. */
	if (length != sizeof(*order))
		return -EPIPE;
	if (passenger && passenger->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(passenger), sizeof(int));
	return 1;
}

static void obey(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	struct relay_order order;
	auto_close int fd = -EBADF;
	int r = receive_order(watch->fd, &order, &fd);

	(void)events;
	if (r < 0)
		_exit(EXIT_SUCCESS);
	if (r == 0)
		return;
	if (order.what == RELAY_ORDER_ADD)
		r = add(loop, &order.port, &fd);
	else if (order.what == RELAY_ORDER_REMOVE)
		r = take_away(loop, &order.port);
	else
		r = begin(loop, &order, fd);
	if (report(loop, /* is_answer= */ true, r) < 0)
		_exit(EXIT_FAILURE);
}

/* --- The loop --- */

static int time_left_msec(const struct relay_loop *loop)
{
	uint64_t now, due;

	if (loop->busy)
		return 0;
	if (loop->is_changed) {
		now = clock_now_usec();
		due = loop->looked_usec + LOOK_USEC;
		return due <= now ? 0 : (int)((due - now) / 1000 + 1);
	}
	if (loop->is_full && loop->flow_count < loop->flow_max)
		return 200;
	return loop->oldest ? FORGET_MSEC : -1;
}

static void bury(struct relay_loop *loop)
{
	struct watch *watch;

	while ((watch = loop->ended)) {
		loop->ended = watch->next_ended;
		free(watch);
	}
}

static void turn(struct relay_loop *loop)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(loop->epoll_fd, events, EVENTS, time_left_msec(loop));

	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;

		if (watch->ready)
			watch->ready(loop, watch, events[i].events);
	}
	tcp_work(loop);
	tcp_bury(loop);
	udp_forget(loop, NULL);
	bury(loop);
	if (loop->is_changed && loop->looked_usec + LOOK_USEC <= clock_now_usec())
		look_again(loop);
}

void relay_serve(enum relay_side side, int fd)
{
	struct relay_loop loop = {
		.side = side,
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.orders = {.ready = obey, .fd = fd},
		.question = NETLINK_CLOSED,
		.changes.fd = -EBADF,
	};

	(void)signal(SIGPIPE, SIG_IGN);
	if (loop.epoll_fd < 0 || relay_watch(&loop, &loop.orders, EPOLLIN) < 0)
		_exit(EXIT_FAILURE);
	for (;;)
		turn(&loop);
}
