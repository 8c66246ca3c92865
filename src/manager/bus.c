/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends and receives messages within a time.
 * Zone: any.
 */
#include "manager/bus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scope.h"

#define FDS_MAX 8
#define NEVER INT64_MAX
#define LINE_MAX_BYTES 512

void bus_close(struct bus *bus)
{
	scope_close(&bus->fd);
	scope_close(&bus->received_fd);
	free(bus->data);
	*bus = BUS_NONE;
}

/* --- Time --- */

void bus_set_patience(struct bus *bus, unsigned int msec)
{
	bus->deadline_usec =
		msec == BUS_FOR_EVER ? NEVER : (int64_t)clock_now_usec() + (int64_t)msec * 1000;
}

static int wait_for(struct bus *bus, short events)
{
	for (;;) {
		struct pollfd pollfd = {.fd = bus->fd, .events = events};
		bool is_bounded = bus->deadline_usec != NEVER;
		int64_t left = is_bounded ? bus->deadline_usec - (int64_t)clock_now_usec() : 1;
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		r = poll(&pollfd, 1, is_bounded ? (int)(left / 1000) + 1 : -1);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* --- Bytes --- */

static ssize_t send_some(int fd, const uint8_t *data, size_t length, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = {0};
	struct iovec part = {.iov_base = (void *)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int) * count),
		};
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int send_all(struct bus *bus, const uint8_t *data, size_t length, const int *fds,
		    size_t fd_count)
{
	while (length > 0) {
		ssize_t sent = send_some(bus->fd, data, length, fds, fd_count);

		if (sent < 0 && errno == EAGAIN) {
			TRY(wait_for(bus, POLLOUT));
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		data += sent;
		length -= (size_t)sent;
		fd_count = 0; /* they went with the first byte */
	}
	return 0;
}

/* There is room for one descriptor: of more that come along the kernel closes the rest. */
static ssize_t receive(struct bus *bus, void *bytes, size_t room)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = bytes, .iov_len = room};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_LEN(sizeof(int))};
	ssize_t got = recvmsg(bus->fd, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int))) {
		scope_close(&bus->received_fd);
		memcpy(&bus->received_fd, CMSG_DATA(header), sizeof(int));
	}
	return got;
}

int bus_take_fd(struct bus *bus)
{
	return steal_fd(bus->received_fd);
}

static int receive_some(struct bus *bus)
{
	if (bus->room - bus->length < 4096) {
		size_t room = bus->room * 2 + 8192;
		uint8_t *data = room > BUS_MESSAGE_MAX * 4 ? NULL : realloc(bus->data, room);

		if (!data)
			return -ENOMEM;
		bus->data = data;
		bus->room = room;
	}
	for (;;) {
		ssize_t got = receive(bus, bus->data + bus->length, bus->room - bus->length);

		if (got > 0) {
			bus->length += (size_t)got;
			return 0;
		}
		if (got == 0)
			return -ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (errno == EAGAIN)
			TRY(wait_for(bus, POLLIN));
	}
}

static void drop(struct bus *bus, size_t count)
{
	if (count == 0)
		return;
	memmove(bus->data, bus->data + count, bus->length - count);
	bus->length -= count;
}

/* --- Authentication (D-Bus Specification, "Authentication Protocol") --- */

/* One line of the other side, without its end. */
static int receive_line(struct bus *bus, char ret[LINE_MAX_BYTES])
{
	for (;;) {
		uint8_t *end = bus->length ? memchr(bus->data, '\n', bus->length) : NULL;

		if (end) {
			size_t length = (size_t)(end - bus->data);

			if (length >= LINE_MAX_BYTES)
				return -EPROTO;
			memcpy(ret, bus->data, length);
			ret[length] = '\0';
			drop(bus, length + 1);
			return 0;
		}
		if (bus->length >= LINE_MAX_BYTES)
			return -EPROTO;
		TRY(receive_some(bus));
	}
}

/*
 * All at once, and the first call behind it: the answers to come are known, or we go. 'more' is
 * what else is said.
 */
