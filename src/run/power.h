/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How each kind of init is asked to power off or to reboot from outside.
 * Zone: owing.
 */
#pragma once

#include <stddef.h>

#include "image/os-tree.h"

enum power_request {
	POWER_OFF,
	POWER_REBOOT,
	_POWER_REQUEST_COUNT,
};

/*
 * Asks the init behind 'pidfd'. 'guest_root_fd' is an O_PATH descriptor of its root as it sees it
 * (/proc/PID/root); it may be -EBADF for kinds that are asked by signal alone. Never waits longer
 * than a second, whatever the guest has mounted where its files should be. Returns 0 if it was
 * asked, 1 if this kind has no protocol we know (the caller kills instead), or a negative errno:
 * -ENXIO nobody listens, -ETIMEDOUT, -ESRCH. Says nothing itself.
 */
int power_ask(enum init_kind kind, enum power_request request, int pidfd, int guest_root_fd);

/* The message of telinit(8) to sysvinit, 384 bytes in host byte order (initctl(5)). */
#define POWER_RECORD_BYTES 384
void power_sysvinit_record(enum power_request request,
			   unsigned char ret_record[POWER_RECORD_BYTES]);

/* The signal sent to this kind for 'request', 0 if none. For tests and debugging output. */
int power_signal(enum init_kind kind, enum power_request request);
