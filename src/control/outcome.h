/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --json of verbs that do something and have nothing to show.
 * Zone: free.
 */
#pragma once

/*
 * Takes --json and --json=FORM that stand before "--" out of the words, runs 'verb' with the
 * rest, and prints what came of it if that was asked for: {"verb", "done", "error"}, the
 * last the first sentence that was said, or null. 'argv[0]' is the verb itself. Returns the
 * program's exit status.
 */
int outcome_run(int (*verb)(int argc, char **argv), int argc, char **argv);
