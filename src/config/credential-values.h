/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the settings table for credentials. They have the type and the contract of
 * 'setting_parser' (settings.h), and never say a value: it is a secret.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

#include "config/settings.h"

/*
 * What may be the name of a credential: a file name of printable ASCII characters without colon
 * (systemd.exec(5), LoadCredential=).
 */
bool credential_id_is_valid(const char *id);

/* "ID:VALUE", with C escapes in the value. */
int set_credential(const struct asking *asking, const char *value);

/* "ID:PATH": with a slash a file or a socket, without one a credential that was given to us. */
int load_credential(const struct asking *asking, const char *value);
