/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What --device= takes: short names of well-known devices, and paths.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "config/settings.h"

/* A device, or a directory of them, that has a name of its own. */
struct device_kind {
	const char *paths[2]; /* on the host; the second may be NULL */
	const char
		*block_glob; /* block devices of which there may be more later: "loop", or NULL */
	unsigned int access; /* unless something else is asked for */
	bool may_be_opened;  /* opening it has no effect, so that we can see whether it works */
	const char *advice;  /* what to do where the host has none */
};

/* By the values of 'device_names'. */
extern const struct device_kind device_kinds[];
extern const struct names device_names;

/* "r", "w" and "m", each at most once; 0 for anything else. */
unsigned int device_access_from_text(const char *text);

/* "read and write", for 'access' of at least one bit. */
const char *device_access_words(unsigned int access);

int set_device(const struct asking *asking, const char *value);
