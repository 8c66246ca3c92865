/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Forwards between the guest's pseudo-terminal and the caller's standard streams.
 * Zone: owing, in the supervisor.
 *
 * Nothing here blocks, so that the supervisor always notices signals.
 */
#include "run/console-flow.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/scope.h"

/*
 * Reads in one console_dispatch(): enough to make poll(2) cheap in a flood, few enough to stay fair
 * to signals.
 */
#define READS_PER_DISPATCH 64

/*
 * After the guest's death the kernel holds about 70 KiB at most; more means that somebody else
 * still writes.
 */
#define DRAIN_BYTES_MAX ((size_t)1024 * 1024)
#define DRAIN_PATIENCE_MSEC 3000

static void close_pty(struct console *console)
{
	if (console->slave_fd >= 0)
		(void)close(console->slave_fd);
	if (console->master_fd >= 0)
		(void)close(console->master_fd);
	console->slave_fd = console->master_fd = -EBADF;
	console->input_start = console->input_end = 0;
}

static void hang_up(struct console *console)
{
	console_stream_close(&console->input);
	close_pty(console);
}

/* The output stays readable from the master, but goes nowhere. */
static void close_output(struct console *console)
{
	console_stream_close(&console->output);
	console->output_start = console->output_end = 0;
}

void console_flow_end(struct console *console)
{
	hang_up(console);
	close_output(console);
}

/* Whether anybody wants to know what the guest writes. */
static bool is_read(const struct console *console)
{
	return console->plan.output_is_forwarded || console_share_is_wanted(console->share);
}

size_t console_input_room(const struct console *console)
{
	return console->is_started && console->master_fd >= 0 ? INPUT_BYTES - console->input_end
							      : 0;
}

void console_type(struct console *console, const char *bytes, size_t length)
{
	assert(length <= console_input_room(console));
	memcpy(console->buffers->input + console->input_end, bytes, length);
	console->input_end += length;
}

size_t console_pollfds(const struct console *console, struct pollfd *fds)
{
	short master = 0;
	size_t n = 0;

	/*
	 * poll(2) reports errors and hang-ups even to who asks for nothing: an entry without events
	 * would spin.
	 */
	if (!console->is_started)
		return 0;
	if (console->input.fd >= 0 && console->input_end < INPUT_BYTES)
		fds[n++] = (struct pollfd){.fd = console->input.fd, .events = POLLIN};
	if (console->output_start < console->output_end)
		fds[n++] = (struct pollfd){.fd = console->output.fd, .events = POLLOUT};
	/*
	 * A passive console is not read unless somebody attached or keeps a log of it, as users of
	 * this mode know it: a guest that writes more than the kernel keeps (some 64 KiB) waits.
	 */
	else if (is_read(console))
		master |= POLLIN;
	if (console->input_start < console->input_end)
		master |= POLLOUT;
	if (console->master_fd >= 0 && master)
		fds[n++] = (struct pollfd){.fd = console->master_fd, .events = master};
	return n;
}

/* True also for errors and hang-ups: the following read or write finds out what they are. */
static bool is_ready(const struct pollfd *fds, size_t n_fds, int fd, short event)
{
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i].fd == fd && (fds[i].events & event))
			return fds[i].revents & (event | POLLERR | POLLHUP | POLLNVAL);
	return false;
}

static bool is_transient(int error)
{
	return error == EAGAIN || error == EINTR;
}

/*
 * Reads what was typed and looks for hotkeys in it. The strongest wins: one paste may hold several.
 */
static enum console_event take_input(struct console *console)
{
	char *next = console->buffers->input + console->input_end;
	enum console_event strongest = CONSOLE_NOTHING;
	uint64_t now;
	ssize_t got;

	/*
	 * We were in the background before and are not any more; if we still are, reading stops us,
	 * as it should.
	 */
	console_terminal_enter_raw(&console->terminal);
	got = read(console->input.fd, next, INPUT_BYTES - console->input_end);
	if (got < 0 && is_transient(errno))
		return CONSOLE_NOTHING;
	if (got <= 0) {
		/*
		 * From here on read-only. The guest gets no end of file, which would log out its
		 * shell.
		 */
		console_stream_close(&console->input);
		return CONSOLE_NOTHING;
	}
	console->input_end += (size_t)got;
	now = clock_now_usec();
	for (ssize_t i = 0; i < got; i++) {
		enum console_event event =
			console_keys_feed(&console->keys, (unsigned char)next[i], now);

		if (event > strongest)
			strongest = event;
	}
	return strongest;
}

/* Gives pending input to the guest, as far as it takes it. */
static int give_input(struct console *console)
{
	while (console->input_start < console->input_end) {
		ssize_t written =
			write(console->master_fd, console->buffers->input + console->input_start,
			      console->input_end - console->input_start);

		if (written == 0 || (written < 0 && errno == EAGAIN))
			return 0;
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return fail(-errno, "Cannot write to the container's console");
		console->input_start += (size_t)written;
	}
	console->input_start = console->input_end = 0;
	return 0;
}

