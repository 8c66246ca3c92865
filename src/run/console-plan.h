/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The decision about the console: which of the guest's streams are our pseudo-terminal, and what is
 * forwarded between it and the caller's own streams. Pure.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"

/* DECIDED, before the clone. */
struct console_plan {
	/* Interactive, read-only, passive or pipe: the other two are resolved. */
	enum console_mode mode;
	bool pty_is_needed;
	/* The guest's descriptor 0, 1, 2 is the pty's slave, else the caller's own. */
	bool stream_is_pty[3];
	bool input_is_forwarded;
	bool output_is_forwarded;
	int output_stream;     /* of the caller, gets the pty's output; -EBADF: none */
	bool ends_with_reader; /* hung up when nobody reads the output any more */
	bool term_is_passed;   /* the caller's TERM and the like go in, else TERM=dumb */
	const char *tint;      /* the background below all output, see console-tint.h; NULL: none */
};

/*
 * Pure. 'is_terminal' tells of the caller's standard input, output and error; 'terminal_is_dumb'
 * that TERM is unset or 'dumb'.
 *
 * All modes but pipe give the guest one pty for its three streams. Pipe mode decides per stream:
 * what is no terminal is handed over as it is, what is one is replaced by our pty and forwarded;
 * without any terminal there is no pty.
 */
void console_decide(enum console_mode asked, const bool is_terminal[3], bool terminal_is_dumb,
		    struct console_plan *ret_plan);

/*
 * Pure, after the above. 'colour' is the background that was asked for, or NULL;
 * 'colours_are_wanted' that the caller's output takes colours. There is no tint unless somebody
 * sits at the terminal.
 */
void console_decide_tint(const char *colour, const bool is_terminal[3], bool colours_are_wanted,
			 struct console_plan *plan);
