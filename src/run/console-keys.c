/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recognises the hotkeys of the interactive console in the stream of typed bytes; pure, the time is
 * passed in.
 * Zone: any.
 */
#include "run/console-keys.h"

#include <stdbool.h>

#define ESCAPE_KEY 0x1d /* ^] */

static enum console_event meaning(unsigned char byte)
{
	switch (byte) {
	case ESCAPE_KEY:
		return CONSOLE_KILL;
	case 'r':
		return CONSOLE_REBOOT;
	case 'p':
		return CONSOLE_POWEROFF;
	default:
		break;
	}
	/*
	 * Only letters are taken for a mistyped hotkey; ^] ^] and a digit may well be meant for the
	 * guest.
	 */
	if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'))
		return CONSOLE_UNKNOWN_KEY;
	return CONSOLE_NOTHING;
}

enum console_event console_keys_feed(struct console_keys *keys, unsigned char byte,
				     uint64_t now_usec)
{
	bool is_third =
		keys->pending == 2 && now_usec - keys->typed_usec[0] <= CONSOLE_KEYS_WITHIN_USEC;

	if (is_third || byte != ESCAPE_KEY) {
		keys->pending = 0;
		return is_third ? meaning(byte) : CONSOLE_NOTHING;
	}
	/*
	 * The window slides: a third ^] that comes too late for the first may still be the second
	 * of the next two.
	 */
	if (keys->pending == 2)
		keys->typed_usec[0] = keys->typed_usec[--keys->pending];
	keys->typed_usec[keys->pending++] = now_usec;
	return CONSOLE_NOTHING;
}
