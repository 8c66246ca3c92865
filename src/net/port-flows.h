/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Connections that the kernel remembers (conntrack), by its netlink.
 * Zone: owing.
 */
#pragma once

#include "net/address.h"

/*
 * Forgets those that were led on to an address that a machine no longer has: rules are only asked
 * about new ones. Best effort, silent.
 */
void port_flows_forget(const struct address *target);
