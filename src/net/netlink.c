/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The encoding of netlink, and one question with its answer.
 * Zone: any.
 */
#include "net/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/scope.h"

#define REPLY_MAX ((size_t)32 * 1024) /* what the kernel fills a read with, at most */

/* --- Making one --- */

static void append(struct netlink_message *message, const void *bytes, size_t length)
{
	size_t room = sizeof(message->bytes) - message->length, padded = NLMSG_ALIGN(length);

	if (message->is_full || padded < length || padded > room) {
		message->is_full = true;
		return;
	}
	if (length > 0)
		memcpy(message->bytes + message->length, bytes, length);
	memset(message->bytes + message->length + length, 0, padded - length);
	message->length += padded;
}

void netlink_begin_with(struct netlink_message *message, uint16_t type, uint16_t flags,
			const void *body, size_t length)
{
	const struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = flags | NLM_F_REQUEST};

	message->length = 0;
	message->is_full = false;
	append(message, &header, sizeof(header));
	append(message, body, length);
}

void netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags,
		   const struct ifinfomsg *body)
{
	netlink_begin_with(message, type, flags, body, sizeof(*body));
}

void netlink_put(struct netlink_message *message, uint16_t type, const void *bytes, size_t length)
{
	const struct nlattr header = {
		.nla_len = (uint16_t)(sizeof(header) + length),
		.nla_type = type,
	};

	if (length > NETLINK_MESSAGE_MAX) {
		message->is_full = true;
		return;
	}
	append(message, &header, sizeof(header));
	append(message, bytes, length);
}

void netlink_put_text(struct netlink_message *message, uint16_t type, const char *text)
{
	netlink_put(message, type, text, strlen(text) + 1);
}

void netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t number)
{
	netlink_put(message, type, &number, sizeof(number));
}

size_t netlink_open(struct netlink_message *message, uint16_t type)
{
	size_t opened = message->length;

	netlink_put(message, type | NLA_F_NESTED, NULL, 0);
	return opened;
}

void netlink_close(struct netlink_message *message, size_t opened)
{
	uint16_t length = (uint16_t)(message->length - opened);

	if (!message->is_full)
		memcpy(message->bytes + opened + offsetof(struct nlattr, nla_len), &length,
		       sizeof(length));
}

void netlink_put_raw(struct netlink_message *message, const void *bytes, size_t length)
{
	append(message, bytes, length);
}

/* --- Taking one apart --- */

bool netlink_take_head(const struct netlink_rest *body, void *ret_head, size_t length,
		       struct netlink_rest *ret_rest)
{
	if (body->length < length)
		return false;
	if (ret_head)
		memcpy(ret_head, body->bytes, length);
	*ret_rest = (struct netlink_rest){body->bytes + length, body->length - length};
	return true;
}

static void advance(struct netlink_rest *rest, size_t length)
{
	length = NLMSG_ALIGN(length);
	if (length > rest->length)
		length = rest->length;
	rest->bytes += length;
	rest->length -= length;
}

bool netlink_next(struct netlink_rest *rest, struct netlink_attribute *ret)
{
	struct nlattr header;

	if (rest->length < sizeof(header))
		return false;
	memcpy(&header, rest->bytes, sizeof(header));
	if (header.nla_len < sizeof(header) || header.nla_len > rest->length)
		return false;
	*ret = (struct netlink_attribute){
		.type = header.nla_type & NLA_TYPE_MASK,
		.bytes = rest->bytes + sizeof(header),
		.length = header.nla_len - sizeof(header),
	};
	advance(rest, header.nla_len);
	return true;
}

bool netlink_next_message(struct netlink_rest *rest, struct nlmsghdr *ret_header,
			  struct netlink_rest *ret_body)
{
	struct nlmsghdr header;

	if (rest->length < sizeof(header))
		return false;
	memcpy(&header, rest->bytes, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > rest->length)
		return false;
	*ret_header = header;
	*ret_body = (struct netlink_rest){
		.bytes = rest->bytes + sizeof(header),
		.length = header.nlmsg_len - sizeof(header),
	};
	advance(rest, header.nlmsg_len);
	return true;
}

