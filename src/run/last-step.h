/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program of the last step (run/last-step.c) is to do: it is written into its image.
 * Zone: doomed.
 */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

#define LAST_STEP_MARK "nspawn last step"

/* Where it failed, in a handshake_fault. */
enum last_step_fault {
	LAST_STEP_CLONE,
	LAST_STEP_SESSION,
	LAST_STEP_TERMINAL,
	LAST_STEP_TIE,
	LAST_STEP_FILTER,
	LAST_STEP_EXECUTE,
};

/* What is long comes last, as memory that nobody writes to is not there. */
struct last_step {
	char mark[sizeof(LAST_STEP_MARK)];
	int32_t step_joined, step_failed; /* of the handshake */
	int32_t handshake_fd;
	int32_t master_fd;   /* for the client, or -1 */
	int32_t terminal;    /* the stream that becomes the controlling terminal, or -1 */
	uint32_t mask_alone; /* passengers, without the terminal and with it */
	uint32_t mask_master;
	uint32_t filter_length;
	uint32_t told_bytes; /* of the path, when it cannot be executed */
	char path[4096];
	struct sock_filter filter[BPF_MAXINSNS];
};
