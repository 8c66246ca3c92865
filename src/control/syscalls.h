/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn syscalls: which way a system call of a machine goes, and why.
 * Zone: free.
 */
#pragma once

/*
 * 'argv' is "syscalls", perhaps --json, options as for a start, then names of calls, @groups or
 * numbers; none: all calls. Returns the program's exit status: failure also if a name is unknown.
 * Looks at no tree and no settings file.
 */
int control_syscalls(int argc, char **argv);
