/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn config: what a machine is started with, and why.
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

/*
 * Prints every effective setting of a machine with its origin: the default, a file's line, an
 * option. 'argv' is "config", perhaps the machine's name, then options as for a start. Returns the
 * program's exit status. Needs no rights but to read the files.
 */
int control_config(int argc, char **argv);

/* The value of a setting of which nobody says anything; NULL where it has none. */
const char *control_fallback(enum setting setting);
