/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections: what one end sends is moved to the other by splice(2), in the kernel. A pipe is lent
 * to a direction only while it holds something, so idle connections cost two sockets.
 * Zone: doomed.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"
#include "net/port-relay-loop.h"

#define CHUNK_BYTES ((size_t)256 * 1024)
#define ROUNDS 16   /* of one connection, before others have their turn */
#define ACCEPTS 256 /* at once */
#define FULL_USEC 200000

/* One side of a connection, and what was read there and is not written on the other side yet. */
struct end {
	struct watch watch; /* first */
	struct flow *flow;
	bool may_read, may_write, has_ended, is_shut;
	int pipe[2];
	size_t held;
};

struct flow {
	struct end client, server;
	struct ways ways;
	size_t way;
	bool is_connected, is_over, is_busy;
	struct flow *next; /* of 'busy', or of 'ended' */
	struct flow *next_ended;
};

/* --- Pipes --- */

static int lend_pipe(struct relay_loop *loop, struct end *end)
{
	if (end->pipe[0] >= 0)
		return 0;
	if (loop->pipe_count > 0) {
		loop->pipe_count--;
		end->pipe[0] = loop->pipes[loop->pipe_count][0];
		end->pipe[1] = loop->pipes[loop->pipe_count][1];
		return 0;
	}
	if (pipe2(end->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		end->pipe[0] = end->pipe[1] = -EBADF;
		return -errno;
	}
	/* A user may have had too many of this size: any will do. */
	(void)fcntl(end->pipe[0], F_SETPIPE_SZ, CHUNK_BYTES);
	return 0;
}

/* What still holds something is of no use to others. */
static void take_pipe_back(struct relay_loop *loop, struct end *end)
{
	if (end->pipe[0] < 0)
		return;
	if (end->held == 0 && loop->pipe_count < ARRAY_LEN(loop->pipes)) {
		loop->pipes[loop->pipe_count][0] = end->pipe[0];
		loop->pipes[loop->pipe_count][1] = end->pipe[1];
		loop->pipe_count++;
	} else {
		scope_close(&end->pipe[0]);
		scope_close(&end->pipe[1]);
	}
	end->pipe[0] = end->pipe[1] = -EBADF;
}

/* --- The end --- */

/* The peer shall not take a broken connection for a finished one. */
static void reset_on_close(int fd)
{
	const struct linger now = {.l_onoff = 1};

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void end_flow(struct relay_loop *loop, struct flow *flow, bool is_broken)
{
	if (flow->is_over)
		return;
	flow->is_over = true;
	if (is_broken) {
		reset_on_close(flow->client.watch.fd);
		reset_on_close(flow->server.watch.fd);
	}
	take_pipe_back(loop, &flow->client);
	take_pipe_back(loop, &flow->server);
	scope_close(&flow->client.watch.fd);
	scope_close(&flow->server.watch.fd);
	flow->client.watch.fd = flow->server.watch.fd = -EBADF;
	flow->next_ended = loop->ended_flows;
	loop->ended_flows = flow;
}

/* Only when no event of this round can name them any more. */
void tcp_bury(struct relay_loop *loop)
{
	struct flow *flow;

	while ((flow = loop->ended_flows)) {
		loop->ended_flows = flow->next_ended;
		loop->flow_count--;
		free(flow);
	}
	if (loop->is_full && loop->flow_count < loop->flow_max &&
	    clock_now_usec() >= loop->full_until_usec)
		tcp_listen_again(loop);
}

/* --- Data --- */

/* 1: there may be more at once, 0: an event will tell, or a negative errno. */
static int move(struct relay_loop *loop, struct end *from, struct end *to)
{
	const unsigned int flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
	ssize_t length;

	if (from->held == 0) {
		if (from->has_ended || !from->may_read)
			return 0;
		TRY(lend_pipe(loop, from));
		length = splice(from->watch.fd, NULL, from->pipe[1], NULL, CHUNK_BYTES, flags);
		if (length < 0 && errno != EAGAIN)
			return errno == EINTR ? 1 : -errno;
		from->may_read = length >= 0;
		from->has_ended = length == 0;
		from->held = length > 0 ? (size_t)length : 0;
	}
	if (from->held == 0 || !to->may_write)
		return 0;
	length = splice(from->pipe[0], NULL, to->watch.fd, NULL, from->held, flags);
	if (length < 0 && errno != EAGAIN)
		return errno == EINTR ? 1 : -errno;
	to->may_write = length >= 0;
	from->held -= length > 0 ? (size_t)length : 0;
	return length > 0;
}

static int move_all(struct relay_loop *loop, struct end *from, struct end *to)
{
	int r = 1;

	for (int i = 0; r > 0 && i < ROUNDS; i++)
		r = move(loop, from, to);
	if (from->held == 0)
		take_pipe_back(loop, from);
	if (r >= 0 && from->has_ended && from->held == 0 && !to->is_shut) {
		(void)shutdown(to->watch.fd, SHUT_WR);
		to->is_shut = true;
	}
	return r;
}

static void work(struct relay_loop *loop, struct flow *flow)
{
	int up, down;

	if (flow->is_over || !flow->is_connected)
		return;
	up = move_all(loop, &flow->client, &flow->server);
	down = move_all(loop, &flow->server, &flow->client);
	if (up < 0 || down < 0) {
		end_flow(loop, flow, /* is_broken= */ true);
	} else if (flow->client.is_shut && flow->server.is_shut) {
		end_flow(loop, flow, /* is_broken= */ false);
	} else if ((up > 0 || down > 0) && !flow->is_busy) {
		flow->is_busy = true;
		flow->next = loop->busy;
		loop->busy = flow;
	}
}

void tcp_work(struct relay_loop *loop)
{
	struct flow *flow, *list = loop->busy;

	loop->busy = NULL;
	while ((flow = list)) {
		list = flow->next;
		flow->is_busy = false;
		work(loop, flow);
	}
}

/* --- Connecting --- */

static void server_ready(struct relay_loop *loop, struct watch *watch, uint32_t events);

/* The next of the ways, until one of them is at least tried. */
static int try_next_way(struct relay_loop *loop, struct flow *flow)
{
	while (flow->way < flow->ways.count) {
		int fd = relay_connect(&flow->ways, flow->way++, SOCK_STREAM);

		if (fd < 0)
			continue;
		flow->server.watch = (struct watch){.ready = server_ready, .fd = fd};
		if (relay_watch(loop, &flow->server.watch,
				EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0)
			return 0;
		scope_close(&flow->server.watch.fd);
		flow->server.watch.fd = -EBADF;
	}
	return -ECONNREFUSED;
}

static void note_events(struct end *end, uint32_t events)
{
	end->may_read |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	end->may_write |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
}

static void server_ready(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	struct end *end = (struct end *)watch;
	struct flow *flow = end->flow;
	socklen_t length = sizeof(int);
	int problem = 0;

	if (flow->is_over)
		return;
	if (!flow->is_connected) {
		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		if (getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &problem, &length) < 0 || problem) {
			scope_close(&watch->fd);
			watch->fd = -EBADF;
			if (try_next_way(loop, flow) < 0)
				end_flow(loop, flow, /* is_broken= */ true);
			return;
		}
		flow->is_connected = true;
	}
	note_events(end, events);
	work(loop, flow);
}

static void client_ready(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	struct end *end = (struct end *)watch;

	if (end->flow->is_over)
		return;
	note_events(end, events);
	/* Who gives up while we still try to connect shall not keep us. */
	if (!end->flow->is_connected && events & (EPOLLHUP | EPOLLERR))
		end_flow(loop, end->flow, /* is_broken= */ true);
	else
		work(loop, end->flow);
}

/* --- Accepting --- */

static void begin_flow(struct relay_loop *loop, const struct listener *listener, int fd,
		       const union socket_address *peer)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow) {
		reset_on_close(fd);
		(void)close(fd);
		return;
	}
	loop->flow_count++;
	flow->client = (struct end){
		.watch = {.ready = client_ready, .fd = fd}, .flow = flow, .pipe = {-1, -1}};
	flow->server = (struct end){
		.watch = {.ready = server_ready, .fd = -EBADF}, .flow = flow, .pipe = {-1, -1}};
	relay_find_ways(loop, &listener->port, peer, &flow->ways);
	if (try_next_way(loop, flow) < 0 ||
	    relay_watch(loop, &flow->client.watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0)
		end_flow(loop, flow, /* is_broken= */ true);
}

/* Those that come wait in the kernel's queue, which is bounded as well. */
static void stop_listening(struct relay_loop *loop, uint64_t pause_usec)
{
	loop->is_full = true;
	loop->full_until_usec = clock_now_usec() + pause_usec;
	for (struct listener *listener = loop->listeners; listener; listener = listener->next)
		if (listener->port.protocol == IPPROTO_TCP)
			(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, listener->watch.fd, NULL);
}

void tcp_listen_again(struct relay_loop *loop)
{
	loop->is_full = false;
	for (struct listener *listener = loop->listeners; listener; listener = listener->next)
		if (listener->port.protocol == IPPROTO_TCP)
			(void)relay_watch(loop, &listener->watch, EPOLLIN | EPOLLEXCLUSIVE);
}

static void accept_some(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	const struct listener *listener = (const struct listener *)watch;

	(void)events;
	for (int i = 0; i < ACCEPTS && !loop->is_full; i++) {
		union socket_address peer = {0};
		socklen_t length = sizeof(peer);
		int fd = accept4(watch->fd, &peer.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			begin_flow(loop, listener, fd, &peer);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			stop_listening(loop, FULL_USEC);
		else if (errno == EAGAIN)
			return;
		if (!loop->is_full && loop->flow_count >= loop->flow_max)
			stop_listening(loop, 0);
	}
}

int tcp_listen(struct relay_loop *loop, struct listener *listener)
{
	listener->watch.ready = accept_some;
	return loop->is_full ? 0 : relay_watch(loop, &listener->watch, EPOLLIN | EPOLLEXCLUSIVE);
}
