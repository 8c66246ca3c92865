/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens the caller's streams for reading and writing that never blocks.
 * Zone: owing, in the supervisor.
 */
#include "run/console-stream.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/scope.h"

/*
 * Opens the terminal or pipe behind a standard stream once more, for a description of our own that
 * may be non-blocking. -EOPNOTSUPP for other files: they do not block, or have a position that
 * would not be shared.
 */
static int open_again(int fd, int flags)
{
	char path[sizeof("/proc/self/fd/") + 12];
	unsigned int device, device_again;
	auto_close int again = -EBADF;
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISFIFO(status.st_mode) && !fd_is_terminal(fd))
		return -EOPNOTSUPP;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again < 0)
		return -errno;
	/* Names like /dev/tty0, /dev/console and /dev/ptmx lead to another terminal each time. */
	if (!S_ISFIFO(status.st_mode) &&
	    (ioctl(fd, TIOCGDEV, &device) < 0 || ioctl(again, TIOCGDEV, &device_again) < 0 ||
	     device != device_again))
		return -EOPNOTSUPP;
	return steal_fd(again);
}

static bool can_access(int fd, int mode)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && ((flags & O_ACCMODE) == mode || (flags & O_ACCMODE) == O_RDWR);
}

int console_stream_open_input(int fd, struct console_stream *ret_stream)
{
	int again;

	if (!can_access(fd, O_RDONLY))
		return -EBADF;
	again = open_again(fd, O_RDONLY);
	/*
	 * Read only after poll(2) said so; that blocks us only if another process takes the bytes
	 * in between.
	 */
	*ret_stream = (struct console_stream){
		.fd = again >= 0 ? again : fd,
		.is_ours = again >= 0,
	};
	return 0;
}

static enum console_sink kind_of_sink(int fd)
{
	struct stat status;

	if (!can_access(fd, O_WRONLY) || fstat(fd, &status) < 0)
		return CONSOLE_SINK_NONE;
	if (S_ISSOCK(status.st_mode))
		return CONSOLE_SINK_SOCKET;
	return S_ISFIFO(status.st_mode) || fd_is_terminal(fd) ? CONSOLE_SINK_MAY_BLOCK
							      : CONSOLE_SINK_PLAIN;
}

void console_stream_open_output(int fd, struct console_stream *ret_stream)
{
	int again = open_again(fd, O_WRONLY);

	*ret_stream = (struct console_stream){
		.fd = again >= 0 ? again : fd,
		.is_ours = again >= 0,
		.sink = again >= 0 ? CONSOLE_SINK_PLAIN : kind_of_sink(fd),
	};
}

void console_stream_close(struct console_stream *stream)
{
	if (stream->is_ours)
		(void)close(stream->fd);
	*stream = CONSOLE_STREAM_NONE;
}

ssize_t console_stream_write(const struct console_stream *stream, const char *bytes, size_t length)
{
	struct pollfd ready = {.fd = stream->fd, .events = POLLOUT};

	switch (stream->sink) {
	case CONSOLE_SINK_NONE:
		return (ssize_t)length;
	case CONSOLE_SINK_PLAIN:
		return write(stream->fd, bytes, length);
	case CONSOLE_SINK_SOCKET:
		return send(stream->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	case CONSOLE_SINK_MAY_BLOCK:
		break;
	}
	if (poll(&ready, 1, 0) == 0)
		errno = EAGAIN;
	if (!ready.revents)
		return -1;
	/* A pipe that is ready takes this much at once (pipe(7)). */
	return write(stream->fd, bytes, length < PIPE_BUF ? length : PIPE_BUF);
}