bool netlink_text(const struct netlink_attribute *attribute, char *ret, size_t size)
{
	size_t length = strnlen((const char *)attribute->bytes, attribute->length);

	if (length == attribute->length || length >= size)
		return false;
	memcpy(ret, attribute->bytes, length + 1);
	return true;
}

bool netlink_u32(const struct netlink_attribute *attribute, uint32_t *ret)
{
	if (attribute->length != sizeof(*ret))
		return false;
	memcpy(ret, attribute->bytes, sizeof(*ret));
	return true;
}

/* --- Sending --- */

int netlink_socket_open(struct netlink_socket *ret)
{
	return netlink_socket_open_for(NETLINK_ROUTE, ret);
}

int netlink_socket_open_for(int protocol, struct netlink_socket *ret)
{
	const struct timeval patience = {.tv_sec = 5};
	int on = 1;
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	/* Words of the kernel, and no echo of what we asked. Both are extras. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	*ret = (struct netlink_socket){.fd = steal_fd(fd)};
	return 0;
}

void netlink_socket_close(struct netlink_socket *socket)
{
	scope_close(&socket->fd);
	*socket = NETLINK_CLOSED;
}

/* What the kernel adds to an errno (NETLINK_EXT_ACK). */
static void read_complaint(struct netlink_socket *socket, uint16_t flags, struct netlink_rest rest)
{
	struct netlink_attribute attribute;

	if (!(flags & NLM_F_ACK_TLVS))
		return;
	while (netlink_next(&rest, &attribute))
		if (attribute.type == NLMSGERR_ATTR_MSG)
			(void)netlink_text(&attribute, socket->complaint,
					   sizeof(socket->complaint));
}

/* The errno of an acknowledgement, 0 or negative. */
static int read_end(struct netlink_socket *socket, const struct nlmsghdr *header,
		    struct netlink_rest body)
{
	struct nlmsghdr echo;
	int error;

	if (header->nlmsg_type == NLMSG_DONE) {
		if (body.length < sizeof(error))
			return 0;
		memcpy(&error, body.bytes, sizeof(error));
		return error > 0 ? -EBADMSG : error;
	}
	if (body.length < sizeof(error) + sizeof(echo))
		return -EBADMSG;
	memcpy(&error, body.bytes, sizeof(error));
	if (error > 0)
		return -EBADMSG;
	advance(&body, sizeof(error) + sizeof(echo));
	read_complaint(socket, header->nlmsg_flags, body);
	return error;
}

/* Fills 'buffer' with what the kernel says; others can send to a netlink socket as well. */
static int receive(const struct netlink_socket *socket, uint8_t *buffer, size_t *ret_length)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec part = {buffer, REPLY_MAX};
		struct msghdr header = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &part,
			.msg_iovlen = 1,
		};
		ssize_t length = recvmsg(socket->fd, &header, 0);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? -ETIME : -errno;
		if (header.msg_namelen != sizeof(from) || from.nl_pid != 0)
			continue;
		if (header.msg_flags & MSG_TRUNC || length == 0)
			return -EBADMSG;
		*ret_length = (size_t)length;
		return 0;
	}
}

/* 1: the acknowledgement is still to come. */
static int hear(struct netlink_socket *socket, struct netlink_rest rest, netlink_reply reply,
		void *userdata)
{
	struct netlink_rest body;
	struct nlmsghdr header;

	while (netlink_next_message(&rest, &header, &body)) {
		if (header.nlmsg_seq != socket->sequence)
			continue; /* to a question that we gave up */
		if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE)
			return read_end(socket, &header, body);
		if (reply && header.nlmsg_type >= NLMSG_MIN_TYPE)
			TRY(reply(header.nlmsg_type, &body, userdata));
	}
	return 1;
}

