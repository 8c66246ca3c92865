/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The five verbs in which nspawn speaks to its user, all on standard error.
 * Zone: any. In a doomed child the sink is the handshake, so that the parent prints everything.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

enum log_level {
	LOG_SILENT, /* nothing at all */
	LOG_FAILURE,
	LOG_WARNING,
	LOG_NOTE,
	LOG_DEBUG,
};

/*
 * Receives one finished sentence without newline, errno text appended; control characters are as
 * they came. 'error' is the negative errno of a failure, 0 for other levels.
 */
typedef void (*log_sink)(enum log_level level, int error, const char *sentence, void *userdata);

/* Shows messages up to 'level'; the default is LOG_NOTE. --quiet means LOG_WARNING. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Sends every message to 'sink' instead of standard error; NULL restores standard error. */
void log_set_sink(log_sink sink, void *userdata);

/* A line of somebody's file. */
struct log_place {
	const char *file;
	unsigned int line;
};

/*
 * While a place is set, failures are warnings that begin with it and end in ", ignoring it", and
 * hints are not shown. NULL ends that. The place is borrowed.
 */
void log_set_place(const struct log_place *place);

/*
 * While a terminal is in raw mode a line feed does not return the carriage; with true, lines end in
 * CR LF.
 */
void log_set_raw_terminal(bool raw);

/* Prints a sentence, of another process perhaps, with its control characters escaped. */
void log_forward(enum log_level level, const char *sentence);

/* The system failed us: the sentence, a colon and the text of errno -r. Returns r (negative). */
int fail(int r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * We decline what was asked: the sentence alone. Returns -r for positive r, so refuse(EINVAL, …) is
 * -EINVAL.
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
