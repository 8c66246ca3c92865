/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Forwards between the guest's pseudo-terminal and the caller's standard streams.
 * Zone: console_decide() is free; the rest is owing, in the supervisor.
 *
 * Nothing here blocks, so that the supervisor always notices signals, and nothing here changes the flags of the
 * caller's descriptors, whose descriptions are shared with other processes: terminals and pipes are opened a second
 * time for O_NONBLOCK, sockets are told with each call.
 *
 * A pty's master reports POLLHUP and EIO while no slave is open, and nothing but polling would tell when an init
 * opens /dev/console again. So we keep a slave open ourselves. It counts as open even after the guest hung the
 * terminal up (vhangup(2)), which only makes it useless for reading and writing, and we do neither.
 */
#include "run/console.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"

#define MASTER_READ_BYTES 4096 /* one read(2) of a pty returns no more */
#define INPUT_BYTES 4096
#define OUTPUT_BYTES (4 * MASTER_READ_BYTES)

/* Reads in one console_dispatch(): enough to make poll(2) cheap in a flood, few enough to stay fair to signals. */
#define READS_PER_DISPATCH 64

/* After the guest's death the kernel holds about 70 KiB at most; more means that somebody else still writes. */
#define DRAIN_BYTES_MAX ((size_t)1024 * 1024)
#define DRAIN_PATIENCE_MSEC 3000

/* On the heap and not in struct console: pages that no byte passed through are never touched. */
struct console_buffers {
	char input[INPUT_BYTES];
	char output[OUTPUT_BYTES];
};

static enum console_mode resolve_mode(enum console_mode asked, bool both_are_terminals)
{
	if (asked == CONSOLE_DEFAULT)
		return both_are_terminals ? CONSOLE_INTERACTIVE : CONSOLE_READ_ONLY;
	if (asked == CONSOLE_AUTOPIPE)
		return both_are_terminals ? CONSOLE_INTERACTIVE : CONSOLE_PIPE;
	return asked;
}

void console_decide(enum console_mode asked, const bool is_terminal[3], bool terminal_is_dumb,
		    struct console_plan *ret_plan)
{
	/* Where a person looks first. Standard input comes last: terminals are usually open both ways. */
	static const int by_preference[] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
	struct console_plan plan = {
		.mode = resolve_mode(asked,
				     is_terminal[STDIN_FILENO] && is_terminal[STDOUT_FILENO]),
		.output_stream = -EBADF,
	};
	bool is_pipe = plan.mode == CONSOLE_PIPE;

	for (int stream = 0; stream < 3; stream++) {
		plan.stream_is_pty[stream] = !is_pipe || is_terminal[stream];
		plan.pty_is_needed = plan.pty_is_needed || plan.stream_is_pty[stream];
	}
	plan.input_is_forwarded =
		plan.mode == CONSOLE_INTERACTIVE || (is_pipe && is_terminal[STDIN_FILENO]);
	plan.output_is_forwarded = plan.pty_is_needed && plan.mode != CONSOLE_PASSIVE;
	if (plan.output_is_forwarded && !is_pipe)
		plan.output_stream = STDOUT_FILENO;
	/* A prompt or an echo on the pty must not end up in data: it goes to a terminal and nowhere else. */
	for (size_t i = 0; i < ARRAY_LEN(by_preference) && is_pipe && plan.output_stream < 0; i++)
		if (is_terminal[by_preference[i]])
			plan.output_stream = by_preference[i];
	plan.term_is_passed = !is_pipe && is_terminal[STDOUT_FILENO] && !terminal_is_dumb;
	*ret_plan = plan;
}

/* A process that is not in the foreground may not change the terminal, and has no reason to. */
static bool is_in_foreground(int terminal_fd)
{
	pid_t foreground = tcgetpgrp(terminal_fd);

	return foreground < 0 ||
	       foreground == getpgrp(); /* negative: not our controlling terminal, no job control */
}

