/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nspawn tells about itself on standard output, generated from the settings table.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "config/settings.h"

struct names;

/* True for the name of the program whose command lines we also take: then there are no verbs. */
bool help_is_reference(const char *program);

/* True for what a user can have now, if only by its key: not for what is refused as not available.
 */
bool setting_is_available(enum setting setting);

/* True for what --help, the manual and completion show. */
bool setting_is_shown(enum setting setting);

/* "--bind=PATH", "-D PATH", "--user[=NAME]": an option with its value, as the documents write it.
 */
#define HELP_OPTION_MAX 96
const char *help_long_option(enum setting setting, char buffer[HELP_OPTION_MAX]);

/* The whole help text without escape sequences. It fits 80 columns and shows what is available. */
void help_print(FILE *file, const char *program);

/*
 * The version's first line. Called as systemd-nspawn it begins as that one's does, since callers
 * take the second word for a number to compare features by.
 */
void version_print(FILE *file, const char *program);

/* The lines that follow it: what is built in, and the defaults that other releases may not share.
 */
void features_print(FILE *file);

/* Parsers of --help and --version: they print to standard output and return 1. */
int help_show(const struct asking *asking, const char *value);
int version_show(const struct asking *asking, const char *value);

/* Prints the texts of 'names' to standard output, one a line: the value 'help' of many options. */
void names_show(const struct names *names);