static int send_bytes(const struct netlink_socket *socket, const uint8_t *bytes, size_t length)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	while (sendto(socket->fd, bytes, length, 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int netlink_number(struct netlink_socket *socket, struct netlink_message *message)
{
	struct nlmsghdr *header = (struct nlmsghdr *)message->bytes;

	socket->complaint[0] = '\0';
	if (message->is_full)
		return -EMSGSIZE;
	header->nlmsg_len = (uint32_t)message->length;
	header->nlmsg_seq = ++socket->sequence;
	/* Its bits mean something else each in what makes an object. */
	if ((header->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		header->nlmsg_flags |= NLM_F_ACK;
	return 0;
}

int netlink_send(const struct netlink_socket *socket, const struct netlink_message *message)
{
	return send_bytes(socket, message->bytes, message->length);
}

int netlink_hear(struct netlink_socket *socket, netlink_reply reply, void *userdata)
{
	auto_free uint8_t *buffer = malloc(REPLY_MAX);
	size_t length = 0;
	int r = 1;

	if (!buffer)
		return -ENOMEM;
	while (r == 1) {
		TRY(receive(socket, buffer, &length));
		r = hear(socket, (struct netlink_rest){buffer, length}, reply, userdata);
	}
	return r;
}

int netlink_call(struct netlink_socket *socket, struct netlink_message *message,
		 netlink_reply reply, void *userdata)
{
	TRY(netlink_number(socket, message));
	TRY(netlink_send(socket, message));
	return netlink_hear(socket, reply, userdata);
}

/* --- Many at once --- */

void netlink_batch_add(struct netlink_batch *batch, struct netlink_message *message, bool is_silent)
{
	struct nlmsghdr *header = (struct nlmsghdr *)message->bytes;

	if (message->is_full || message->length > sizeof(batch->bytes) - batch->length) {
		batch->is_full = true;
		return;
	}
	header->nlmsg_len = (uint32_t)message->length;
	if (!is_silent)
		header->nlmsg_flags |= NLM_F_ACK;
	memcpy(batch->bytes + batch->length, message->bytes, message->length);
	batch->length += message->length;
	batch->count++;
}

/* Their sequence numbers follow upon each other; returns how many will be acknowledged. */
static uint32_t number_messages(struct netlink_socket *socket, struct netlink_batch *batch)
{
	uint32_t awaited = 0;

	for (size_t at = 0; at < batch->length;) {
		struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes + at);

		header->nlmsg_seq = ++socket->sequence;
		awaited += header->nlmsg_flags & NLM_F_ACK ? 1 : 0;
		at += header->nlmsg_len;
	}
	return awaited;
}

/* Counts the answers in what was received; the first error stays in '*error'. */
static uint32_t count_answers(struct netlink_socket *socket, struct netlink_rest rest,
			      uint32_t first, int *error)
{
	struct netlink_rest body;
	struct nlmsghdr header;
	uint32_t count = 0;

	while (netlink_next_message(&rest, &header, &body)) {
		int r;

		if (header.nlmsg_type != NLMSG_ERROR || header.nlmsg_seq - first >= UINT32_MAX / 2)
			continue;
		r = read_end(socket, &header, body);
		if (*error == 0)
			*error = r;
		count++;
	}
	return count;
}

int netlink_batch_call(struct netlink_socket *socket, struct netlink_batch *batch)
{
	uint32_t first = socket->sequence + 1, awaited;
	auto_free uint8_t *buffer = malloc(REPLY_MAX);
	size_t length = 0;
	int error = 0;

	socket->complaint[0] = '\0';
	if (batch->is_full)
		return -EMSGSIZE;
	if (!buffer)
		return -ENOMEM;
	awaited = number_messages(socket, batch);
	TRY(send_bytes(socket, batch->bytes, batch->length));
	/* After an error there may be fewer answers than requests. */
	while (awaited > 0 && error == 0) {
		uint32_t count;

		TRY(receive(socket, buffer, &length));
		count = count_answers(socket, (struct netlink_rest){buffer, length}, first, &error);
		awaited -= count < awaited ? count : awaited;
	}
	return error;
}
