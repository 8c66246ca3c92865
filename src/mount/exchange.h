/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two directories through which the host and a booted machine reach each other: what is mounted in
 * 'incoming' on the host appears inside (machinectl bind), and sockets made in 'unix-export' inside
 * appear on the host (ssh).
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/undo.h"

struct arena;
struct places;

struct exchange {
	const char *incoming; /* absolute paths on the host */
	const char *export;
};

/* The paths for a machine, in the arena. False, and NULLs, where the places have none. */
bool exchange_name(struct arena *arena, const struct places *places, const char *machine,
		   struct exchange *ret);

/*
 * Makes both and pushes their removal; a mount that a killed supervisor left behind is taken away
 * first, which the machine's name lock makes safe. Returns 0, or a negative errno after a warning:
 * the machine can do without. 'owner' is the payload's root on the host.
 */
int exchange_make(struct exchange *exchange, uint32_t owner, struct undo *undo);

/*
 * Removes what a killed supervisor left of both, as the machine's name lock makes safe, and notes
 * what that was. Returns how much was there, or a negative errno after a failure was told.
 */
int exchange_clean(const struct exchange *exchange);
