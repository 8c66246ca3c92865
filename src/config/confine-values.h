/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for what the payload may do: capabilities, system calls, families
 * of sockets (type and contract: setting_parser in settings.h). All add to what was said before.
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

extern const struct names family_names; /* AF_* */

/*
 * Adds to the set that the row names, a uint64_t with bit n for capability n. "all" sets all 64
 * bits, also those that no kernel knows yet.
 */
int set_capabilities(const struct asking *asking, const char *value);

/*
 * Adds words to the allowed or denied ones. Only their form is checked: whether they exist is
 * decided with the filter.
 */
int set_system_call_filter(const struct asking *asking, const char *value);

int set_address_families(const struct asking *asking, const char *value);
