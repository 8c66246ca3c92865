/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for what is mounted (type and contract: setting_parser in
 * settings.h). Each but set_pivot_root() adds one entry to the configuration's mounts.
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

int set_bind(const struct asking *asking, const char *value);
int set_tmpfs(const struct asking *asking, const char *value);
int set_overlay(const struct asking *asking, const char *value);
int set_pivot_root(const struct asking *asking, const char *value);
int set_inaccessible(const struct asking *asking, const char *value);
