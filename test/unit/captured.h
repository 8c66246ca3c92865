/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For tests of what is said: collects the sentences of the log instead of printing them.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/log.h"

struct captured {
	size_t failures, warnings;
	char first[1024]; /* the first failure */
	char all[8192];   /* everything, a line each */
};

static inline void capture_sentence(const struct log_message *message, void *userdata)
{
	struct captured *captured = userdata;
	size_t used = strlen(captured->all);

	if (message->level == LOG_FAILURE && captured->failures++ == 0)
		(void)snprintf(captured->first, sizeof(captured->first), "%s", message->sentence);
	if (message->level == LOG_WARNING)
		captured->warnings++;
	(void)snprintf(captured->all + used, sizeof(captured->all) - used, "%s\n",
		       message->sentence);
}

static inline void capture_start(struct captured *captured)
{
	memset(captured, 0, sizeof(*captured));
	log_set_level(LOG_NOTE);
	log_set_sink(capture_sentence, captured);
}
