/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The service manager as others are called by, and its jobs: what it was asked for and does later
 * (org.freedesktop.systemd1(5)).
 * Zone: any. Silent.
 */
#pragma once

#include "manager/bus.h"

#define SERVICE_MANAGER_NAME "org.freedesktop.systemd1"
#define SERVICE_MANAGER_PATH "/org/freedesktop/systemd1"
#define SERVICE_MANAGER_INTERFACE "org.freedesktop.systemd1.Manager"

/* For AddMatch, so that job_await() hears of ends. */
#define JOB_RULE \
	"type='signal',sender='" SERVICE_MANAGER_NAME "',path='" SERVICE_MANAGER_PATH \
	"',interface='" SERVICE_MANAGER_INTERFACE "',member='JobRemoved'"

/*
 * Waits for the end of the job with that object path, which must not lie in the bus's own memory.
 * *ret_result is "done" or how else it ended, readable until the next message. 0 or a negative
 * errno.
 */
int job_await(struct bus *bus, const char *job, const char **ret_result);
