/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Now, for deadlines and pauses: on CLOCK_MONOTONIC, which nobody sets and which stands still while
 * the host sleeps (clock_gettime(2)). It cannot fail.
 * Zone: any.
 */
#pragma once

#include <stdint.h>

/* No time that will come. */
#define CLOCK_NEVER UINT64_MAX

uint64_t clock_now_usec(void);
int64_t clock_now_msec(void);
