/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for journals. They have the type and the contract of
 * 'setting_parser' (settings.h).
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

int set_link_journal(const struct asking *asking, const char *value);
int set_link_journal_try_guest(const struct asking *asking, const char *value);

/* A file whose name ends in ".journal", or a directory. */
int set_forward_journal(const struct asking *asking, const char *value);

/* A uint64_t field, never 0: bytes, or a number of files. */
int set_journal_bytes(const struct asking *asking, const char *value);
int set_journal_files(const struct asking *asking, const char *value);
