/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for the program of a machine (type and contract: setting_parser in
 * settings.h).
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

int set_boot(const struct asking *asking, const char *value);
int set_as_pid2(const struct asking *asking, const char *value);

/* A word of the command or an argument of init; of a file, words between blanks or in quotes. */
int set_parameters(const struct asking *asking, const char *value);

/* NAME=VALUE, or of an option NAME, whose value is then ours; of a file, several such words. */
int set_variable(const struct asking *asking, const char *value);

int set_user(const struct asking *asking, const char *value);

/* --user: our scope without a value, else the old spelling of --uid. */
int set_system_scope(const struct asking *asking, const char *value);
int set_user_scope(const struct asking *asking, const char *value);

/* Absolute in the container and outside its API file systems; empty resets. */
int set_chdir(const struct asking *asking, const char *value);

int set_kill_signal(const struct asking *asking, const char *value);

/* Two spellings of one matter; the last counts. */
int set_notify_ready(const struct asking *asking, const char *value);
int set_ready(const struct asking *asking, const char *value);
