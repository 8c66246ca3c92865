/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The older tables of the kernel, iptables(8) and ip6tables(8) where they are not those of
 * nf_tables, which does not tell of them: whether packets may pass through the host.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>

/*
 * True if the table 'filter' of the family drops what no rule lets through, in the network that we
 * are in. Where the kernel has none, or does not say, it does not: asking never makes one.
 */
bool xtables_is_closed(int family);

/* The program that changes these tables. */
const char *xtables_program(int family);