static int authenticate(struct bus *bus, const struct bus_writer *more)
{
	char words[160], line[LINE_MAX_BYTES], uid[16], hex[40] = "";
	struct bus_writer all = {0};
	size_t length;
	int r;

	(void)snprintf(uid, sizeof(uid), "%u", geteuid());
	for (size_t i = 0; uid[i]; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", uid[i]);
	/* It begins with a NUL, with which some systems send who they are. */
	length =
		(size_t)snprintf(words, sizeof(words),
				 "%cAUTH EXTERNAL %s\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n", '\0', hex);
	for (size_t i = 0; i < length; i++)
		bus_put_byte(&all, (uint8_t)words[i]);
	bus_put_bytes(&all, more);
	r = all.failed ? -ENOMEM : send_all(bus, all.data, all.length, NULL, 0);
	bus_writer_done(&all);
	TRY(r);
	TRY(receive_line(bus, line));
	if (strncmp(line, "OK ", 3) != 0)
		return -EACCES;
	TRY(receive_line(bus, line));
	return strncmp(line, "AGREE_UNIX_FD", 13) == 0 || strncmp(line, "ERROR", 5) == 0 ? 0
											 : -EPROTO;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(fd);
}

static int enter(struct bus *bus, bool is_bus)
{
	static const struct bus_call hello = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "Hello",
	};
	const struct bus_writer nothing = {0};
	struct bus_writer message = {0};
	struct bus_message reply;
	const char *name;
	int r;

	if (is_bus)
		bus_write_call(&message, &hello, ++bus->serial, &nothing);
	r = message.failed ? -ENOMEM : authenticate(bus, &message);
	bus_writer_done(&message);
	if (r < 0 || !is_bus)
		return r;
	TRY(bus_await(bus, bus->serial, &reply));
	TRY(bus_get_text(&reply.body, &name));
	(void)snprintf(bus->name, sizeof(bus->name), "%s", name);
	return 0;
}

int bus_open(const char *path, bool is_bus, unsigned int patience_msec, struct bus *ret)
{
	struct bus bus = BUS_NONE;
	int r;

	bus_set_patience(&bus, patience_msec);
	bus.fd = connect_to(path);
	if (bus.fd < 0)
		return bus.fd;
	r = enter(&bus, is_bus);
	if (r < 0) {
		bus_close(&bus);
		return r;
	}
	*ret = bus;
	return 0;
}

/* --- Messages --- */

static int read_next(struct bus *bus, struct bus_message *ret)
{
	TRY(bus_read_message(bus->data, bus->taken, ret));
	if (bus->watched && ret->type == BUS_SIGNAL && strcmp(ret->member, bus->watched) == 0)
		bus->watched_came = true;
	return 0;
}

int bus_next(struct bus *bus, struct bus_message *ret)
{
	drop(bus, bus->taken);
	bus->taken = 0;
	for (;;) {
		int64_t length = bus->length ? bus_message_length(bus->data, bus->length) : 0;

		if (length < 0)
			return (int)length;
		if (length > 0 && (size_t)length <= bus->length) {
			bus->taken = (size_t)length;
			return read_next(bus, ret);
		}
		TRY(receive_some(bus));
	}
}

int bus_dispatch(struct bus *bus)
{
	struct bus_message message;
	bool has_come;
	int r;

	bus_set_patience(bus, 0);
	do
		r = bus_next(bus, &message);
	while (r == 0);
	has_come = bus->watched_came;
	bus->watched_came = false;
	if (r != -ETIMEDOUT)
		return r;
	return has_come;
}

int bus_send(struct bus *bus, const struct bus_call *call, const struct bus_writer *body,
	     const int *fds, uint32_t *ret_serial)
{
	struct bus_writer message;
	int r;

	assert(call->fd_count <= FDS_MAX);
	bus_write_call(&message, call, ++bus->serial, body);
	r = message.failed ? -ENOMEM
			   : send_all(bus, message.data, message.length, fds, call->fd_count);
	bus_writer_done(&message);
	TRY(r);
	*ret_serial = bus->serial;
	return 0;
}

int bus_await(struct bus *bus, uint32_t serial, struct bus_message *ret_reply)
{
	for (;;) {
		TRY(bus_next(bus, ret_reply));
		if (ret_reply->reply_serial != serial)
			continue;
		if (ret_reply->type == BUS_REPLY)
			return 0;
		if (ret_reply->type == BUS_ERROR)
			return -EREMOTEIO;
	}
}

int bus_call(struct bus *bus, const struct bus_call *call, const struct bus_writer *body,
	     const int *fds, struct bus_message *ret_reply)
{
	uint32_t serial;

	TRY(bus_send(bus, call, body, fds, &serial));
	return bus_await(bus, serial, ret_reply);
}

const char *bus_error_text(const struct bus_message *error)
{
	struct bus_reader body = error->body;
	const char *text;

	if (*error->signature == 's' && bus_get_text(&body, &text) == 0)
		return text;
	return error->error;
}
