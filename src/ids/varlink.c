/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends a call and hears its answer.
 * Zone: any.
 */
#include "ids/varlink.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/scope.h"

#define ANSWER_MAX_BYTES ((size_t)256 * 1024)
#define PATIENCE_MSEC 90000
/* Services that their sockets start need a moment; whoever waits longer should know for what. */
#define SILENCE_MSEC 2000
#define LOOK_MSEC 200 /* how often it is looked whether the user has enough of it */

/* --- Waiting --- */

/* One conversation. */
struct line {
	const struct varlink_call *call;
	int fd;
	int64_t started_msec;
	bool is_mentioned;
};

static int64_t patience_of(const struct varlink_call *call)
{
	return call->patience_msec ? call->patience_msec : PATIENCE_MSEC;
}

static void mention(struct line *line)
{
	const struct varlink_call *call = line->call;

	line->is_mentioned = true;
	if (call->awaited)
		note("Waiting for %s to %s, for %u s at most", call->awaited, call->awaited_to,
		     (unsigned int)((patience_of(call) + 999) / 1000));
}

/* Until something can be received, or sent; the deadline is that of the whole call. */
static int wait_for(struct line *line, short events)
{
	for (;;) {
		struct pollfd pollfd = {.fd = line->fd, .events = events};
		int64_t passed = clock_now_msec() - line->started_msec;
		int r;

		if (passed >= patience_of(line->call))
			return -ETIMEDOUT;
		if (passed >= SILENCE_MSEC && !line->is_mentioned)
			mention(line);
		r = poll(&pollfd, 1, LOOK_MSEC);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (line->call->is_interruptible && interrupt_came())
			return -EINTR;
	}
}

/* --- Talking --- */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_close int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* A full queue of callers is EAGAIN: who cannot be called soon is not there. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return steal_fd(fd);
}

union descriptors {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * VARLINK_FDS_MAX)];
};

/* The descriptors go with the first byte. */
static int send_all(struct line *line, const char *text, size_t length)
{
	const int *fds = line->call->fds;
	size_t fd_count = line->call->fd_count;
	union descriptors control = {0};
	struct iovec part = {(char *)text, length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	while (part.iov_len > 0) {
		ssize_t n = sendmsg(line->fd, &message, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			TRY(wait_for(line, POLLOUT));
		else if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		part.iov_base = (char *)part.iov_base + n;
		part.iov_len -= (size_t)n;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	return 0;
}

/* More than there is room for are closed at once. */
static void take_descriptors(struct msghdr *message, struct varlink_reply *ret)
{
	for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each;
	     each = CMSG_NXTHDR(message, each)) {
		size_t bytes = each->cmsg_len - CMSG_LEN(0);

		if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < bytes / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(each) + i * sizeof(int), sizeof(int));
			if (ret->fd_count < VARLINK_FDS_MAX)
				ret->fds[ret->fd_count++] = fd;
			else
				(void)close(fd);
		}
	}
}

/* Up to the NUL byte. *ret_text is malloc'ed. */
static int hear(struct line *line, char **ret_text, struct varlink_reply *ret)
{
	auto_free char *text = NULL;
	size_t used = 0;

	text = malloc(ANSWER_MAX_BYTES);
	if (!text)
		return -ENOMEM;
	while (used == 0 || text[used - 1] != '\0') {
		union descriptors control;
		struct iovec part = {text + used, ANSWER_MAX_BYTES - used};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control.bytes,
					 .msg_controllen = sizeof(control.bytes)};
		ssize_t n;

		if (part.iov_len == 0)
			return -EBADMSG;
		TRY(wait_for(line, POLLIN));
		n = recvmsg(line->fd, &message, MSG_CMSG_CLOEXEC);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		take_descriptors(&message, ret);
		if (n == 0 || memchr(part.iov_base, '\0', (size_t)n - 1))
			return -EBADMSG; /* the end, or a second answer to one call */
		used += (size_t)n;
	}
	*ret_text = steal_ptr(text);
	return 0;
}

int varlink_understand(const char *text, struct varlink_reply *ret)
{
	json_t *answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	json_t *error = json_object_get(answer, "error");
	json_t *parameters = json_object_get(answer, "parameters");
	int r = 0;

	if (!json_is_object(answer) || (error && !json_is_string(error)) ||
	    (parameters && !json_is_object(parameters) && !json_is_null(parameters)))
		r = -EBADMSG;
	else if (error)
		(void)snprintf(ret->error, sizeof(ret->error), "%s", json_string_value(error));
	if (r == 0)
		ret->parameters =
			json_is_object(parameters) ? json_incref(parameters) : json_object();
	json_decref(answer);
	return r == 0 && *ret->error ? -EREMOTEIO : r;
}

static char *make_text(const struct varlink_call *call)
{
	json_t *json = json_object();
	char *text;

	(void)json_object_set_new(json, "method", json_string(call->method));
	(void)json_object_set_new(json, "parameters",
				  call->parameters ? call->parameters : json_object());
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

int varlink_call(const struct varlink_call *call, struct varlink_reply *ret)
{
	auto_free char *question = make_text(call), *answer = NULL;
	auto_close int fd = -EBADF;
	struct line line = {.call = call, .started_msec = clock_now_msec()};

	*ret = (struct varlink_reply){0};
	if (!question)
		return -ENOMEM;
	fd = connect_to(call->socket);
	if (fd < 0)
		return fd;
	line.fd = fd;
	TRY(send_all(&line, question, strlen(question) + 1));
	TRY(hear(&line, &answer, ret));
	return varlink_understand(answer, ret);
}

void varlink_reply_done(struct varlink_reply *reply)
{
	for (size_t i = 0; i < reply->fd_count; i++)
		if (reply->fds[i] >= 0)
			(void)close(reply->fds[i]);
	json_decref(reply->parameters);
	*reply = (struct varlink_reply){0};
}

int varlink_take_fd(struct varlink_reply *reply, const char *name)
{
	json_t *number = json_object_get(reply->parameters, name);
	json_int_t index = json_is_integer(number) ? json_integer_value(number) : -1;

	if (index < 0 || (size_t)index >= reply->fd_count || reply->fds[index] < 0)
		return -EBADMSG;
	return steal_fd(reply->fds[index]);
}
