/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs that put a process into a running machine.
 * Zone: owing.
 */
#pragma once

#include "run/join.h"

/* A machine that was found, and what its processes get. */
struct enter {
	struct arena arena;
	struct join_machine machine;
	const char *init; /* what kind of init was booted, or "unknown" */
};

#define ENTER_NONE ((struct enter){.machine = {.leader_fd = -EBADF}})

void enter_done(struct enter *enter);
#define auto_enter __attribute__((cleanup(enter_done)))

/* Complains itself. */
int enter_find(struct enter *enter, const char *name);

/* exec NAME COMMAND, shell [USER@]NAME [PROGRAM], login NAME: return the program's exit status. */
int control_exec(int argc, char **argv);
int control_shell(int argc, char **argv);
int control_login(int argc, char **argv);
