/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is still running in a machine that is to stop.
 * Zone: owing.
 */
#pragma once

#include <stddef.h>

struct machine;

#define REMAINING_MAX 384

/*
 * Names of processes in the machine but for its first, escaped, some at most: "a, b and 3 more".
 * "its first process" if there is none beside it, or nobody counts them.
 */
void remaining_describe(const struct machine *machine, char ret[REMAINING_MAX]);
