/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console: which of the guest's streams are our pseudo-terminal, and the forwarding between it and the caller's
 * own streams. The caller's terminal itself is never given to the guest, which could otherwise push input into it
 * (TIOCSTI) or change its modes.
 * Zone: console_decide() is free; the rest is owing, in the supervisor.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "config/config.h"
#include "run/console-keys.h"

/* DECIDED, before the clone. */
struct console_plan {
	enum console_mode
		mode; /* interactive, read-only, passive or pipe: the other two are resolved */
	bool pty_is_needed;
	bool stream_is_pty
		[3]; /* the guest's descriptor 0, 1, 2 is the pty's slave, else the caller's own */
	bool input_is_forwarded;
	bool output_is_forwarded;
	int output_stream; /* which of the caller's descriptors gets the pty's output; -EBADF: none */
	bool term_is_passed; /* the guest sees the caller's TERM, COLORTERM and NO_COLOR, else TERM=dumb */
};

/*
 * Pure. 'is_terminal' tells of the caller's standard input, output and error; 'terminal_is_dumb' that TERM is unset
 * or 'dumb'.
 *
 * All modes but pipe give the guest one pty for its three streams. Pipe mode decides per stream: what is no terminal
 * is handed over as it is, what is one is replaced by our pty and forwarded; without any terminal there is no pty.
 */
void console_decide(enum console_mode asked, const bool is_terminal[3], bool terminal_is_dumb,
		    struct console_plan *ret_plan);

struct console_buffers;

/* How bytes reach the caller. */
enum console_sink {
	CONSOLE_SINK_NONE, /* nobody takes them: read and dropped, so that the guest never blocks on them */
	CONSOLE_SINK_PLAIN, /* write(2) on what never blocks: files, and our own non-blocking description */
	CONSOLE_SINK_SOCKET,    /* send(2), which can be told per call not to block */
	CONSOLE_SINK_MAY_BLOCK, /* the caller's own description: asked before each small write(2) */
};

/* MADE. Zero-filled is a console that was never started, on which every function below does nothing. */
struct console {
	bool is_started;
	struct console_plan plan;
	int master_fd;
	int slave_fd; /* keeps the master from hanging up, see console.c */

	int input_fd; /* -EBADF: no input, or no longer */
	bool input_is_ours;
	int output_fd;
	bool output_is_ours;
	enum console_sink sink;

	struct termios saved; /* the modes of the terminal on standard input */
	struct termios raw;   /* what we made of them */
	bool can_be_raw, is_raw;
	bool raw_is_due;      /* in the foreground the terminal has to be made raw first */
	tcflag_t saved_oflag; /* of the terminal on standard output, if it is a different one */
	bool output_is_raw;

	struct console_keys keys;
	struct console_buffers *buffers;
	size_t input_start, input_end, output_start,
		output_end; /* what is pending in the buffers */
};

/*
 * Takes 'master_fd' (unlocked, with the guest's end alive or not; -EBADF if the plan needs no pty), also when it
 * fails. Sets the window size from the terminal the output goes to, else from $COLUMNS and $LINES, and puts the
 * caller's terminal into raw mode if its input is forwarded and we are in the foreground (else later, by
 * console_resumed() or with the first key). SIGPIPE must be ignored. Speaks on failure.
 */
int console_start(struct console *console, const struct console_plan *plan, int master_fd);

/* Restores the terminal and closes everything; may be called at any time, twice, and as an undo function. */
void console_stop(void *console);

/* What to wait for. Fills at most CONSOLE_POLLFDS entries, none for what cannot happen, and returns their number. */
#define CONSOLE_POLLFDS 3
size_t console_pollfds(const struct console *console, struct pollfd *fds);

/*
 * Forwards what poll(2) reported in the entries of console_pollfds(), for a bounded time and without blocking.
 * Returns an enum console_event, or a negative errno if the pty itself failed (which it told). A caller's stream that
 * ends or fails is no failure: input at its end makes the console read-only, output that nobody takes is dropped.
 */
int console_dispatch(struct console *console, const struct pollfd *fds, size_t n_fds);

/* SIGWINCH: tells the guest the new size of the caller's terminal. */
void console_window_changed(struct console *console);

/* SIGCONT: whoever had the terminal meanwhile left it in his own modes. */
void console_resumed(struct console *console);

/*
 * For the end, when the last process of the guest is dead: forwards what is left. A slow reader of our output gets
 * all the time it needs, as it would from any program, until 'stop_fd' (a signalfd, say) is readable; with -EBADF
 * until it took nothing for three seconds. Returns 0 if all is out or nobody wants it, 1 if it gave up: look at
 * 'stop_fd' and call again, or leave it.
 */
int console_drain(struct console *console, int stop_fd);
