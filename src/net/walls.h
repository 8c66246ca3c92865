/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the host's own rules may keep packets of machines back.
 * Zone: owing.
 */
#pragma once

#include <stdbool.h>

/* One note for each that may keep back those of 'link', with what to do. */
void walls_mention(const char *link);

/* True if any are there: then what is led on to a machine may be lost on the way. */
bool walls_are_there(void);
