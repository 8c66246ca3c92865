/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authentication as a server has it, and two buffers (D-Bus Specification, "Authentication
 * Protocol").
 * Zone: any.
 */
#include "manager/bus-peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"

#define INPUT_STEP_BYTES 2048
#define LINE_BYTES_MAX 512
#define LINES_MAX 16

void bus_peer_begin(struct bus_peer *peer, int fd, const char *guid)
{
	*peer = (struct bus_peer){.fd = fd, .guid = guid};
}

void bus_peer_end(struct bus_peer *peer)
{
	scope_close(&peer->fd);
	free(peer->input);
	bus_writer_done(&peer->output);
	*peer = (struct bus_peer){.fd = -EBADF};
}

/* --- Input --- */

static int make_room(struct bus_peer *peer, size_t count)
{
	size_t room = peer->input_length + count;
	uint8_t *input;

	if (room <= peer->input_room)
		return 0;
	if (room > BUS_PEER_INPUT_MAX)
		return -EMSGSIZE;
	input = realloc(peer->input, room);
	if (!input)
		return -ENOMEM;
	peer->input = input;
	peer->input_room = room;
	return 0;
}

static void drop(struct bus_peer *peer, size_t count)
{
	if (count == 0)
		return;
	memmove(peer->input, peer->input + count, peer->input_length - count);
	peer->input_length -= count;
}

static void drop_taken(struct bus_peer *peer)
{
	drop(peer, peer->taken);
	peer->taken = 0;
}

int bus_peer_take(struct bus_peer *peer, const void *bytes, size_t length)
{
	drop_taken(peer);
	TRY(make_room(peer, length));
	if (length > 0)
		memcpy(peer->input + peer->input_length, bytes, length);
	peer->input_length += length;
	return 0;
}

/* Descriptors that come along are not taken: the kernel closes what has no room. */
int bus_peer_receive(struct bus_peer *peer)
{
	uint8_t bytes[INPUT_STEP_BYTES];
	ssize_t got = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return got == 0 ? -ECONNRESET : bus_peer_take(peer, bytes, (size_t)got);
}

/* --- Output --- */

static int put(struct bus_peer *peer, const void *data, size_t length)
{
	struct bus_writer bytes = {.data = (uint8_t *)data, .length = length};

	if (peer->output.length - peer->sent + length > BUS_PEER_OUTPUT_MAX)
		return -EMSGSIZE;
	bus_put_bytes(&peer->output, &bytes);
	return peer->output.failed ? -ENOMEM : 0;
}

static int say(struct bus_peer *peer, const char *line)
{
	return put(peer, line, strlen(line));
}

bool bus_peer_has_output(const struct bus_peer *peer)
{
	return peer->sent < peer->output.length;
}

int bus_peer_flush(struct bus_peer *peer)
{
	while (bus_peer_has_output(peer)) {
		ssize_t sent = send(peer->fd, peer->output.data + peer->sent,
				    peer->output.length - peer->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		peer->sent += (size_t)sent;
	}
	bus_writer_done(&peer->output);
	peer->sent = 0;
	return 0;
}

int bus_peer_answer(struct bus_peer *peer, const struct bus_answer *answer,
		    const struct bus_writer *body)
{
	struct bus_writer message;
	int r;

	bus_write_answer(&message, answer, ++peer->serial, body);
	r = message.failed ? -ENOMEM : put(peer, message.data, message.length);
	bus_writer_done(&message);
	return r;
}

static ssize_t send_with_fd(int socket_fd, const struct bus_writer *message, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec part = {.iov_base = message->data, .iov_len = message->length};
	const struct msghdr parcel = {.msg_iov = &part,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(socket_fd, &parcel, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int bus_peer_answer_fd(struct bus_peer *peer, const struct bus_answer *answer,
		       const struct bus_writer *body, int fd)
{
	struct bus_writer message;
	ssize_t sent;
	int r = 0;

	TRY(bus_peer_flush(peer));
	if (bus_peer_has_output(peer))
		return -EBUSY;
	bus_write_answer(&message, answer, ++peer->serial, body);
	sent = message.failed ? -1 : send_with_fd(peer->fd, &message, fd);
	if (sent < 0)
		r = message.failed ? -ENOMEM : -errno;
	else
		r = put(peer, message.data + sent, message.length - (size_t)sent);
	bus_writer_done(&message);
	return r;
}

/* --- Authentication --- */

static int agree(struct bus_peer *peer)
{
	char line[64];

	peer->state = BUS_PEER_KNOWN;
	(void)snprintf(line, sizeof(line), "OK %s\r\n", peer->guid);
	return say(peer, line);
}

/*
 * Who it is the kernel told whoever accepted it; whom it says it is, perhaps in words of another
 * user namespace, makes no difference.
 */
static int identify(struct bus_peer *peer, const char *line)
{
	static const char external[] = "AUTH EXTERNAL";

	if (peer->state == BUS_PEER_ASKED && text_has_prefix(line, "DATA"))
		return agree(peer);
	peer->state = BUS_PEER_UNKNOWN;
	if (text_has_prefix(line, external) && line[sizeof(external) - 1] == ' ')
		return agree(peer);
	if (strcmp(line, external) == 0) {
		peer->state = BUS_PEER_ASKED;
		return say(peer, "DATA\r\n");
	}
	if (text_has_prefix(line, "AUTH") || strcmp(line, "CANCEL") == 0 ||
	    text_has_prefix(line, "ERROR"))
		return say(peer, "REJECTED EXTERNAL\r\n");
	return say(peer, "ERROR\r\n");
}

static int hear_line(struct bus_peer *peer, const char *line)
{
	if (++peer->lines > LINES_MAX)
		return -EPROTO;
	if (peer->state != BUS_PEER_KNOWN)
		return identify(peer, line);
	if (strcmp(line, "BEGIN") == 0) {
		peer->state = BUS_PEER_TALKING;
		return 0;
	}
	if (strcmp(line, "NEGOTIATE_UNIX_FD") == 0) {
		peer->takes_fds = true;
		return say(peer, "AGREE_UNIX_FD\r\n");
	}
	if (strcmp(line, "CANCEL") == 0 || text_has_prefix(line, "ERROR")) {
		peer->state = BUS_PEER_UNKNOWN;
		return say(peer, "REJECTED EXTERNAL\r\n");
	}
	return say(peer, "ERROR\r\n");
}

/* 1: a line was heard, 0: there is none yet. */
static int next_line(struct bus_peer *peer)
{
	size_t most = peer->input_length < LINE_BYTES_MAX ? peer->input_length : LINE_BYTES_MAX;
	const uint8_t *end = most > 0 ? memchr(peer->input, '\n', most) : NULL;
	char line[LINE_BYTES_MAX];
	size_t length;

	if (!end)
		return most < LINE_BYTES_MAX ? 0 : -EPROTO;
	length = (size_t)(end - peer->input);
	if (memchr(peer->input, '\0', length))
		return -EPROTO;
	memcpy(line, peer->input, length);
	line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = '\0';
	drop(peer, length + 1);
	TRY(hear_line(peer, line));
	return 1;
}

static int greet(struct bus_peer *peer)
{
	if (peer->input_length == 0)
		return 0;
	if (peer->input[0] != '\0')
		return -EPROTO;
	drop(peer, 1);
	peer->state = BUS_PEER_UNKNOWN;
	return 1;
}

/* --- Messages --- */

static int next_message(struct bus_peer *peer, struct bus_message *ret)
{
	int64_t length =
		peer->input_length > 0 ? bus_message_length(peer->input, peer->input_length) : 0;

	if (length < 0)
		return (int)length;
	if (length > (int64_t)BUS_PEER_INPUT_MAX)
		return -EPROTO;
	if (length == 0 || (size_t)length > peer->input_length)
		return 0;
	peer->taken = (size_t)length;
	TRY(bus_read_message(peer->input, peer->taken, ret));
	return ret->serial != 0 ? 1 : -EPROTO;
}

int bus_peer_next(struct bus_peer *peer, struct bus_message *ret)
{
	int r = 1;

	drop_taken(peer);
	while (r > 0 && peer->state != BUS_PEER_TALKING)
		r = peer->state == BUS_PEER_GREETING ? greet(peer) : next_line(peer);
	while (r >= 0 && peer->state == BUS_PEER_TALKING) {
		r = next_message(peer, ret);
		if (r <= 0)
			break;
		if (ret->type == BUS_CALL)
			return 1;
		drop_taken(peer); /* we call nobody, so nothing else is for us */
	}
	if (peer->input_length == 0) {
		free(peer->input);
		peer->input = NULL;
		peer->input_room = 0;
	}
	return r < 0 ? r : 0;
}
