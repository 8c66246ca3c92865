/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Long work that ends in good order when the user has enough of it.
 * Zone: any.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

struct interrupt {
	sigset_t before;
};

/* From here on SIGINT, SIGTERM and SIGHUP wait, unless they were ignored before. */
void interrupt_hold(struct interrupt *interrupt);

/* True if one of them has come, which is thereby heard. */
bool interrupt_came(void);

/* As it was before. */
void interrupt_release(struct interrupt *interrupt);
#define auto_interrupt __attribute__((cleanup(interrupt_release)))
