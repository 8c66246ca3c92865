/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn limits: what a running machine may use, and what it uses.
 * Zone: free.
 */
#pragma once

/* The verb; returns the program's exit status. */
int control_limits(int argc, char **argv);
