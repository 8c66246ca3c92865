/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs in which nspawn speaks to its user, all on standard error: as sentences, or for
 * programs as JSON.
 * Zone: any. In a doomed child the sink is the handshake, so that the parent prints everything.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_SILENT, /* nothing at all */
	LOG_FAILURE,
	LOG_WARNING,
	LOG_NOTE,
	LOG_DEBUG,
};

/* One finished sentence. */
struct log_message {
	enum log_level level;
	bool is_hint;         /* what to do about the failure before */
	int error;            /* negative errno whose text ends the sentence, or 0 */
	unsigned int failure; /* its number in base/failures.h, 0: none, or nobody wants to know */
	const char *sentence; /* without newline; control characters are as they came */

	/* The line of somebody's file with which the sentence begins: "FILE:LINE: ". */
	const char *file; /* NULL: none */
	unsigned int line;
	size_t place_length;
};

typedef void (*log_sink)(const struct log_message *message, void *userdata);

/* Shows messages up to 'level'; the default is LOG_NOTE. --quiet means LOG_WARNING. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Sends every message to 'sink' instead of standard error; NULL restores standard error. */
void log_set_sink(log_sink sink, void *userdata);

/*
 * With true, each message is one line of JSON, as in nspawn-errors(7). As a hint belongs to the
 * object of its failure, a failure is printed with the message after the hint, or by log_flush().
 */
void log_set_json(bool is_json);
bool log_is_json(void);

/* Prints what waits. Called at the end of the program. */
void log_flush(void);

/* A line of somebody's file. */
struct log_place {
	const char *file;
	unsigned int line;
};

/*
 * While a place is set, failures are warnings that begin with it and end in ", ignoring it", and
 * hints are not shown. NULL ends that. The place is borrowed. Who knows the place itself begins the
 * format with "%s:%u: ", and JSON has it in fields of its own as well.
 */
void log_set_place(const struct log_place *place);

/*
 * While a terminal is in raw mode a line feed does not return the carriage; with true, lines end in
 * CR LF.
 */
void log_set_raw_terminal(bool raw);

/*
 * Something else has begun a line on the terminal that messages go to and not ended it: with true,
 * the next message begins a line of its own.
 */
void log_set_line_is_open(bool is_open);

/* The first failure that was printed, as it came; "" if all went well. */
const char *log_first_failure(void);

/* Prints a sentence, of another process perhaps, fit for a terminal (base/escape.h). */
void log_forward(const struct log_message *message);

/*
 * The system failed us: the sentence, a colon and the text of errno -r. Returns r (negative). Each
 * format has a row in base/failures.c.
 */
int fail(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * We decline what was asked: the sentence alone. Returns -r for positive r, so refuse(EINVAL, …) is
 * -EINVAL. Each format has a row in base/failures.c.
 */
int refuse(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A second line after fail() or refuse(): what the user can do about it. */
void hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * We go on; the sentence ends with what happens instead. r is a negative errno, or 0 for no errno
 * text.
 */
void warn(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A fact the user should know; silenced by --quiet. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For developers; shown with SYSTEMD_LOG_LEVEL=debug. */
void debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
