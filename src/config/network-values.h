/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for the links of a machine (type and contract: setting_parser in
 * settings.h), and what may be a name of an interface.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"

/*
 * A list field: words HOSTIF[:NAME]. HOSTIF may be an alternative name, which can be longer, but
 * for a cable that is to be made.
 */
int set_links(const struct asking *asking, const char *value);
int set_veth_extra(const struct asking *asking, const char *value);

int set_network_veth_name(const struct asking *asking, const char *value);
int set_network_namespace(const struct asking *asking, const char *value);
int set_network_zone(const struct asking *asking, const char *value);

extern const struct names network_setup_names; /* enum network_setup */

/*
 * What the kernel, its /proc/sys and its tools take as the name of an interface: at most 'max'
 * characters of ASCII, not a number, no blank, slash, colon or percent sign, and not one of the
 * names that mean something else.
 */
bool is_link_name(const char *text, size_t max);

/* Six pairs of hexadecimal digits between colons, or dashes; of one station, and not all zero. */
int parse_mac(const char *text, uint8_t ret[6]);
