/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb without a name: asked, found, decided, made, owed, for one machine from its command line
 * to its end.
 * Zone: free, then owing.
 */
#pragma once

/* Returns the exit status of the program. */
int run_machine(int argc, char **argv);
