/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watching over a running payload: one poll loop, and a table of what each event means in each
 * state.
 * Zone: owing.
 */
#pragma once

#include "run/launch.h"

enum outcome {
	OUTCOME_EXITED,    /* with 'status' */
	OUTCOME_POWER_OFF, /* the payload halted or powered itself off */
	OUTCOME_REBOOT,    /* the payload rebooted */
	OUTCOME_KILLED,    /* by us, because we were told to stop */
	OUTCOME_SIGNALLED, /* it died of the signal 'status' */
	OUTCOME_FAILED,    /* it could not be started; said already */
};

/* "exited", "powered-off" … for who waits for the end. */
const char *outcome_word(enum outcome outcome);

struct ending {
	enum outcome outcome;
	int status;
	unsigned long long memory_kills; /* processes that the kernel ended for want of memory */
};

/*
 * The signals that supervise() reads; blocks them. Call before the clone. Returns a signalfd or a
 * negative errno.
 */
int supervise_block_signals(void);

/*
 * A signalfd for those of them that tell us to stop, not to be read: supervise() shall hear of
 * them. Or a negative errno.
 */
int supervise_watch_stop(void);

/*
 * Waits until the payload is gone; it is reaped then. Returns 0, or a negative errno after one
 * sentence.
 */
int supervise(struct machine *machine, int signal_fd, struct ending *ret);
