/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two datagram sockets and the few words that pass between them.
 * Zone: notify_listen() is for the doomed child, the rest is owing.
 *
 * The library's sd_notify() is one sendmsg(2), but loading libsystemd costs a plain start more than
 * all its mounts do.
 *
 * Not relayed, on purpose: STOPPING=1 (the supervisor says it itself when the stop is ours to say),
 * MAINPID= and WATCHDOG= (they speak of processes that our manager does not see), BUSERROR=, ERRNO=
 * and RELOADING=1 (no meaning for the whole machine), FDSTORE=1 (no descriptor of the guest's ever
 * reaches us).
 */
#include "run/notify.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "manager/unit.h"

#define MESSAGE_MAX_BYTES 4096 /* longer ones are dropped */
#define SEND_TIMEOUT_SEC 1

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16; the same on all architectures without own lists */
#endif

/*
 * TO OUR MANAGER
 * ------------------------------------------------------------------------------------------------
 */

static int manager_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);

	if (name[0] != '/' && name[0] != '@')
		return -EPROTONOSUPPORT;
	if (length < 2 || length >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	*ret_address = address;
	/* Of an abstract name every byte counts, so no final NUL belongs to it. */
	*ret_bytes =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
	return 0;
}

int notify_send(const char *text)
{
	static const struct timeval timeout = {.tv_sec = SEND_TIMEOUT_SEC};
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	auto_close int fd = -EBADF;
	socklen_t bytes;

	if (!name || !*name)
		return 0;
	TRY(manager_address(name, &address, &bytes));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, bytes) <
	    0)
		return -errno;
	return 0;
}

uint64_t notify_watchdog_usec(void)
{
	const char *usec_text = getenv("WATCHDOG_USEC"), *pid_text = getenv("WATCHDOG_PID");
	uint64_t usec;
	uint32_t pid;

	if (!usec_text || parse_u64(usec_text, &usec) < 0 || usec == UINT64_MAX)
		return 0;
	if (pid_text && (parse_u32(pid_text, &pid) < 0 || pid != (uint32_t)getpid()))
		return 0;
	return usec;
}

int notify_started(pid_t leader, bool is_ready)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%sSTATUS=Container started.\nX_NSPAWN_LEADER_PID=%d",
		       is_ready ? "READY=1\n" : "", leader);
	return notify_send(text);
}

int notify_stage(enum notify_stage stage)
{
	static const char *const texts[] = {
		[NOTIFY_STAGE_STOPPING] = "STOPPING=1",
		[NOTIFY_STAGE_TERMINATING] = "STOPPING=1\nSTATUS=Terminating...",
		[NOTIFY_STAGE_RESTARTING] = "STOPPING=1\nSTATUS=Restarting...",
	};
	static_assert(ARRAY_LEN(texts) == _NOTIFY_STAGE_COUNT, "each stage has its text");

	return notify_send(texts[stage]);
}

int notify_failed(const char *sentence)
{
	char escaped[NOTIFY_STATUS_MAX], text[NOTIFY_STATUS_MAX + 64];

	notify_escape(escaped, sizeof(escaped), sentence);
	(void)snprintf(text, sizeof(text), "STATUS=" UNIT_LAST_WORDS "%s", escaped);
	return notify_send(text);
}

/*
 * FROM THE CONTAINER
 * --------------------------------------------------------------------------------------------
 */

int notify_listen(int dir_fd)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "notify"};
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int yes = 1, no = 0;

	if (fd < 0)
		return -errno;
	/* All before the socket has a name: from then on anybody may send. */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0)
		return -errno;
	/*
	 * A newer kernel turns descriptors away at the sender; for older ones see
	 * receive_message().
	 */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
	/*
	 * bind(2) gives the name the mode of the socket, so that it is never open to other users.
	 */
	if (fchmod(fd, 0200) < 0 || fchdir(dir_fd) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(fd);
}

/*
 * Reads one message into 'text' (MESSAGE_MAX_BYTES + 1) and its sender's pid, 0 if that is not
 * visible to us. Returns the length, 0 if there is nothing to look at.
 */
