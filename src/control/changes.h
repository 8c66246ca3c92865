/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs for what a running throw-away machine changed.
 * Zone: free for diff and export; commit owes what it has not finished.
 */
#pragma once

int control_diff(int argc, char **argv);
int control_commit(int argc, char **argv);
int control_export(int argc, char **argv);
