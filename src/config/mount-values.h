/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for --bind, --bind-ro, --tmpfs and --inaccessible (type and
 * contract: setting_parser in settings.h). Each adds one entry to the configuration's mounts.
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

int set_bind(const struct asking *asking, const char *value);
int set_tmpfs(const struct asking *asking, const char *value);
int set_inaccessible(const struct asking *asking, const char *value);
