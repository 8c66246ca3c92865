/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest wrote for a terminal of its own, made fit for somebody else's, who only wants to
 * read it: lines stay, control sequences (ECMA-48, 5.4 and 5.6) are left out, and what else could
 * drive a terminal is spelled out.
 * Zone: any.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* Zero-filled is the start. */
struct log_filter {
	enum {
		LOG_FILTER_TEXT,
		LOG_FILTER_ESCAPE,  /* after ESC */
		LOG_FILTER_CONTROL, /* in a control sequence, to its final byte */
		LOG_FILTER_STRING,  /* in a string, to BEL or ESC and a backslash */
		LOG_FILTER_STRING_ESCAPE,
	} state;
	char text[256]; /* of a line, not yet printed: characters have several bytes */
	size_t length;
};

/* Any part of what the guest wrote, cut anywhere. */
void log_filter_print(struct log_filter *filter, const char *bytes, size_t length, FILE *file);

/* What is left. */
void log_filter_end(struct log_filter *filter, FILE *file);
