/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the words of the command line to a checked configuration.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

struct config;

/*
 * Fills '*config', which must be zeroed or hold only an arena, from the defaults, the options, and
 * the environment; also sets the log level. What files say is for config_merge(), and rules between
 * settings for config_check(). Options end at '--' or the first word that is none. Returns 0; 1
 * when help, version or a list of values went to standard output and there is nothing more to do;
 * or a negative errno after exactly one refusal. The configuration keeps pointers into 'argv' and
 * the environment.
 */
int config_from_command_line(struct config *config, int argc, char **argv);

/*
 * For a command line that names no tree, when the current directory is refused as one: hints what
 * the first word was probably meant to be, a directory, a verb, --help or --version. Returns
 * whether it did.
 */
bool command_line_suggest(const struct config *config);
