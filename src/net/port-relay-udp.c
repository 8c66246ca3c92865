/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Datagrams: a conversation is what one client says to one address of a port. It has a socket of
 * its own to the other side, so that answers find their way back, and is over when nobody has said
 * anything for a while.
 * Zone: doomed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"
#include "net/port-relay-loop.h"

#define SESSIONS_MAX 4096
#define BUCKETS 1024
#define IDLE_USEC (UINT64_C(90) * 1000000)
#define DATAGRAM_MAX 65536
#define DATAGRAMS 64 /* of one socket, before others have their turn */

struct session {
	struct watch watch; /* first: the socket to the other side */
	const struct listener *listener;
	union socket_address client;
	struct in6_pktinfo local; /* where the client sent to; of IPv4 mapped */
	struct in_pktinfo local_4;
	bool is_4; /* the listener's socket is of IPv4 alone */
	struct ways ways;
	size_t way;
	uint8_t *first; /* what was said first, until somebody answers */
	size_t first_length;
	uint64_t heard_usec;
	struct session *older, *newer;      /* by idleness */
	struct session *before, *in_bucket; /* of one hash; 'before' of the first is NULL */
	size_t bucket;
};

/* One process, one table; datagrams of all ports meet in it. */
static struct session *buckets[BUCKETS];
static uint8_t datagram[DATAGRAM_MAX];

/* --- Which conversation --- */

static size_t bucket_of(const struct listener *listener, const union socket_address *client)
{
	const uint8_t *bytes = (const uint8_t *)client;
	uint32_t hash = 2166136261u ^ listener->port.host;

	for (size_t i = 0; i < socket_address_length(client); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

static bool is_same(const struct session *session, const struct session *other)
{
	return session->listener == other->listener &&
	       memcmp(&session->client, &other->client, sizeof(other->client)) == 0 &&
	       memcmp(&session->local.ipi6_addr, &other->local.ipi6_addr,
		      sizeof(other->local.ipi6_addr)) == 0 &&
	       session->local_4.ipi_spec_dst.s_addr == other->local_4.ipi_spec_dst.s_addr;
}

static void take_out(struct relay_loop *loop, struct session *session)
{
	*(session->older ? &session->older->newer : &loop->oldest) = session->newer;
	*(session->newer ? &session->newer->older : &loop->newest) = session->older;
	session->older = session->newer = NULL;
}

static void put_last(struct relay_loop *loop, struct session *session)
{
	session->older = loop->newest;
	session->newer = NULL;
	*(loop->newest ? &loop->newest->newer : &loop->oldest) = session;
	loop->newest = session;
	session->heard_usec = clock_now_usec();
}

static void end_session(struct relay_loop *loop, struct session *session)
{
	take_out(loop, session);
	*(session->before ? &session->before->in_bucket : &buckets[session->bucket]) =
		session->in_bucket;
	if (session->in_bucket)
		session->in_bucket->before = session->before;
	free(session->first);
	relay_end(loop, &session->watch);
	loop->session_count--;
}

void udp_forget(struct relay_loop *loop, const struct listener *listener)
{
	uint64_t now = clock_now_usec();

	for (struct session *session = loop->oldest, *next; session; session = next) {
		next = session->newer;
		if (listener ? session->listener == listener
			     : session->heard_usec + IDLE_USEC <= now)
			end_session(loop, session);
		else if (!listener)
			break;
	}
}

void udp_forget_all(struct relay_loop *loop)
{
	while (loop->oldest)
		end_session(loop, loop->oldest);
}

/* --- To the other side --- */

static void answered(struct relay_loop *loop, struct watch *watch, uint32_t events);

/* The next of the ways that can be tried at all; what was said first is said there again. */
static int try_next_way(struct relay_loop *loop, struct session *session)
{
	scope_close(&session->watch.fd);
	session->watch = (struct watch){.ready = answered, .fd = -EBADF};
	while (session->way < session->ways.count) {
		int fd = relay_connect(&session->ways, session->way++, SOCK_DGRAM);

		if (fd < 0)
			continue;
		session->watch.fd = fd;
		if (relay_watch(loop, &session->watch, EPOLLIN) < 0)
			return -ENOMEM;
		if (session->first)
			(void)send(fd, session->first, session->first_length,
				   MSG_DONTWAIT | MSG_NOSIGNAL);
		return 0;
	}
	return -ECONNREFUSED;
}

static struct session *begin_session(struct relay_loop *loop, const struct session *like,
				     size_t bucket, size_t length)
{
	struct session *session = malloc(sizeof(*session));

	if (!session)
		return NULL;
	if (loop->session_count >= SESSIONS_MAX)
		end_session(loop, loop->oldest);
	*session = *like;
	session->watch.fd = -EBADF;
	session->bucket = bucket;
	session->in_bucket = buckets[bucket];
	if (session->in_bucket)
		session->in_bucket->before = session;
	buckets[bucket] = session;
	loop->session_count++;
	put_last(loop, session);
	relay_find_ways(loop, &session->listener->port, &session->client, &session->ways);
	/* With only one way there is nothing to say again. */
	session->first = session->ways.count > 1 ? malloc(length > 0 ? length : 1) : NULL;
	session->first_length = length;
	if (session->first)
		memcpy(session->first, datagram, length);
	if (try_next_way(loop, session) == 0)
		return session;
	end_session(loop, session);
	return NULL;
}

static void pass_on(struct relay_loop *loop, const struct session *like, size_t length)
{
	size_t bucket = bucket_of(like->listener, &like->client);
	struct session *session = buckets[bucket];
	bool is_said = false;

	while (session && !is_same(session, like))
		session = session->in_bucket;
	if (session) {
		take_out(loop, session);
		put_last(loop, session);
	} else {
		session = begin_session(loop, like, bucket, length);
		is_said = session && session->first;
	}
	/* What does not fit is lost, as datagrams are. */
	if (session && !is_said &&
	    send(session->watch.fd, datagram, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == ECONNREFUSED && try_next_way(loop, session) < 0)
		end_session(loop, session);
}

/* --- Received --- */

static void read_local(struct msghdr *header, struct session *session)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
			memcpy(&session->local, CMSG_DATA(part), sizeof(session->local));
		} else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
			session->is_4 = true;
			memcpy(&session->local_4, CMSG_DATA(part), sizeof(session->local_4));
		}
	}
	/* The answer's way is the kernel's choice, but where addresses count on one link only. */
	if (!IN6_IS_ADDR_LINKLOCAL(&session->local.ipi6_addr))
		session->local.ipi6_ifindex = 0;
	session->local_4.ipi_ifindex = 0;
	session->local_4.ipi_spec_dst = session->local_4.ipi_addr;
}

