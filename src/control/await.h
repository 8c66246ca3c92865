/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for what a machine was asked to do.
 * Zone: free.
 */
#pragma once

#include <stdint.h>

#include "control/machines.h"

enum await {
	AWAIT_END,
	AWAIT_REBOOT, /* it runs anew, or has ended */
	_AWAIT_COUNT,
};

/*
 * Waits until all machines have got there, all in all 'timeout_usec'; says what is waited for if it
 * takes long. Complains itself about each that has not: -ETIMEDOUT; -ECANCELED for one that
 * rebooted where its end was waited for.
 */
int await_machines(struct machines *machines, enum await what, uint64_t timeout_usec);
