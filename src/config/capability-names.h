/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of capabilities; numbers and names are those of capabilities(7).
 * Zone: any.
 */
#pragma once

#include "base/names.h"

/* All this program knows, in order of number: item n is capability n. */
extern const struct names capability_names;

/* "CAP_CHOWN" for 0 and so on; NULL past the last one this program knows. */
const char *capability_name(unsigned int number);

/*
 * Any case, with or without "CAP_", or a strict decimal number up to 63. Returns the number or
 * -EINVAL.
 */
int capability_from_text(const char *text);
