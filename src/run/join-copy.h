/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keeping our executable out of a machine that is joined.
 *
 * Between its clone and its exec the command's process is seen in the machine, and what a program
 * of the machine is may change after it was looked at (run/program.c): both ways lead root there to
 * /proc/PID/exe, and so to a descriptor of the file that the process was started from. That file
 * must not be the host's.
 * Zone: free.
 */
#pragma once

#include "run/join.h"

/*
 * Does nothing where no id of the machine could write to our file. Else sets 'takes_last_step' of
 * the request, or where that is not enough executes ourselves as 'nspawn' with the words of a verb,
 * from a sealed copy in memory. Returns 0, in the copy as well, or a negative errno after a
 * sentence.
 */
int join_hide(struct join_request *request, char **words);
