/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console's life: the guest's pseudo-terminal, and the caller's terminal as it was, ours, and
 * his again. What flows between them is console-flow.c's.
 * Zone: owing, in the supervisor.
 *
 * A pty's master reports POLLHUP and EIO while no slave is open, and nothing but polling would tell
 * when an init opens /dev/console again. So we keep a slave open ourselves. It counts as open even
 * after the guest hung the terminal up (vhangup(2)), which only makes it useless for reading and
 * writing, and we do neither.
 */
#include "run/console.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "run/console-flow.h"

/* A terminal that was stopped (^S) takes no colour either; nobody shall wait for it. */
#define TINT_PATIENCE_MSEC 100

/* The tint, ahead of all that the guest writes. */
static void begin_tint(struct console *console)
{
	if (console->tint.colour)
		console->output_end += console_tint_begin(&console->tint, console->buffers->output);
}

/*
 * And once more after somebody else had the terminal. Where that is not possible, in the middle of
 * a sequence, the guest's next reset does it.
 */
static void resume_tint(struct console *console)
{
	if (console->tint.colour && console->tint.state == TINT_TEXT &&
	    OUTPUT_BYTES - console->output_end >= TINT_SEQUENCE_MAX)
		console->output_end += console_tint_again(
			&console->tint, console->buffers->output + console->output_end);
}

/* The terminal's own background again, at once, as the output may be over. */
static void end_tint(const struct console *console)
{
	bool is_cut = console->output_start < console->output_end;
	char sequence[TINT_SEQUENCE_MAX];
	size_t length, done = 0;

	if (!console->tint.colour || console->output.fd < 0)
		return;
	length = console_tint_end(&console->tint, is_cut, sequence);
	while (done < length) {
		struct pollfd ready = {.fd = console->output.fd, .events = POLLOUT};
		ssize_t written;

		if (poll(&ready, 1, TINT_PATIENCE_MSEC) <= 0)
			return;
		written = console_stream_write(&console->output, sequence + done, length - done);
		if (written <= 0)
			return; /* a terminal that is gone, or stuck */
		done += (size_t)written;
	}
}

static void attach_caller(struct console *console)
{
	const struct console_plan *plan = &console->plan;

	if (plan->input_is_forwarded &&
	    console_stream_open_input(STDIN_FILENO, &console->input) >= 0)
		console_terminal_save(&console->terminal);
	if (plan->output_stream >= 0)
		console_stream_open_output(plan->output_stream, &console->output);
	console_terminal_enter_raw(&console->terminal);
	begin_tint(console);
}

static void set_window_size(const struct console *console, struct winsize size)
{
	/* A guest that sees 0 by 0 uses its own default, so failure and absence need no message. */
	(void)ioctl(console->master_fd, TIOCSWINSZ, &size); /* the kernel signals the guest */
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
		.input = CONSOLE_STREAM_NONE,
		.output = CONSOLE_STREAM_NONE,
		.tint = {.colour = plan->tint},
		.buffers = malloc(sizeof(struct console_buffers)),
	};
	if (!console->buffers)
		return fail(-ENOMEM, "Cannot prepare the container's console");
	console->master_fd = steal_fd(master);
	console->slave_fd = steal_fd(slave);
	console->is_started = true;
	set_window_size(console, console_terminal_initial_size(plan));
	attach_caller(console);
	return 0;
}

void console_stop(void *argument)
{
	struct console *console = argument;

	if (!console->is_started)
		return;
	console->is_started = false;
	end_tint(console);
	console_terminal_leave_raw(&console->terminal);
	console_flow_end(console);
	free(console->buffers);
	console->buffers = NULL;
}

void console_share_with(struct console *console, struct console_share *share)
{
	console->share = share;
}

void console_resize(const struct console *console, unsigned short columns, unsigned short rows)
{
	struct winsize size;

	if (console->is_started && console->master_fd >= 0 &&
	    !console_terminal_size(&console->plan, &size))
		set_window_size(console, (struct winsize){.ws_col = columns, .ws_row = rows});
}

void console_window_changed(struct console *console)
{
	struct winsize size;

	if (console->is_started && console->master_fd >= 0 &&
	    console_terminal_size(&console->plan, &size))
		set_window_size(console, size);
}

void console_resumed(struct console *console)
{
	if (!console->is_started)
		return;
	console_terminal_resumed(&console->terminal);
	resume_tint(console);
	console_window_changed(console);
}

void console_suspend(struct console *console)
{
	sigset_t stop, before;

	if (console->is_started) {
		end_tint(console);
		console_terminal_leave_raw(&console->terminal);
	}
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTSTP);
	(void)raise(SIGTSTP);
	/* It stops us here; or not, where nobody could let us go on (setpgid(2), orphaned groups).
	 */
	(void)sigprocmask(SIG_UNBLOCK, &stop, &before);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	console_resumed(console);
}