static int set_modes(int fd, const struct termios *modes)
{
	/* Not TCSADRAIN: that would wait for a terminal whose reader is stuck. */
	while (tcsetattr(fd, TCSANOW, modes) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/*
 * Only for forwarded input: read-only consoles leave the terminal alone, because several of them on one terminal
 * would save and restore each other's modes.
 */
static void enter_raw(struct console *console)
{
	struct termios output;

	if (!console->raw_is_due || !is_in_foreground(STDIN_FILENO))
		return;
	console->raw = console->saved;
	cfmakeraw(&console->raw);
	if (set_modes(STDIN_FILENO, &console->raw) < 0)
		return;
	console->is_raw = true;
	console->raw_is_due = false;
	/* What the driver made of it, to know it again. */
	(void)tcgetattr(STDIN_FILENO, &console->raw);
	log_set_raw_terminal(fd_is_terminal(STDERR_FILENO));

	/* The guest's pty has processed the output already. Nothing is left to do if it is the same terminal. */
	if (tcgetattr(STDOUT_FILENO, &output) < 0 || !(output.c_oflag & OPOST))
		return;
	console->saved_oflag = output.c_oflag;
	output.c_oflag &= ~(tcflag_t)OPOST;
	console->output_is_raw = set_modes(STDOUT_FILENO, &output) >= 0;
}

/* A shell that took the terminal back has set its own modes; ours from long ago would break its line editing. */
static bool modes_are_ours(const struct console *console)
{
	struct termios now;

	if (is_in_foreground(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &now) < 0)
		return true;
	return now.c_iflag == console->raw.c_iflag && now.c_oflag == console->raw.c_oflag &&
	       now.c_lflag == console->raw.c_lflag;
}

static void leave_raw(struct console *console)
{
	struct termios output;
	sigset_t stop, before;

	if (!console->is_raw)
		return;
	/* In the background changing modes would stop us, on the way out and for good. */
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stop, &before);
	if (console->output_is_raw && tcgetattr(STDOUT_FILENO, &output) >= 0) {
		output.c_oflag = console->saved_oflag;
		(void)set_modes(STDOUT_FILENO,
				&output); /* fails if the terminal is gone, then nobody minds */
	}
	if (modes_are_ours(console))
		(void)set_modes(STDIN_FILENO, &console->saved);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	console->is_raw = console->raw_is_due = console->output_is_raw = false;
	log_set_raw_terminal(false);
}

static unsigned short size_from_environment(const char *name)
{
	const char *text = getenv(name);
	unsigned long value = 0;

	for (const char *c = text; c && *c; c++) {
		if (*c < '0' || *c > '9')
			return 0;
		value = value * 10 + (unsigned long)(*c - '0');
		if (value > USHRT_MAX)
			return 0;
	}
	return (unsigned short)value;
}

static bool size_of_terminal(const struct console *console, struct winsize *ret_size)
{
	/* The caller's own descriptor, not our second one, which is not there for every kind of output. */
	if (console->plan.output_stream >= 0 &&
	    ioctl(console->plan.output_stream, TIOCGWINSZ, ret_size) >= 0)
		return true;
	return console->plan.input_is_forwarded && ioctl(STDIN_FILENO, TIOCGWINSZ, ret_size) >= 0;
}

static void set_initial_size(struct console *console)
{
	struct winsize size = {};

	if (!size_of_terminal(console, &size) || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){
			.ws_row = size_from_environment("LINES"),
			.ws_col = size_from_environment("COLUMNS"),
		};
	/* A guest that sees 0 by 0 uses its own default, so failure and absence need no message. */
	(void)ioctl(console->master_fd, TIOCSWINSZ, &size);
}

/*
 * Opens the terminal or pipe behind a standard stream once more, for a description of our own that may be
 * non-blocking. -EOPNOTSUPP for other files: they do not block, or have a position that would not be shared.
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

static void attach_input(struct console *console)
{
	if (!console->plan.input_is_forwarded || !can_access(STDIN_FILENO, O_RDONLY))
		return;
	console->can_be_raw = tcgetattr(STDIN_FILENO, &console->saved) >= 0;
	console->input_fd = open_again(STDIN_FILENO, O_RDONLY);
	console->input_is_ours = console->input_fd >= 0;
	/* Read only after poll(2) said so; that blocks us only if another process takes the bytes in between. */
	if (!console->input_is_ours)
		console->input_fd = STDIN_FILENO;
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

static void attach_output(struct console *console)
{
	int stream = console->plan.output_stream;

	if (stream < 0)
		return;
	console->output_fd = open_again(stream, O_WRONLY);
	console->output_is_ours = console->output_fd >= 0;
	if (!console->output_is_ours)
		console->output_fd = stream;
	console->sink = console->output_is_ours ? CONSOLE_SINK_PLAIN : kind_of_sink(stream);
}

int console_start(struct console *console, const struct console_plan *plan, int master_fd)
{
	auto_close int master = master_fd, slave = -EBADF;
	int r;

	if (!plan->pty_is_needed)
		return 0;
	r = fd_set_nonblocking(master, true);
	if (r < 0)
		return fail(r, "Cannot prepare the container's console");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return fail(-errno, "Cannot hold the container's console open");
	*console = (struct console){
		.plan = *plan,
		.input_fd = -EBADF,
		.output_fd = -EBADF,
		.buffers = malloc(sizeof(struct console_buffers)),
	};
	if (!console->buffers)
		return fail(-ENOMEM, "Cannot prepare the container's console");
	console->master_fd = steal_fd(master);
	console->slave_fd = steal_fd(slave);
	console->is_started = true;
	set_initial_size(console);
	attach_input(console);
	attach_output(console);
	console->raw_is_due = console->can_be_raw;
	enter_raw(console);
	return 0;
}

static void close_input(struct console *console)
{
	if (console->input_is_ours)
		(void)close(console->input_fd);
	console->input_fd = -EBADF;
	console->input_is_ours = false;
}

/* The output stays readable from the master, but goes nowhere. */
static void close_output(struct console *console)
{
	if (console->output_is_ours)
		(void)close(console->output_fd);
	console->output_fd = -EBADF;
	console->output_is_ours = false;
	console->sink = CONSOLE_SINK_NONE;
	console->output_start = console->output_end = 0;
}

static void close_pty(struct console *console)
{
	if (console->slave_fd >= 0)
		(void)close(console->slave_fd);
	if (console->master_fd >= 0)
		(void)close(console->master_fd);
	console->slave_fd = console->master_fd = -EBADF;
	console->input_start = console->input_end = 0;
}

void console_stop(void *argument)
{
	struct console *console = argument;

	if (!console->is_started)
		return;
	console->is_started = false;
	leave_raw(console);
	close_input(console);
	close_output(console);
	close_pty(console);
	free(console->buffers);
	console->buffers = NULL;
}

size_t console_pollfds(const struct console *console, struct pollfd *fds)
{
	short master = 0;
	size_t n = 0;

	/* poll(2) reports errors and hang-ups even to who asks for nothing: an entry without events would spin. */
	if (!console->is_started)
		return 0;
	if (console->input_fd >= 0 && console->input_end < INPUT_BYTES)
		fds[n++] = (struct pollfd){.fd = console->input_fd, .events = POLLIN};
	if (console->output_start < console->output_end)
		fds[n++] = (struct pollfd){.fd = console->output_fd, .events = POLLOUT};
	/*
	 * A passive console is never read, as users of this mode know it: a guest that writes more than the kernel
	 * keeps (some 64 KiB) waits.
	 */
	else if (console->plan.output_is_forwarded)
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

static uint64_t now_usec(void)
{
	struct timespec now = {};

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Reads what was typed and looks for hotkeys in it. The strongest wins: one paste may hold several. */
static enum console_event take_input(struct console *console)
{
	char *next = console->buffers->input + console->input_end;
	enum console_event strongest = CONSOLE_NOTHING;
	uint64_t now;
	ssize_t got;

	/* We were in the background before and are not any more; if we still are, reading stops us, as it should. */
	enter_raw(console);
	got = read(console->input_fd, next, INPUT_BYTES - console->input_end);
	if (got < 0 && is_transient(errno))
		return CONSOLE_NOTHING;
	if (got <= 0) {
		/* From here on read-only. The guest gets no end of file, which would log out its shell. */
		close_input(console);
		return CONSOLE_NOTHING;
	}
	console->input_end += (size_t)got;
	now = now_usec();
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

static ssize_t write_without_blocking(const struct console *console, const char *bytes,
				      size_t length)
{
	struct pollfd ready = {.fd = console->output_fd, .events = POLLOUT};

	switch (console->sink) {
	case CONSOLE_SINK_NONE:
		return (ssize_t)length;
	case CONSOLE_SINK_PLAIN:
		return write(console->output_fd, bytes, length);
	case CONSOLE_SINK_SOCKET:
		return send(console->output_fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	case CONSOLE_SINK_MAY_BLOCK:
		break;
	}
	if (poll(&ready, 1, 0) == 0)
		errno = EAGAIN;
	if (!ready.revents)
		return -1;
	/* A pipe that is ready takes this much at once (pipe(7)). */
	return write(console->output_fd, bytes, length < PIPE_BUF ? length : PIPE_BUF);
}

/* Writes pending output as far as it goes. */
static void flush_output(struct console *console)
{
	while (console->output_start < console->output_end) {
		ssize_t written = write_without_blocking(
			console, console->buffers->output + console->output_start,
			console->output_end - console->output_start);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			return;
		if (written < 0) {
			/* A reader that closed its end, like head(1), does so on purpose. */
			if (errno != EPIPE)
				warn(-errno,
				     "Cannot write the container's output, dropping the rest of it");
			close_output(console);
			return;
		}
		console->output_start += (size_t)written;
	}
	console->output_start = console->output_end = 0;
}

/* Reads into the free end of the buffer. 1: there may be more; 0: the master is dry, or hung up for good. */
static int take_output(struct console *console)
{
	ssize_t got = read(console->master_fd, console->buffers->output + console->output_end,
			   OUTPUT_BYTES - console->output_end);

	if (got > 0) {
		console->output_end += (size_t)got;
		return 1;
	}
	if (got < 0 && is_transient(errno))
		return errno == EINTR;
	if (got < 0 && errno != EIO)
		return fail(-errno, "Cannot read from the container's console");
	/* Does not happen while we hold a slave. */
	close_input(console);
	close_pty(console);
	return 0;
}

/*
 * Collects several reads for one write, but never holds back what it has when the guest pauses. Stops when the
 * caller's side is full: the guest then waits, as on any slow terminal.
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
	if (console->input_fd >= 0 && is_ready(fds, n_fds, console->input_fd, POLLIN))
		event = take_input(console);
	if (console->input_start < console->input_end)
		TRY(give_input(console));
	if (console->output_start < console->output_end &&
	    is_ready(fds, n_fds, console->output_fd, POLLOUT))
		flush_output(console);
	if (console->output_end == 0 && is_ready(fds, n_fds, console->master_fd, POLLIN))
		TRY(forward_output(console, READS_PER_DISPATCH));
	return event;
}

void console_window_changed(struct console *console)
{
	struct winsize size;

	if (console->is_started && console->master_fd >= 0 && size_of_terminal(console, &size))
		(void)ioctl(console->master_fd, TIOCSWINSZ,
			    &size); /* the kernel signals the guest */
}

void console_resumed(struct console *console)
{
	if (!console->is_started)
		return;
	/* is_raw stays: if nobody touched the terminal after all, console_stop() has to restore it. */
	console->raw_is_due = console->can_be_raw;
	log_set_raw_terminal(false);
	enter_raw(console);
	console_window_changed(console);
}

int console_drain(struct console *console, int stop_fd)
{
	struct pollfd fds[2] = {{.events = POLLOUT}, {.fd = stop_fd, .events = POLLIN}};
	size_t taken = 0;

	while (console->is_started && console->plan.output_is_forwarded) {
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
		fds[0].fd = console->output_fd;
		r = poll(fds, ARRAY_LEN(fds), stop_fd >= 0 ? -1 : DRAIN_PATIENCE_MSEC);
		if (r == 0 || (r < 0 && errno != EINTR) || (r > 0 && fds[1].revents))
			return 1;
	}
	return 0;
}
