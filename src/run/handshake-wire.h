/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The head of a message of the handshake, for who speaks it without a library, too.
 * Zone: doomed.
 */
#pragma once

#include <stdint.h>

/* A text follows, with its NUL. */
struct handshake_head {
	int32_t step;
	int32_t error;
	int32_t level;
	uint32_t passengers_mask; /* bit n: passenger n is among the descriptors, in order */
	uint32_t failure;         /* its number in base/failures.h, 0: none */
	uint32_t is_hint;
};