/* Writes pending output as far as it goes. */
static void flush_output(struct console *console)
{
	while (console->output_start < console->output_end) {
		ssize_t written = console_stream_write(
			&console->output, console->buffers->output + console->output_start,
			console->output_end - console->output_start);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			return;
		if (written < 0) {
			/* A reader that closed its end, like head(1), does so on purpose. */
			bool is_unread = errno == EPIPE;

			if (!is_unread)
				warn(-errno,
				     "Cannot write the container's output, dropping the rest of it");
			close_output(console);
			if (is_unread && console->plan.ends_with_reader)
				hang_up(console);
			return;
		}
		console_terminal_watch_line(&console->terminal,
					    console->buffers->output + console->output_start,
					    (size_t)written);
		console->output_start += (size_t)written;
	}
	console->output_start = console->output_end = 0;
}

/* What the guest wrote, before it is tinted. A line that is drawn again and again has no end. */
static void take_notice(struct console *console, const char *bytes, size_t length)
{
	if (!console->has_said_line)
		console->has_said_line = memchr(bytes, '\n', length) != NULL;
	console_share_output(console->share, bytes, length);
}

/* As read(2) into 'ret', which takes more bytes than are read because of the tint between them. */
static ssize_t read_tinted(struct console *console, char *ret, size_t room)
{
	char bytes[OUTPUT_BYTES / (TINT_SEQUENCE_MAX / 2)];
	ssize_t got = read(console->master_fd, bytes, console_tint_input_max(room));

	if (got <= 0)
		return got;
	take_notice(console, bytes, (size_t)got);
	return (ssize_t)console_tint_feed(&console->tint, bytes, (size_t)got, ret);
}

static ssize_t read_plain(struct console *console, char *ret, size_t room)
{
	ssize_t got = read(console->master_fd, ret, room);

	if (got > 0)
		take_notice(console, ret, (size_t)got);
	return got;
}

/*
 * Reads into the free end of the buffer. 1: there may be more; 0: the master is dry, or hung up for
 * good.
 */
static int take_output(struct console *console)
{
	char *next = console->buffers->output + console->output_end;
	size_t room = OUTPUT_BYTES - console->output_end;
	ssize_t got;

	if (console->master_fd < 0)
		return 0;
	got = console->tint.colour ? read_tinted(console, next, room)
				   : read_plain(console, next, room);
	if (got > 0) {
		console->output_end += (size_t)got;
		return 1;
	}
	if (got < 0 && is_transient(errno))
		return errno == EINTR;
	if (got < 0 && errno != EIO)
		return fail(-errno, "Cannot read from the container's console");
	/* Does not happen while we hold a slave. */
	hang_up(console);
	return 0;
}

/*
 * Collects several reads for one write, but never holds back what it has when the guest pauses.
 * Stops when the caller's side is full: the guest then waits, as on any slow terminal.
 */
static int forward_output(struct console *console, unsigned int reads)
{
	int r = 1;

	while (r > 0 && reads-- > 0) {
		r = take_output(console);
		if (OUTPUT_BYTES - console->output_end >= MASTER_READ_BYTES)
			continue;
		flush_output(console);
		if (console->output_end > 0)
			return r;
	}
	flush_output(console);
	return r;
}

int console_dispatch(struct console *console, const struct pollfd *fds, size_t n_fds)
{
	enum console_event event = CONSOLE_NOTHING;

	if (!console->is_started)
		return event;
	if (console->input.fd >= 0 && is_ready(fds, n_fds, console->input.fd, POLLIN))
		event = take_input(console);
	if (console->input_start < console->input_end)
		TRY(give_input(console));
	if (console->output_start < console->output_end &&
	    is_ready(fds, n_fds, console->output.fd, POLLOUT))
		flush_output(console);
	if (console->output_end == 0 && is_ready(fds, n_fds, console->master_fd, POLLIN))
		TRY(forward_output(console, READS_PER_DISPATCH));
	return event;
}

int console_drain(struct console *console, int stop_fd)
{
	struct pollfd fds[2] = {{.events = POLLOUT}, {.fd = stop_fd, .events = POLLIN}};
	size_t taken = 0;

	while (console->is_started && is_read(console)) {
		bool is_stuck;
		int r = 0;

		flush_output(console);
		is_stuck = console->output_end > 0;
		if (!is_stuck && console->master_fd >= 0 && taken < DRAIN_BYTES_MAX) {
			r = forward_output(console, 1);
			taken += MASTER_READ_BYTES;
		}
		if (!is_stuck && r <= 0 && console->output_end == 0)
			return 0;
		if (!is_stuck)
			continue;
		fds[0].fd = console->output.fd;
		r = poll(fds, ARRAY_LEN(fds), stop_fd >= 0 ? -1 : DRAIN_PATIENCE_MSEC);
		if (r == 0 || (r < 0 && errno != EINTR) || (r > 0 && fds[1].revents))
			return 1;
	}
	return 0;
}
