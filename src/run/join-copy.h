/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Running from a copy of our executable that nobody can write to.
 *
 * Between its clone and its exec the command's process is seen in the machine, and what a program
 * of the machine is may change after it was looked at (run/program.c): both ways lead root there to
 * /proc/PID/exe, and so to a descriptor of the file that the process was started from. That file
 * must not be the host's.
 * Zone: free.
 */
#pragma once

#include <sys/types.h>

/*
 * Executes ourselves as 'nspawn' with the words of a verb, from a sealed copy in memory
 * (memfd_create(2), F_SEAL_WRITE in fcntl(2)), unless no id of the machine of process 'leader'
 * could write to the file anyway. Returns 0 in the copy or where none is needed, or a negative
 * errno after a sentence.
 */
int join_from_copy(pid_t leader, char **words);
