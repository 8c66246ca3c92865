/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of what a machine wrote on its console, kept in a file while it runs and for one run
 * more.
 *
 * While it runs the file is in the machine's runtime directory: in memory on most hosts, so that a
 * machine that floods its console wears no disk. When it has ended, the file goes to a directory of
 * logs on disk, one a name and a bounded number of them: who looks for the reason of an end looks
 * afterwards, perhaps after the host's own. What a killed supervisor left is taken there by
 * the next start.
 *
 * The file grows at its end and has a hole at its beginning, so that a position in it means the
 * same for ever and a reader needs no help of ours. Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct places;

/* The file in a machine's runtime directory. */
#define CONSOLE_LOG_FILE "log"

/* This much of it is read, counted from its end. */
#define CONSOLE_LOG_BYTES (256 * 1024)

struct console_log {
	int fd; /* -EBADF: nothing is kept */
	off_t end, hole_end;
};

#define CONSOLE_LOG_NONE ((struct console_log){.fd = -EBADF})

/* Makes the file in 'directory'. Warns where it cannot: the machine runs without. */
void console_log_open(const char *directory, struct console_log *ret);

/* Writes behind what is there. Whatever fails ends the log and nothing else. */
void console_log_write(struct console_log *log, const char *bytes, size_t length);

void console_log_close(struct console_log *log);

/*
 * Takes the file in 'directory', if there is one, to where logs of ended runs are, in the place of
 * the run before; those that are oldest go where there are too many. Silent: nobody's start or end
 * depends on it.
 */
void console_log_keep(const struct places *places, const char *directory, const char *machine);

/* Where that is, in the arena. */
const char *console_log_kept_path(struct arena *arena, const struct places *places,
				  const char *machine);
