/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nspawn tells about itself on standard output, generated from the settings table.
 * Zone: free.
 */
#pragma once

#include <stdio.h>

struct asking;
struct names;

/* The whole help text. It fits 80 columns and shows what is available only. */
void help_print(FILE *file, const char *program);

/*
 * The version's first line. Called as systemd-nspawn it begins as that one's does, since callers
 * take the second word for a number to compare features by.
 */
void version_print(FILE *file, const char *program);

/* Parsers of --help and --version: they print to standard output and return 1. */
int help_show(const struct asking *asking, const char *value);
int version_show(const struct asking *asking, const char *value);

/* Prints the texts of 'names' to standard output, one a line: the value 'help' of many options. */
void names_show(const struct names *names);
