/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process of run/journal-remote.h, from its program on disk to the exec.
 * Zone: owing; doomed between clone and exec.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"

struct journal_receiver {
	const struct config *config;
	const char *machine;
	const char *program; /* filled by journal_receiver_find() */
	const char *output;
	bool output_is_file;
	char directory[PATH_MAX]; /* of the output: the only place it can write to */
	int listen_fd;
	int said_fd; /* becomes its standard error */
};

/* What systemd-journal-remote(8) takes as the name of a journal file. */
bool journal_output_is_file(const char *path);

/* The number in "systemd 252 (252.39-1)", or -EINVAL. */
int journal_version_parse(const char *text);

/*
 * Looks for the program, and whether it can what is asked of it. Messages are printed on failure.
 */
int journal_receiver_find(struct journal_receiver *receiver);

/* Clones and executes it. *ret_pidfd is the caller's. Messages are printed on failure. */
int journal_receiver_run(const struct journal_receiver *receiver, pid_t *ret_pid, int *ret_pidfd);
