/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leaves control sequences out, byte by byte.
 * Zone: any.
 */
#include "control/log-filter.h"

#include <string.h>

#include "base/escape.h"

#define ESC '\033'
#define BEL '\a'

/* The longest character: it stays in the buffer until it is complete. */
#define CHARACTER_BYTES_MAX 4

/* How many bytes at the end may be the beginning of a character. */
static size_t unfinished(const char *text, size_t length)
{
	for (size_t back = 1; back < CHARACTER_BYTES_MAX && back <= length; back++) {
		unsigned char byte = (unsigned char)text[length - back];
		size_t wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;

		if ((byte & 0xc0) != 0x80)
			return wanted > back ? back : 0;
	}
	return 0;
}

static void flush(struct log_filter *filter, size_t kept, FILE *file)
{
	size_t length = filter->length - kept;
	char character[ESCAPED_MAX], end = filter->text[length];
	const char *rest = filter->text;

	filter->text[length] = '\0';
	while (escape_next(&rest, character) > 0)
		(void)fputs(character, file);
	filter->text[length] = end;
	memmove(filter->text, filter->text + length, kept);
	filter->length = kept;
}

static void add(struct log_filter *filter, char byte, FILE *file)
{
	/* One byte is for the NUL. */
	if (filter->length == sizeof(filter->text) - 1)
		flush(filter, unfinished(filter->text, filter->length), file);
	filter->text[filter->length++] = byte;
}

static void take_text(struct log_filter *filter, char byte, FILE *file)
{
	if (byte == ESC) {
		filter->state = LOG_FILTER_ESCAPE;
	} else if (byte == '\n' || byte == '\t') {
		flush(filter, 0, file);
		(void)fputc(byte, file);
	} else if (byte == '\0') {
		flush(filter, 0, file);
		(void)fputs("\\x00", file);
	} else if (byte != '\r') { /* it comes with each line of a terminal */
		add(filter, byte, file);
	}
}

static void take_escape(struct log_filter *filter, char byte, FILE *file)
{
	filter->state = LOG_FILTER_TEXT;
	if (byte == '[') {
		filter->state = LOG_FILTER_CONTROL;
	} else if (byte && strchr("]PX^_", byte)) {
		filter->state = LOG_FILTER_STRING;
	} else {
		add(filter, ESC, file);
		take_text(filter, byte, file);
	}
}

/* A sequence that is none ends with the line at the latest: nothing more is hidden. */
static void take(struct log_filter *filter, char byte, FILE *file)
{
	switch (filter->state) {
	case LOG_FILTER_ESCAPE:
		take_escape(filter, byte, file);
		return;
	case LOG_FILTER_CONTROL:
		if (byte >= ' ' && byte < '@')
			return;
		filter->state = LOG_FILTER_TEXT;
		if (byte < '@')
			take_text(filter, byte, file);
		return;
	case LOG_FILTER_STRING:
	case LOG_FILTER_STRING_ESCAPE:
		if (byte == BEL || (filter->state == LOG_FILTER_STRING_ESCAPE && byte == '\\'))
			filter->state = LOG_FILTER_TEXT;
		else if (byte == '\n')
			filter->state = LOG_FILTER_TEXT;
		else
			filter->state = byte == ESC ? LOG_FILTER_STRING_ESCAPE : LOG_FILTER_STRING;
		if (byte == '\n')
			take_text(filter, byte, file);
		return;
	case LOG_FILTER_TEXT:
	default:
		take_text(filter, byte, file);
	}
}

void log_filter_print(struct log_filter *filter, const char *bytes, size_t length, FILE *file)
{
	for (size_t i = 0; i < length; i++)
		take(filter, bytes[i], file);
	flush(filter, unfinished(filter->text, filter->length), file);
}

void log_filter_end(struct log_filter *filter, FILE *file)
{
	flush(filter, 0, file);
}
