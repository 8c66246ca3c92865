/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether whoever reads a descriptor wants colours.
 * Zone: any.
 */
#pragma once

#include <stdbool.h>

/*
 * $SYSTEMD_COLORS decides: a truth value, or "16", "256" or "24bit" for yes, and these with "auto-"
 * before them for "if it is a terminal". Where it says nothing that we know, colours go to a
 * terminal that is not dumb, unless $NO_COLOR is set to anything (https://no-color.org).
 */
bool colours_are_wanted(int fd);
