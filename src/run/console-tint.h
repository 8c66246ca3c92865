/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A background colour below what the guest shows. The guest's own colours count; where it goes back
 * to the terminal's default background, the tint is put there instead, by control sequences
 * inserted behind its own (ECMA-48; XTerm Control Sequences, "ctlseqs"). Its bytes are never
 * changed, and nothing is inserted inside a sequence, however it is cut into reads. Pure.
 * Zone: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum tint_state {
	TINT_TEXT,          /* between sequences */
	TINT_ESCAPE,        /* behind ESC */
	TINT_CONTROL,       /* behind ESC [ */
	TINT_STRING_BEGIN,  /* behind ESC ] */
	TINT_STRING,        /* in a text for the terminal, like a title */
	TINT_STRING_ESCAPE, /* behind ESC in one */
};

enum tint_background {
	TINT_AS_BEFORE,
	TINT_OF_GUEST,
	TINT_DEFAULT, /* ours is due */
};

/* Zero-filled with a colour is the start. */
struct console_tint {
	const char *colour; /* "44", "48;2;0;0;80"; NULL: no tint */
	enum tint_state state;
	bool bell_ends; /* in a string */

	/* Of the control sequence that is being read. */
	char marker;            /* its last byte that is no parameter, or 0 */
	unsigned int parameter; /* the one being read */
	bool has_subparameters;
	/* 38, 48 and 58 are followed by a mode, and that by components, which mean nothing else. */
	bool expects_mode, colours_background;
	unsigned int components;
	enum tint_background background;
};

/* The longest thing that is inserted or put at the beginning or the end. */
#define TINT_SEQUENCE_MAX 24

/* How many bytes of the guest may be fed so that the result fits into 'room', which is enough. */
static inline size_t console_tint_input_max(size_t room)
{
	/* The shortest sequence that calls for a tint has two bytes. */
	return room <= TINT_SEQUENCE_MAX ? 0
					 : (room - TINT_SEQUENCE_MAX) / (1 + TINT_SEQUENCE_MAX / 2);
}

/* All write to 'ret' and return how many bytes that were. */

/* The tint, from the cursor to the end of the screen; TINT_SEQUENCE_MAX bytes. */
size_t console_tint_begin(const struct console_tint *tint, char *ret);

/* The tint after somebody else wrote to the terminal; TINT_SEQUENCE_MAX bytes. */
size_t console_tint_again(const struct console_tint *tint, char *ret);

/* Copies 'length' bytes of the guest with what is to be inserted. */
size_t console_tint_feed(struct console_tint *tint, const char *bytes, size_t length, char *ret);

/*
 * The terminal's own background again, from the cursor to the end of the screen; TINT_SEQUENCE_MAX
 * bytes. 'is_cut' if not all was shown that came out of console_tint_feed().
 */
size_t console_tint_end(const struct console_tint *tint, bool is_cut, char *ret);
