/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for labels of security modules and for namespaces that are shared.
 * They have the type and the contract of 'setting_parser' (settings.h).
 * Zone: free.
 */
#pragma once

#include "config/settings.h"

/* USER:ROLE:TYPE[:LEVEL], into a text field. */
int set_selinux_context(const struct asking *asking, const char *value);

/* --share-system: three namespaces stay the host's. */
int set_share_system(const struct asking *asking, const char *value);

/* The name of a profile, into a text field. */
int set_apparmor_profile(const struct asking *asking, const char *value);
