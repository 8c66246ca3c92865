/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs for what a supervisor does and leaves behind: its console, its log, its end, its ruins.
 * Zone: free; owing for clean.
 */
#pragma once

int control_console(int argc, char **argv);
int control_wait(int argc, char **argv);
int control_logs(int argc, char **argv);
int control_clean(int argc, char **argv);
