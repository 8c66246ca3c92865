/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the console's life and its flow share; the rest of the program uses console.h alone.
 * Zone: owing, in the supervisor.
 */
#pragma once

#include "run/console.h"

#define MASTER_READ_BYTES 4096 /* one read(2) of a pty returns no more */
#define INPUT_BYTES 4096
#define OUTPUT_BYTES (4 * MASTER_READ_BYTES)

/* On the heap and not in struct console: pages that no byte passed through are never touched. */
struct console_buffers {
	char input[INPUT_BYTES];
	char output[OUTPUT_BYTES];
};

/* Gives up the streams, the pty and what is pending between them. */
void console_flow_end(struct console *console);
