/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats and prints what nspawn says; holds the only file-scope mutable state of the program.
 * Zone: any. Uses no heap and no locale, so that a confined child may still speak and whoever is
 * short of memory as well: that is why no library writes the JSON here.
 */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/colours.h"
#include "base/escape.h"
#include "base/failures.h"
#include "base/numbers.h"

/* Long enough for two paths; a longer sentence is cut, never split. */
#define SENTENCE_MAX 1024
#define LINE_MAX_BYTES 8192
/* What ends an object, with a quote and the end of the line. */
#define OBJECT_END_MAX 8

/* An object without its end. */
struct json_line {
	char bytes[LINE_MAX_BYTES];
	size_t used; /* 0: there is none */
	bool has_hint;
};

enum colours {
	COLOURS_UNKNOWN, /* asked for at the first message: most starts have none */
	COLOURS_OFF,
	COLOURS_ON,
};

static struct {
	enum log_level level;
	log_sink sink;
	void *userdata;
	const struct log_place *place;
	bool raw_terminal;
	bool line_is_open;
	bool is_json;
	enum colours colours;
} state = {.level = LOG_NOTE};

/* A failure that waits for its hints. On its own, so that no start has to load it. */
static struct json_line waiting;

/* Likewise: of failures the first is the cause of the others. */
static char first_failure[SENTENCE_MAX];

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

void log_set_line_is_open(bool is_open)
{
	state.line_is_open = is_open;
}

/* --- JSON --- */

/* Adds what never needs to be escaped. */
static void json_add(struct json_line *line, const char *text)
{
	size_t length = strlen(text);

	if (line->used + length + OBJECT_END_MAX > sizeof(line->bytes))
		return;
	memcpy(line->bytes + line->used, text, length);
	line->used += length;
}

/* What a person would see, so that a program may show it as it is (RFC 8259). */
static void json_add_text(struct json_line *line, const char *text)
{
	char piece[ESCAPED_MAX];

	while (escape_next(&text, piece) > 0) {
		if (line->used + 2 * strlen(piece) + OBJECT_END_MAX > sizeof(line->bytes))
			return;
		for (const char *c = piece; *c; c++) {
			if (*c == '"' || *c == '\\')
				line->bytes[line->used++] = '\\';
			line->bytes[line->used++] = *c;
		}
	}
}

/* A member. Room for what is around the value is looked for before: all of it is there or none. */
static void json_add_member(struct json_line *line, const char *name, const char *value)
{
	if (line->used + strlen(name) + 2 * OBJECT_END_MAX > sizeof(line->bytes))
		return;
	json_add(line, line->used == 0 ? "{\"" : ",\"");
	json_add(line, name);
	json_add(line, "\":\"");
	json_add_text(line, value);
	line->bytes[line->used++] = '"';
}

static void json_print(struct json_line *line)
{
	if (line->used == 0)
		return;
	memcpy(line->bytes + line->used, "}\r\n", 3);
	if (!state.raw_terminal)
		line->bytes[line->used + 1] = '\n';
	(void)!write(STDERR_FILENO, line->bytes, line->used + (state.raw_terminal ? 3 : 2));
	line->used = 0;
	line->has_hint = false;
}

/* Several hints are one text: a name that comes twice would hide the first. */
static void json_add_hint(struct json_line *line, const char *text)
{
	if (!line->has_hint) {
		json_add_member(line, "hint", text);
		line->has_hint = true;
		return;
	}
	line->used--; /* the quote */
	json_add(line, "; ");
	json_add_text(line, text);
	line->bytes[line->used++] = '"';
}

static const char *errno_name(int error)
{
	const char *name = strerrorname_np(-error);

	return name ? name : "unknown";
}

static void json_say(const struct log_message *message)
{
	static const char *const levels[] = {
		[LOG_SILENT] = "",   [LOG_FAILURE] = "error", [LOG_WARNING] = "warning",
		[LOG_NOTE] = "note", [LOG_DEBUG] = "debug",
	};
	const char *identifier = failure_identifier(message->failure);
	struct json_line *line = &waiting;
	char number[24];

	if (message->is_hint && line->used > 0) {
		json_add_hint(line, message->sentence);
		return;
	}
	json_print(line);
	json_add_member(line, "level", levels[message->is_hint ? LOG_NOTE : message->level]);
	if (identifier)
		json_add_member(line, "id", identifier);
	json_add_member(line, "message", message->sentence + message->place_length);
	if (message->error < 0)
		json_add_member(line, "errno", errno_name(message->error));
	if (message->file) {
		json_add_member(line, "file", message->file);
		(void)snprintf(number, sizeof(number), ",\"line\":%u", message->line);
		json_add(line, number);
	}
	if (message->level != LOG_FAILURE)
		json_print(line);
}

void log_set_json(bool is_json)
{
	log_flush();
	state.is_json = is_json;
}

bool log_is_json(void)
{
	return state.is_json;
}

void log_flush(void)
{
	json_print(&waiting);
}

/* --- Text --- */