static void hear_clients(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	(void)events;
	for (int i = 0; i < DATAGRAMS; i++) {
		_Alignas(struct cmsghdr) uint8_t control[128];
		struct session like = {.listener = (const struct listener *)watch};
		struct iovec part = {datagram, sizeof(datagram)};
		struct msghdr header = {
			.msg_name = &like.client,
			.msg_namelen = sizeof(like.client),
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t length = recvmsg(watch->fd, &header, MSG_DONTWAIT);

		if (length < 0 && errno == EAGAIN)
			return;
		if (length < 0)
			continue;
		read_local(&header, &like);
		pass_on(loop, &like, (size_t)length);
	}
}

/* From the address that the client knows, not from any that leads there. */
static void answer(const struct session *session, size_t length)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct iovec part = {datagram, length};
	struct msghdr header = {
		.msg_name = (void *)&session->client,
		.msg_namelen = socket_address_length(&session->client),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = session->is_4 ? CMSG_SPACE(sizeof(session->local_4))
						: CMSG_SPACE(sizeof(session->local)),
	};
	struct cmsghdr *info = CMSG_FIRSTHDR(&header);

	if (session->is_4) {
		*info = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(session->local_4)),
					 .cmsg_level = IPPROTO_IP,
					 .cmsg_type = IP_PKTINFO};
		memcpy(CMSG_DATA(info), &session->local_4, sizeof(session->local_4));
	} else {
		*info = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(session->local)),
					 .cmsg_level = IPPROTO_IPV6,
					 .cmsg_type = IPV6_PKTINFO};
		memcpy(CMSG_DATA(info), &session->local, sizeof(session->local));
	}
	(void)sendmsg(session->listener->watch.fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void answered(struct relay_loop *loop, struct watch *watch, uint32_t events)
{
	struct session *session = (struct session *)watch;

	(void)events;
	for (int i = 0; i < DATAGRAMS; i++) {
		ssize_t length = recv(watch->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (length < 0 && errno == ECONNREFUSED && session->first) {
			if (try_next_way(loop, session) == 0)
				return;
			free(session->first);
			session->first = NULL;
			session->way = 0;
			(void)try_next_way(loop, session);
			return;
		}
		if (length < 0)
			return;
		free(session->first);
		session->first = NULL;
		take_out(loop, session);
		put_last(loop, session);
		answer(session, (size_t)length);
	}
}

int udp_listen(struct relay_loop *loop, struct listener *listener)
{
	listener->watch.ready = hear_clients;
	return relay_watch(loop, &listener->watch, EPOLLIN);
}