static int receive_message(int fd, char *text, pid_t *ret_sender)
{
	/*
	 * Room for the credentials and for nothing else: the kernel puts them first, and drops
	 * descriptors that find no room instead of installing them.
	 */
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = {};
	struct iovec content = {.iov_base = text, .iov_len = MESSAGE_MAX_BYTES};
	struct msghdr message = {.msg_iov = &content,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	struct ucred credentials;
	ssize_t length;

	length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	header = CMSG_FIRSTHDR(&message);
	if (message.msg_flags & MSG_TRUNC || !header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_CREDENTIALS ||
	    header->cmsg_len != CMSG_LEN(sizeof(credentials)))
		return 0;
	memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
	text[length] = '\0';
	*ret_sender = credentials.pid;
	return (int)length;
}

/* The line "KEY:<tab>…" of a /proc/PID/status text, behind the tab; NULL if there is none. */
static const char *status_line(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (strncmp(text, key, length) == 0 && text[length] == ':')
			return text + length + 1 + (text[length + 1] == '\t');
	return NULL;
}

/*
 * True for the child of 'leader' that is number 2 in the innermost of its pid namespaces
 * (proc_pid_status(5)).
 */
static bool is_pid2_of(pid_t sender, pid_t leader)
{
	const char *parent, *numbers, *last;
	auto_free char *text = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", sender);
	if (file_read(AT_FDCWD, path, 1 << 16, &text, /* ret_length= */ NULL) < 0)
		return false;
	parent = status_line(text, "PPid");
	numbers = status_line(text, "NSpid");
	if (!parent || !numbers || strtol(parent, NULL, 10) != leader)
		return false;
	last = numbers + strcspn(numbers, "\n");
	while (last > numbers && isdigit((unsigned char)last[-1]))
		last--;
	/* Not the first number: that is our own view of it. */
	return last > numbers && strtol(last, NULL, 10) == 2;
}

/*
 * A payload with CAP_SYS_ADMIN may put any pid of its own into the credentials, so this keeps its
 * helpers and other users' programs from speaking for it, not the payload from lying.
 */
static bool is_payload(pid_t sender, const struct notify_relay *relay)
{
	if (sender <= 0)
		return false;
	return relay->payload_is_pid2 ? is_pid2_of(sender, relay->leader) : sender == relay->leader;
}

void notify_escape(char *ret_text, size_t bytes, const char *status)
{
	char piece[ESCAPED_MAX];
	size_t used = 0;

	while (escape_next(&status, piece) > 0) {
		size_t length = strlen(piece);

		if (used + length + 1 > bytes)
			break;
		memcpy(ret_text + used, piece, length);
		used += length;
	}
	ret_text[used] = '\0';
}

/* Tells our manager what the message means for the machine. */
static void relay_message(int heard, const char *status, struct notify_relay *relay)
{
	char text[NOTIFY_STATUS_MAX + 64];
	bool is_ready = heard & NOTIFY_READY && !relay->ready_is_said;
	int r;

	if (status) {
		notify_escape(relay->status, sizeof(relay->status), status);
		(void)snprintf(text, sizeof(text), "%sSTATUS=Container running: %s",
			       is_ready ? "READY=1\n" : "", relay->status);
	} else if (is_ready) {
		(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=Container running.");
	} else {
		return;
	}
	relay->ready_is_said |= is_ready;
	r = notify_send(text);
	if (r < 0)
		debug("Cannot relay a notification (error %d)", -r);
}

int notify_receive(int fd, struct notify_relay *relay)
{
	char text[MESSAGE_MAX_BYTES + 1], *rest = text, *line;
	const char *status = NULL;
	pid_t sender = 0;
	int heard = 0, length;

	length = receive_message(fd, text, &sender);
	if (length <= 0)
		return length;
	if (!is_payload(sender, relay)) {
		debug("A notification of process %d is none of the payload's", sender);
		return NOTIFY_REFUSED;
	}
	while ((line = strsep(&rest, "\n"))) {
		if (strcmp(line, "READY=1") == 0) {
			heard |= NOTIFY_READY;
		} else if (strcmp(line, "STOPPING=1") == 0) {
			heard |= NOTIFY_STOPPING;
		} else if (strncmp(line, "STATUS=", 7) == 0) {
			status = line + 7;
			heard |= NOTIFY_STATUS;
		}
	}
	relay_message(heard, status, relay);
	return heard;
}
