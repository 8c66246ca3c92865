/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for user namespaces, and the tables of their words. They have the
 * type and the contract of 'setting_parser' (settings.h).
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

extern const struct names private_users_names; /* enum private_users */
extern const struct names ownership_names;     /* enum users_ownership */

/*
 * A mode, a switch, or FIRST[:COUNT]. Digits are ids and never a switch; but in files, where "0"
 * and "1" have always been switches.
 */
int set_private_users(const struct asking *asking, const char *value);
int set_private_users_pick(const struct asking *asking, const char *value); /* -U */

/* Ownership fields: a mode, or a switch between 'auto' and 'off'; and the old switch. */
int set_private_users_ownership(const struct asking *asking, const char *value);
int set_private_users_chown(const struct asking *asking, const char *value);

/* A number of ranges, as many as nsresourced hands out. */
int set_private_users_delegate(const struct asking *asking, const char *value);
