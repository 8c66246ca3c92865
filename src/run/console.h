/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console: forwarding between the guest's pseudo-terminal and the caller's own streams. The
 * caller's terminal itself is never given to the guest, which could otherwise push input into it
 * (TIOCSTI) or change its modes.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "run/console-keys.h"
#include "run/console-plan.h"
#include "run/console-share.h"
#include "run/console-stream.h"
#include "run/console-terminal.h"
#include "run/console-tint.h"

struct console_buffers;

/*
 * MADE. Zero-filled is a console that was never started, on which every function below does
 * nothing.
 */
struct console {
	bool is_started;
	struct console_plan plan;
	int master_fd;
	int slave_fd; /* keeps the master from hanging up, see console.c */

	struct console_stream input;
	struct console_stream output;
	struct console_terminal terminal;
	struct console_keys keys;
	struct console_tint tint;
	struct console_buffers *buffers;
	struct console_share *share;   /* who else sees it, or NULL; survives the console */
	bool has_said_line;            /* the guest ended one, since somebody made it false */
	size_t input_start, input_end; /* what is pending in the buffers */
	size_t output_start, output_end;
};

/*
 * Takes 'master_fd' (unlocked, with the guest's end alive or not; -EBADF if the plan needs no pty),
 * also when it fails. Sets the window size from the terminal the output goes to, else from $COLUMNS
 * and $LINES, and puts the caller's terminal into raw mode if its input is forwarded and we are in
 * the foreground (else later, by console_resumed() or with the first key). SIGPIPE must be ignored.
 * Speaks on failure.
 */
int console_start(struct console *console, const struct console_plan *plan, int master_fd);

/* Others see it too, and may type into it. Between console_start() and console_stop(). */
void console_share_with(struct console *console, struct console_share *share);

/* How much of what others type is taken now. */
size_t console_input_room(const struct console *console);

/* Somebody else typed this, no more than there is room for. */
void console_type(struct console *console, const char *bytes, size_t length);

/* The size of the terminal of somebody who attached; counts where there is none of the caller's. */
void console_resize(const struct console *console, unsigned short columns, unsigned short rows);

/*
 * Restores the terminal and closes everything; may be called at any time, twice, and as an undo
 * function.
 */
void console_stop(void *console);

/*
 * What to wait for. Fills at most CONSOLE_POLLFDS entries, none for what cannot happen, and returns
 * their number.
 */
#define CONSOLE_POLLFDS 3
size_t console_pollfds(const struct console *console, struct pollfd *fds);

/*
 * Forwards what poll(2) reported in the entries of console_pollfds(), for a bounded time and
 * without blocking. Returns an enum console_event, or a negative errno if the pty itself failed
 * (which it told). A caller's stream that ends or fails is no failure: input at its end makes the
 * console read-only, output that nobody takes is dropped.
 */
int console_dispatch(struct console *console, const struct pollfd *fds, size_t n_fds);

/* SIGWINCH: tells the guest the new size of the caller's terminal. */
void console_window_changed(struct console *console);

/*
 * SIGTSTP: gives the terminal back as it was, stops this process as the signal would, and takes the
 * terminal again when it goes on.
 */
void console_suspend(struct console *console);

/* SIGCONT: whoever had the terminal meanwhile left it in his own modes. */
void console_resumed(struct console *console);

/*
 * For the end, when the last process of the guest is dead: forwards what is left. A slow reader of
 * our output gets all the time it needs, as it would from any program, until 'stop_fd' (a signalfd,
 * say) is readable; with -EBADF until it took nothing for three seconds. Returns 0 if all is out or
 * nobody wants it, 1 if it gave up: look at 'stop_fd' and call again, or leave it.
 */
int console_drain(struct console *console, int stop_fd);
