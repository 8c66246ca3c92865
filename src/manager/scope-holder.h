/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that does nothing but be in a scope: the scope exists before the payload is born into
 * it, and from one boot of the machine to the next.
 * Zone: owing.
 */
#pragma once

#include <sys/types.h>

struct scope_holder {
	pid_t pid;
	int pidfd; /* -EBADF: there is none */
};

#define SCOPE_HOLDER_NONE ((struct scope_holder){.pidfd = -EBADF})

/* It ends with us, however we end. Returns 0 or a negative errno. */
int scope_holder_start(struct scope_holder *ret);
void scope_holder_end(struct scope_holder *holder);
