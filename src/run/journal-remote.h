/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The receiver of a forwarded journal (--forward-journal=): systemd-journal-remote(8) at a socket
 * of ours, one process for each boot of the machine.
 * Zone: owing.
 */
#pragma once

#include <sys/types.h>

#include "base/undo.h"
#include "config/config.h"

struct arena;

struct places;

struct journal_remote {
	const char *machine;
	const char *parent;    /* the places' journals */
	const char *directory; /* MACHINE in it */
	const char *socket;    /* in that */
	pid_t pid;
	int pidfd;   /* readable when it has ended; -EBADF: there is none */
	int said_fd; /* what it said on its standard error */
};

/* The path of the socket for a machine, in the arena. */
const char *journal_remote_socket(struct arena *arena, const struct places *places,
				  const char *machine);

/*
 * Makes the socket and starts the receiver, which ends with us. Does nothing without
 * config->forward_journal. What a killed supervisor left behind is taken away first, which the
 * machine's name lock makes safe. Messages are printed on failure.
 */
int journal_remote_start(struct arena *arena, const struct config *config,
			 const struct places *places, const char *machine,
			 struct journal_remote *ret, struct undo *undo);

/*
 * Takes away what a killed supervisor of the machine left, for who has the machine's name lock.
 * Returns 1 if there was something, 0 if not, or a negative errno after one sentence.
 */
int journal_remote_clean(struct arena *arena, const struct places *places, const char *machine);

/* It ended too early: warns, and there is none any more. */
void journal_remote_lost(struct journal_remote *remote);
