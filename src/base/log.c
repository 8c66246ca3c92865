/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats and prints what nspawn says; holds the only file-scope mutable state of the program.
 * Zone: any. Uses no heap and no locale, so that a confined child may still speak.
 */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Long enough for two paths; a longer sentence is cut, never split. */
#define SENTENCE_MAX 2048

static struct {
	enum log_level level;
	log_sink sink;
	void *userdata;
	const struct log_place *place;
	bool raw_terminal;
} state = {.level = LOG_NOTE};

void log_set_level(enum log_level level)
{
	state.level = level;
}

enum log_level log_get_level(void)
{
	return state.level;
}

void log_set_sink(log_sink sink, void *userdata)
{
	state.sink = sink;
	state.userdata = userdata;
}

void log_set_place(const struct log_place *place)
{
	state.place = place;
}

void log_set_raw_terminal(bool raw)
{
	state.raw_terminal = raw;
}

/*
 * Guests choose names, paths and texts; none of them may drive the user's terminal (ESC, CR, C1
 * controls).
 */
static void escape_controls(char *target, size_t size, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;

	for (const unsigned char *c = (const unsigned char *)text; *c && used + 5 < size; c++) {
		/* U+0080…U+009F come as C2 80…C2 9F and some terminals obey them. */
		bool is_c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f;

		if (*c >= 0x20 && *c != 0x7f && !is_c1) {
			target[used++] = (char)*c;
			continue;
		}
		if (is_c1)
			c++;
		target[used++] = '\\';
		target[used++] = 'x';
		target[used++] = hex[*c >> 4];
		target[used++] = hex[*c & 15];
	}
	target[used] = '\0';
}

void log_forward(enum log_level level, const char *sentence)
{
	char escaped[SENTENCE_MAX], line[SENTENCE_MAX + 16];
	int length;

	if (level > state.level)
		return;
	escape_controls(escaped, sizeof(escaped), sentence);
	length = snprintf(line, sizeof(line), "nspawn: %s%s\n", escaped,
			  state.raw_terminal ? "\r" : "");
	if (length > (int)sizeof(line) - 1)
		length = (int)sizeof(line) - 1;
	/* A lost message has nowhere else to go. */
	(void)!write(STDERR_FILENO, line, (size_t)length);
}

__attribute__((format(printf, 3, 0))) static void speak(enum log_level level, int error,
							const char *format, va_list arguments)
{
	char sentence[SENTENCE_MAX / 2];
	int saved = errno, length;

	/* A child's debug sentences must reach the sink too; the parent filters. */
	if (level > state.level)
		return;
	length = vsnprintf(sentence, sizeof(sentence), format, arguments);
	if (error < 0 && length >= 0 && (size_t)length < sizeof(sentence)) {
		/* strerrordesc_np() needs no locale, which a confined child may not open. */
		const char *text = strerrordesc_np(-error);

		(void)snprintf(sentence + length, sizeof(sentence) - (size_t)length, ": %s",
			       text ? text : "unknown error");
	}
	if (state.place && level == LOG_FAILURE) {
		const struct log_place *place = state.place;

		state.place = NULL;
		warn(0, "%s:%u: %s, ignoring it", place->file, place->line, sentence);
		state.place = place;
	} else if (state.sink)
		state.sink(level, error, sentence, state.userdata);
	else
		log_forward(level, sentence);
	errno = saved;
}

int fail(int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(LOG_FAILURE, r, format, arguments);
	va_end(arguments);
	return r;
}

int refuse(int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(LOG_FAILURE, 0, format, arguments);
	va_end(arguments);
	return r > 0 ? -r : r;
}

void hint(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!state.place)
		speak(LOG_FAILURE, 0, format, arguments);
	va_end(arguments);
}

void warn(int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(LOG_WARNING, r, format, arguments);
	va_end(arguments);
}

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(LOG_NOTE, 0, format, arguments);
	va_end(arguments);
}

void debug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(LOG_DEBUG, 0, format, arguments);
	va_end(arguments);
}
