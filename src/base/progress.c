/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shows how far long work is.
 * Zone: any.
 */
#include "base/clock.h"
#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"

/* Work that is over sooner is not worth a line; nobody reads more than a few numbers a second. */
#define FIRST_USEC 1000000
#define INTERVAL_USEC 200000

#define ERASE_LINE "\r\033[K"

void progress_start(struct progress *progress)
{
	*progress = (struct progress){
		.is_possible =
			log_get_level() >= LOG_NOTE && !log_is_json() && isatty(STDERR_FILENO) == 1,
		.next_usec = clock_now_usec() + FIRST_USEC,
	};
}

bool progress_is_due(struct progress *progress)
{
	uint64_t now;

	if (!progress->is_possible)
		return false;
	now = clock_now_usec();
	if (now < progress->next_usec)
		return false;
	progress->next_usec = now + INTERVAL_USEC;
	return true;
}

/* A longer line would leave its first part behind when it is taken away. */
static size_t columns(void)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return 79;
	return size.ws_col - 1u;
}

void progress_show(struct progress *progress, const char *format, ...)
{
	char text[512], line[1024] = ERASE_LINE, piece[ESCAPED_MAX];
	size_t used = strlen(line), width, room = columns();
	const char *rest = text;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	while ((width = escape_next(&rest, piece)) > 0 && width <= room &&
	       used + strlen(piece) < sizeof(line)) {
		memcpy(line + used, piece, strlen(piece));
		used += strlen(piece);
		room -= width;
	}
	(void)!write(STDERR_FILENO, line, used);
	progress->is_shown = true;
	log_set_line_is_open(true);
}

void progress_end(struct progress *progress)
{
	if (!progress->is_shown)
		return;
	(void)!write(STDERR_FILENO, ERASE_LINE, strlen(ERASE_LINE));
	log_set_line_is_open(false);
	*progress = (struct progress){0};
}