static bool has_colours(void)
{
	if (state.colours == COLOURS_UNKNOWN) {
		const char *value = getenv("SYSTEMD_LOG_COLOR");
		bool is_wanted = true;

		if (value && parse_bool(value, &is_wanted) < 0)
			is_wanted = true;
		state.colours =
			is_wanted && colours_are_wanted(STDERR_FILENO) ? COLOURS_ON : COLOURS_OFF;
	}
	return state.colours == COLOURS_ON;
}

/* The colour is that of the name: what follows may be read, copied and looked for as it is. */
static const char *prefix_of(const struct log_message *message)
{
	if (message->is_hint || message->level > LOG_WARNING || !has_colours())
		return "nspawn:";
	return message->level == LOG_WARNING ? "\033[1;33mnspawn:\033[0m"
					     : "\033[1;31mnspawn:\033[0m";
}

static void text_say(const struct log_message *message)
{
	/* Each byte becomes four at most; the prefix and the end of the line need some, too. */
	char line[4 * SENTENCE_MAX + 64];
	const char *rest = message->sentence;
	char *end = stpcpy(line, !state.line_is_open ? "" : state.raw_terminal ? "\r\n" : "\n");

	state.line_is_open = false;
	end = stpcpy(stpcpy(end, prefix_of(message)), " ");
	while (end - line < 4 * SENTENCE_MAX && escape_next(&rest, end) > 0)
		end += strlen(end);
	end = stpcpy(end, state.raw_terminal ? "\r\n" : "\n");
	/* A lost message has nowhere else to go. */
	(void)!write(STDERR_FILENO, line, (size_t)(end - line));
}

/* --- Both --- */

const char *log_first_failure(void)
{
	return first_failure;
}

void log_forward(const struct log_message *message)
{
	if (message->level == LOG_FAILURE && !message->is_hint && !*first_failure)
		(void)snprintf(first_failure, sizeof(first_failure), "%s", message->sentence);
	if (message->level <= LOG_SILENT || message->level > state.level ||
	    message->level > LOG_DEBUG)
		return;
	if (state.is_json)
		json_say(message);
	else
		text_say(message);
}

/* A failure in a line of a file is no failure of ours. */
static void find_place(struct log_message *message, const char *format, va_list arguments)
{
	if (state.place && message->level == LOG_FAILURE) {
		message->level = LOG_WARNING;
		message->file = state.place->file;
		message->line = state.place->line;
	} else if (strncmp(format, "%s:%u: ", 7) == 0) {
		message->file = va_arg(arguments, const char *);
		message->line = va_arg(arguments, unsigned int);
	}
}

/* A sentence while it grows. */
struct sentence {
	char text[SENTENCE_MAX];
	size_t used;
};

__attribute__((format(printf, 2, 0))) static void
sentence_add_list(struct sentence *sentence, const char *format, va_list arguments)
{
	size_t room = sizeof(sentence->text) - sentence->used;
	int length = vsnprintf(sentence->text + sentence->used, room, format, arguments);

	if (length > 0)
		sentence->used += (size_t)length < room ? (size_t)length : room - 1;
}

__attribute__((format(printf, 2, 3))) static void sentence_add(struct sentence *sentence,
							       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	sentence_add_list(sentence, format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 2, 0))) static void speak(struct log_message message,
							const char *format, va_list arguments)
{
	bool is_ignored = state.place && message.level == LOG_FAILURE;
	struct sentence sentence = {.used = 0};
	int saved = errno;
	va_list copy;

	va_copy(copy, arguments);
	find_place(&message, format, copy);
	va_end(copy);
	/* A child's debug sentences must reach the sink too; the parent filters. */
	if (message.level > state.level)
		return;
	if (message.file)
		sentence_add(&sentence, "%s:%u: ", message.file, message.line);
	message.place_length = sentence.used;
	if (message.file && !is_ignored)
		sentence.used = 0; /* the format says it again */
	sentence_add_list(&sentence, format, arguments);
	if (message.error < 0) {
		/* strerrordesc_np() needs no locale, which a confined child may not open. */
		const char *text = strerrordesc_np(-message.error);

		sentence_add(&sentence, ": %s", text ? text : "unknown error");
	}
	if (is_ignored)
		sentence_add(&sentence, ", ignoring it");
	message.sentence = sentence.text;
	if (state.sink)
		state.sink(&message, state.userdata);
	else
		log_forward(&message);
	errno = saved;
}

static struct log_message failure(int error, const char *format)
{
	return (struct log_message){
		.level = LOG_FAILURE,
		.error = error,
		.failure = state.is_json ? failure_find(format) : 0,
	};
}

int fail(int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(failure(r, format), format, arguments);
	va_end(arguments);
	return r;
}

int refuse(int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak(failure(0, format), format, arguments);
	va_end(arguments);
	return r > 0 ? -r : r;
}

void hint(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!state.place)
		speak((struct log_message){.level = LOG_FAILURE, .is_hint = true}, format,
		      arguments);
	va_end(arguments);
}

void warn(int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak((struct log_message){.level = LOG_WARNING, .error = r}, format, arguments);
	va_end(arguments);
}

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak((struct log_message){.level = LOG_NOTE}, format, arguments);
	va_end(arguments);
}

void debug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	speak((struct log_message){.level = LOG_DEBUG}, format, arguments);
	va_end(arguments);
}
