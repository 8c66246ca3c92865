/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the clock.
 * Zone: any.
 */
#include "base/clock.h"

#include <time.h>

uint64_t clock_now_usec(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t clock_now_msec(void)
{
	return (int64_t)(clock_now_usec() / 1000);
}
