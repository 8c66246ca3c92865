/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recognises the hotkeys of the interactive console in the stream of typed bytes; pure, the time is
 * passed in.
 * Zone: any.
 */
#pragma once

#include <stdint.h>

/* What the user asks for, weakest first. */
enum console_event {
	CONSOLE_NOTHING,
	CONSOLE_UNKNOWN_KEY, /* ^] ^] and a letter that means nothing */
	CONSOLE_REBOOT,      /* ^] ^] r */
	CONSOLE_POWEROFF,    /* ^] ^] p */
	CONSOLE_KILL,        /* ^] ^] ^] */
};

/* All three keys of a hotkey must come within this time. */
#define CONSOLE_KEYS_WITHIN_USEC 1000000U

/* Zero-filled is the start. */
struct console_keys {
	uint64_t typed_usec[2]; /* when the one or two pending ^] were typed */
	unsigned int pending;
};

/*
 * Takes one typed byte at the time 'now_usec' of any clock that never goes back, and returns the
 * hotkey that it completes, else CONSOLE_NOTHING. The caller forwards the byte in any case.
 */
enum console_event console_keys_feed(struct console_keys *keys, unsigned char byte,
				     uint64_t now_usec);
