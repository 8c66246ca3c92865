/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caller's terminal: raw mode while its keys go to the guest, its own modes back afterwards,
 * and its window size. It is the one on standard input, whose output may be another one on standard
 * output.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>

struct console_plan;

/*
 * Zero-filled is a terminal that is left alone: all functions but console_terminal_save() do
 * nothing to it.
 */
struct console_terminal {
	struct termios saved; /* the modes of the terminal on standard input */
	struct termios raw;   /* what we made of them */
	bool can_be_raw, is_raw;
	bool raw_is_due;      /* in the foreground the terminal has to be made raw first */
	tcflag_t saved_oflag; /* of the terminal on standard output, if it is a different one */
	bool output_is_raw;
	bool shows_messages; /* standard error is a terminal, this one most likely */
};

/*
 * Remembers the modes of standard input, if it is a terminal, and that raw ones are due. Only for
 * forwarded input: read-only consoles leave the terminal alone, because several of them on one
 * terminal would save and restore each other's modes.
 */
void console_terminal_save(struct console_terminal *terminal);

/*
 * Makes the terminal raw if that is due and we are in the foreground, else call it again later.
 * Failures change nothing and are not told. Messages of ours know of the raw terminal from then on.
 */
void console_terminal_enter_raw(struct console_terminal *terminal);

/*
 * Restores the modes that were saved, unless somebody else has set his own meanwhile; may be called
 * at any time.
 */
void console_terminal_leave_raw(struct console_terminal *terminal);

/* After SIGCONT: whoever had the terminal meanwhile left it in his own modes. */
void console_terminal_resumed(struct console_terminal *terminal);

/*
 * The size of the terminal that the output goes to, else of the one that input comes from. False
 * without either.
 */
bool console_terminal_size(const struct console_plan *plan, struct winsize *ret_size);

/* The same, else what $LINES and $COLUMNS say; 0 for what is not known. */
struct winsize console_terminal_initial_size(const struct console_plan *plan);

/*
 * Tells the log whether the guest, which has just written 'bytes', left the cursor behind a text:
 * its last prompt, when it is killed. Of control sequences, which leave no text, only the usual
 * kind is known (ECMA-48, 5.4).
 */
void console_terminal_watch_line(const struct console_terminal *terminal, const char *bytes,
				 size_t length);
