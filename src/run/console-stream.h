/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One of the caller's standard streams, as the console reads or writes it: never blocking, and
 * without a change to the flags of the caller's descriptor, whose description is shared with other
 * processes. Terminals and pipes are opened a second time for O_NONBLOCK, sockets are told with
 * each call.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How bytes reach the caller. */
enum console_sink {
	CONSOLE_SINK_NONE,      /* nobody takes them: dropped, so that the guest never blocks */
	CONSOLE_SINK_PLAIN,     /* write(2) never blocks: files, descriptions of our own */
	CONSOLE_SINK_SOCKET,    /* send(2), which can be told per call not to block */
	CONSOLE_SINK_MAY_BLOCK, /* the caller's own description: asked before each small write(2) */
};

struct console_stream {
	int fd;                 /* -EBADF: none, or no longer */
	bool is_ours;           /* our second description, else the caller's own */
	enum console_sink sink; /* of an output */
};

#define CONSOLE_STREAM_NONE ((struct console_stream){.fd = -EBADF, .sink = CONSOLE_SINK_NONE})

/* Prepares the caller's 'fd' to be read, which it must be open for, else -EBADF. */
int console_stream_open_input(int fd, struct console_stream *ret_stream);

/* Prepares the caller's 'fd' to be written; what cannot be written becomes CONSOLE_SINK_NONE. */
void console_stream_open_output(int fd, struct console_stream *ret_stream);

/* Closes what we opened, never the caller's own descriptor. Accepts CONSOLE_STREAM_NONE. */
void console_stream_close(struct console_stream *stream);

/* As write(2), but -1 and EAGAIN where that would block. */
ssize_t console_stream_write(const struct console_stream *stream, const char *bytes, size_t length);
