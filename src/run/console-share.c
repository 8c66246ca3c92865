/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies output to all who attached, and their input to the console.
 * Zone: owing, in the supervisor.
 */
#include "run/console-share.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "run/console.h"

/* What a stream may be behind; root gets it, others get what the host allows them. */
#define STREAM_BUFFER_BYTES (1024 * 1024)
#define INPUT_STEP_BYTES 1024

bool console_share_is_wanted(const struct console_share *share)
{
	return share && (share->count > 0 || share->log.fd >= 0);
}

static void detach(struct console_share *share, size_t i)
{
	(void)close(share->streams[i]);
	share->count--;
	share->streams[i] = share->streams[share->count];
	share->is_quiet[i] = share->is_quiet[share->count];
	share->is_deaf[i] = share->is_deaf[share->count];
}

void console_share_output(struct console_share *share, const char *bytes, size_t length)
{
	if (!share)
		return;
	console_log_write(&share->log, bytes, length);
	for (size_t i = share->count; i-- > 0;)
		if (send(share->streams[i], bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		    (ssize_t)length) {
			debug("A terminal that was attached does not keep up, or is gone");
			detach(share, i);
		}
}

/* Levels of epoll(7), so what is not wanted now is not listened to. */
static int watch(const struct console_share *share, size_t i, int operation)
{
	struct epoll_event event = {
		.events = share->is_quiet[i] ? 0 : EPOLLIN,
		.data.u64 = (uint64_t)(uint32_t)share->streams[i],
	};

	return epoll_ctl(share->epoll_fd, operation, share->streams[i], &event) < 0 ? -errno : 0;
}

int console_share_attach(struct console_share *share)
{
	const int room = STREAM_BUFFER_BYTES;
	size_t i = share->count;
	int ends[2], r;

	if (i == CONSOLE_STREAMS_MAX)
		return -EUSERS;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	if (setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	share->streams[i] = ends[0];
	share->is_quiet[i] = share->is_deaf[i] = false;
	share->count++;
	r = watch(share, i, EPOLL_CTL_ADD);
	if (r < 0) {
		detach(share, i);
		(void)close(ends[1]);
		return r;
	}
	return ends[1];
}

void console_share_detach_last(struct console_share *share)
{
	detach(share, share->count - 1);
}

void console_share_prepare(struct console_share *share, const struct console *console)
{
	bool is_full = !console || console_input_room(console) == 0;

	for (size_t i = 0; i < share->count; i++) {
		bool is_quiet = is_full || share->is_deaf[i];

		if (is_quiet == share->is_quiet[i])
			continue;
		share->is_quiet[i] = is_quiet;
		(void)watch(share, i, EPOLL_CTL_MOD);
	}
}

/* False if the stream is gone. */
static bool take_input(struct console_share *share, size_t i, struct console *console)
{
	char bytes[INPUT_STEP_BYTES];
	size_t room = console ? console_input_room(console) : 0;
	ssize_t got;

	if (share->is_quiet[i])
		return false; /* only told because both directions are closed */
	if (room == 0)
		return true;
	got = recv(share->streams[i], bytes, room < sizeof(bytes) ? room : sizeof(bytes),
		   MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		share->is_deaf[i] = true;
	else
		console_type(console, bytes, (size_t)got);
	return true;
}

void console_share_dispatch(struct console_share *share, int fd, struct console *console)
{
	for (size_t i = share->count; i-- > 0;)
		if (share->streams[i] == fd && !take_input(share, i, console))
			detach(share, i);
}

void console_share_end(struct console_share *share)
{
	while (share->count > 0)
		detach(share, share->count - 1);
	console_log_close(&share->log);
}
