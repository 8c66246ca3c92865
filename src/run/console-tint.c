/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts a background colour below the guest's output.
 * Zone: any.
 */
#include "run/console-tint.h"

#include <stdio.h>
#include <string.h>

#define ESC 0x1b
#define BEL 0x07
#define CAN 0x18
#define SUB 0x1a

/* More than any parameter that means something here. */
#define PARAMETER_MAX 9999

/* Erasing fills with the background of the moment: also what comes below the text is tinted. */
#define ERASE_BELOW "\033[J"

size_t console_tint_again(const struct console_tint *tint, char *ret)
{
	return (size_t)snprintf(ret, TINT_SEQUENCE_MAX, "\033[%sm", tint->colour);
}

size_t console_tint_begin(const struct console_tint *tint, char *ret)
{
	return (size_t)snprintf(ret, TINT_SEQUENCE_MAX, "\033[%sm" ERASE_BELOW, tint->colour);
}

size_t console_tint_end(const struct console_tint *tint, bool is_cut, char *ret)
{
	/* Ends whatever the guest left open: CAN a sequence, ST a string where CAN does not. */
	const char *closing = is_cut || tint->state != TINT_TEXT ? "\030\033\\" : "";

	return (size_t)snprintf(ret, TINT_SEQUENCE_MAX, "%s\033[0m" ERASE_BELOW, closing);
}

static void begin_control(struct console_tint *tint)
{
	*tint = (struct console_tint){.colour = tint->colour, .state = TINT_CONTROL};
}

/* One parameter of "select graphic rendition" is complete. */
static void take_parameter(struct console_tint *tint)
{
	unsigned int value = tint->parameter;
	bool is_alone = !tint->has_subparameters;

	tint->parameter = 0;
	tint->has_subparameters = false;
	if (tint->components > 0) {
		if (--tint->components == 0 && tint->colours_background)
			tint->background = TINT_OF_GUEST;
	} else if (tint->expects_mode) {
		tint->expects_mode = false;
		tint->components = value == 2 ? 3 : value == 5 ? 1 : 0;
	} else if (!is_alone) { /* as in 4:3 or 48:5:17, all in one */
		if (value == 48)
			tint->background = TINT_OF_GUEST;
	} else if (value == 38 || value == 48 || value == 58) {
		tint->expects_mode = true;
		tint->colours_background = value == 48;
	} else if (value == 0 || value == 49) {
		tint->background = TINT_DEFAULT;
	} else if ((value >= 40 && value <= 47) || (value >= 100 && value <= 107)) {
		tint->background = TINT_OF_GUEST;
	}
}

static void add_digit(struct console_tint *tint, unsigned char digit)
{
	if (tint->has_subparameters)
		return;
	tint->parameter = tint->parameter * 10 + (unsigned int)(digit - '0');
	if (tint->parameter > PARAMETER_MAX)
		tint->parameter = PARAMETER_MAX;
}

static size_t end_control(struct console_tint *tint, unsigned char final, char *ret)
{
	tint->state = TINT_TEXT;
	if (final == 'm' && tint->marker == '\0') {
		take_parameter(tint);
		return tint->background == TINT_DEFAULT ? console_tint_again(tint, ret) : 0;
	}
	/* A soft reset (DECSTR), and a change of the level (DECSCL), which resets as well. */
	if (final == 'p' && (tint->marker == '!' || tint->marker == '"'))
		return console_tint_again(tint, ret);
	return 0;
}

static size_t in_control(struct console_tint *tint, unsigned char byte, char *ret)
{
	if (byte < ' ' || byte == 0x7f)
		return 0; /* carried out in the middle of the sequence */
	if (byte >= 0x80) {
		tint->state = TINT_TEXT;
		return 0;
	}
	if (byte >= '@')
		return end_control(tint, byte, ret);
	if (byte >= '0' && byte <= '9')
		add_digit(tint, byte);
	else if (byte == ';')
		take_parameter(tint);
	else if (byte == ':')
		tint->has_subparameters = true;
	else
		tint->marker = (char)byte;
	return 0;
}

static size_t in_escape(struct console_tint *tint, unsigned char byte, char *ret)
{
	if (byte < ' ' || byte == 0x7f)
		return 0;
	/* Behind an intermediate byte comes one more, which by itself is nothing but text. */
	tint->state = TINT_TEXT;
	switch (byte) {
	case '[':
		begin_control(tint);
		return 0;
	case ']':
		tint->state = TINT_STRING_BEGIN;
		tint->bell_ends = true;
		return 0;
	case 'P':
	case 'X':
	case '^':
	case '_':
		tint->state = TINT_STRING;
		tint->bell_ends = false;
		return 0;
	case 'c': /* a full reset (RIS), which also clears the screen */
		return console_tint_begin(tint, ret);
	default:
		return 0;
	}
}

/*
 * Only what ends a string everywhere ends it here: strings for a multiplexer hold whole sequences,
 * with each ESC doubled, and those are not ours to add to.
 */
static void in_string(struct console_tint *tint, unsigned char byte)
{
	bool is_escaped = tint->state == TINT_STRING_ESCAPE;

	tint->state = TINT_STRING;
	if (byte == CAN || byte == SUB || (byte == BEL && tint->bell_ends) ||
	    (byte == '\\' && is_escaped))
		tint->state = TINT_TEXT;
	else if (byte == ESC && !is_escaped)
		tint->state = TINT_STRING_ESCAPE;
}

/*
 * The Linux console sets and resets its palette by strings without an end (console_codes(4)); what
 * follows the letter may pass for text.
 */
static void begin_string(struct console_tint *tint, unsigned char byte)
{
	tint->state = TINT_STRING;
	if (byte == 'P' || byte == 'R')
		tint->state = TINT_TEXT;
	else
		in_string(tint, byte);
}

/* One byte; returns how much is inserted behind it. */
static size_t step(struct console_tint *tint, unsigned char byte, char *ret)
{
	bool is_abort = byte == CAN || byte == SUB;

	switch (tint->state) {
	case TINT_STRING_BEGIN:
		begin_string(tint, byte);
		return 0;
	case TINT_STRING:
	case TINT_STRING_ESCAPE:
		in_string(tint, byte);
		return 0;
	case TINT_TEXT:
	case TINT_ESCAPE:
	case TINT_CONTROL:
		break;
	}
	if (byte == ESC || is_abort) {
		tint->state = is_abort ? TINT_TEXT : TINT_ESCAPE;
		return 0;
	}
	if (tint->state == TINT_CONTROL)
		return in_control(tint, byte, ret);
	if (tint->state == TINT_ESCAPE)
		return in_escape(tint, byte, ret);
	return 0;
}

size_t console_tint_feed(struct console_tint *tint, const char *bytes, size_t length, char *ret)
{
	const char *end = bytes + length;
	char *next = ret;

	while (bytes < end) {
		if (tint->state == TINT_TEXT && *bytes != ESC) {
			const char *escape = memchr(bytes, ESC, (size_t)(end - bytes));
			size_t plain = (size_t)((escape ? escape : end) - bytes);

			memcpy(next, bytes, plain);
			next += plain;
			bytes += plain;
			continue;
		}
		*next++ = *bytes;
		next += step(tint, (unsigned char)*bytes++, next);
	}
	return (size_t)(next - ret);
}
