/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of the handshake: one packet each, with descriptors beside it.
 * Zone: owing on the parent's side, doomed on the container's. No heap: a confined child speaks
 * too.
 */
#include "run/handshake.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"
#include "run/handshake-wire.h"

struct message {
	struct handshake_head head;
	char text[HANDSHAKE_TEXT_MAX];
};

#define MESSAGE_HEAD offsetof(struct message, text)

int handshake_open(struct handshake *ret_parent, struct handshake *ret_container)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*ret_parent = (struct handshake){.fd = ends[0]};
	*ret_container = (struct handshake){.fd = ends[1]};
	return 0;
}

static int send_message(int fd, const struct message *message, const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * _PASSENGER_COUNT)];
	} control = {0};
	struct iovec part = {
		.iov_base = (void *)message,
		.iov_len = MESSAGE_HEAD + strnlen(message->text, sizeof(message->text) - 1) + 1,
	};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	return sendmsg(fd, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int handshake_say(struct handshake *handshake, enum handshake_step step, const int *passengers)
{
	struct message message = {.head.step = (int32_t)step};
	int fds[_PASSENGER_COUNT];
	size_t count = 0;

	for (size_t i = 0; passengers && i < _PASSENGER_COUNT; i++) {
		if (passengers[i] < 0)
			continue;
		message.head.passengers_mask |= UINT32_C(1) << i;
		fds[count++] = passengers[i];
	}
	return send_message(handshake->fd, &message, fds, count);
}

/* What came beside a message, in order; -EBADF where nothing did. */
struct luggage {
	int fds[_PASSENGER_COUNT];
};

static struct luggage luggage_none(void)
{
	struct luggage luggage;

	passengers_none(luggage.fds);
	return luggage;
}

static void luggage_done(struct luggage *luggage)
{
	for (size_t i = 0; i < _PASSENGER_COUNT; i++)
		scope_close(&luggage->fds[i]);
}

#define auto_luggage __attribute__((cleanup(luggage_done)))

/*
 * CMSG_SPACE() rounds up: there is room for one descriptor too many, and the kernel fills it if the
 * peer sends one.
 */
static void take_luggage(struct cmsghdr *header, struct luggage *ret)
{
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
		if (i < _PASSENGER_COUNT)
			ret->fds[i] = fd;
		else
			(void)close(fd); /* the peer's idea: nothing of ours is lost */
	}
}

/*
 * Returns the bytes received, 0 for a closed peer, or a negative errno. *ret_luggage, empty before,
 * is the caller's to end whatever is returned.
 */
static int receive_message(int fd, struct message *ret_message, struct luggage *ret_luggage)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * _PASSENGER_COUNT)];
	} control = {0};
	struct iovec part = {.iov_base = ret_message, .iov_len = sizeof(*ret_message)};
	struct msghdr packet = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t length;

	/*
	 * ECONNRESET comes once, before what the peer had said, when it went away without hearing
	 * everything that we said.
	 */
	do
		length = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
	while (length < 0 && (errno == EINTR || errno == ECONNRESET));
	if (length < 0)
		return -errno;
	if (packet.msg_controllen >= sizeof(struct cmsghdr) &&
	    control.header.cmsg_type == SCM_RIGHTS)
		take_luggage(&control.header, ret_luggage);
	if (length == 0)
		return 0;
	if ((size_t)length <= MESSAGE_HEAD)
		return -EPROTO;
	ret_message->text[(size_t)length - MESSAGE_HEAD - 1] = '\0';
	return (int)length;
}

/*
 * Prints a sentence of the peer, if this message is one; FAILED has none, it follows its sentences,
 * or has a number for who knows what it means.
 */
static int pass_on(struct handshake *handshake, const struct message *message)
{
	if (message->head.step == HANDSHAKE_SPOKEN && message->head.level == LOG_FAILURE)
		handshake->has_complained = true;
	if (message->head.step == HANDSHAKE_SPOKEN)
		log_forward(&(struct log_message){
			.level = (enum log_level)message->head.level,
			.error = message->head.error,
			.failure = message->head.failure,
			.is_hint = message->head.is_hint,
			.sentence = message->text,
		});
	if (message->head.step != HANDSHAKE_FAILED)
		return 0;
	if (message->head.error && handshake->fault) {
		handshake->fault->error = message->head.error;
		handshake->fault->at = message->head.level;
		memcpy(handshake->fault->object, message->text, sizeof(message->text));
	}
	return HANDSHAKE_IS_FAILED;
}

static void seat_passengers(uint32_t mask, struct luggage *luggage, int *ret_passengers)
{
	size_t next = 0;

	for (size_t i = 0; i < _PASSENGER_COUNT; i++)
		ret_passengers[i] =
			mask & (UINT32_C(1) << i) ? steal_fd(luggage->fds[next++]) : -EBADF;
}

/* Most starts are over by then, and who is asked to stop has a machine to stop in good order. */
#define STOP_PATIENCE_MSEC 2000

/*
 * Whoever assembles the tree may be held up by a file system, or be killed after it made the
 * payload and before it said so: then the payload waits for us as we for it.
 */
static int wait_for_word(const struct handshake *handshake)
{
	struct pollfd fds[] = {
		{.fd = handshake->fd, .events = POLLIN},
		{.fd = *handshake->watch->peer_pidfd, .events = POLLIN},
		{.fd = handshake->watch->stop_fd, .events = POLLIN},
	};
	int r = poll(fds, ARRAY_LEN(fds), -1);

	if (r > 0 && !fds[0].revents && !fds[1].revents)
		r = poll(fds, 2, STOP_PATIENCE_MSEC);
	if (r == 0)
		return -EINTR;
	/* Its last word may have come just before its end. */
	if (r > 0 && !fds[0].revents)
		r = poll(fds, 1, 0);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 && shutdown(handshake->fd, SHUT_RDWR) < 0 ? -errno : 0;
}

int handshake_hear(struct handshake *handshake, enum handshake_step step, int *ret_passengers)
{
	for (;;) {
		auto_luggage struct luggage luggage = luggage_none();
		struct message message;
		int r = handshake->watch ? wait_for_word(handshake) : 0;

		TRY(r);
		r = receive_message(handshake->fd, &message, &luggage);
		if (r == 0)
			return -EPIPE;
		TRY(r);
		TRY(pass_on(handshake, &message));
		if (message.head.step == HANDSHAKE_SPOKEN)
			continue;
		if (message.head.step != (int32_t)step)
			return -EPROTO;
		if (ret_passengers)
			seat_passengers(message.head.passengers_mask, &luggage, ret_passengers);
		return 0;
	}
}

int handshake_overhear(struct handshake *handshake)
{
	auto_luggage struct luggage luggage = luggage_none();
	struct message message;
	int r = receive_message(handshake->fd, &message, &luggage);

	if (r == 0)
		return 1;
	TRY(r);
	return pass_on(handshake, &message);
}

void handshake_log_sink(const struct log_message *message, void *userdata)
{
	struct handshake *handshake = userdata;
	struct message spoken = {
		.head =
			{
				.step = HANDSHAKE_SPOKEN,
				.error = message->error,
				.level = (int32_t)message->level,
				.failure = message->failure,
				.is_hint = message->is_hint,
			},
	};
	size_t length = strnlen(message->sentence, sizeof(spoken.text) - 1);

	/*
	 * A failure is spoken, not said: the doomed child says FAILED itself when it gives up, so
	 * that a sentence and its hint both arrive, in order, before it.
	 */
	memcpy(spoken.text, message->sentence, length);
	(void)send_message(handshake->fd, &spoken, NULL, 0);
}
