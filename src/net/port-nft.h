/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports in the kernel: the table 'nspawn-ports' of nf_tables, by whose elements packets to a port
 * of the host go on to a machine, with the address of who sent them. Its rules never change. It
 * comes with the first machine that has such ports and goes with the last. Zone: owing. Whoever
 * changes it holds the lock of net/zone.h. All return 0 or a negative errno and say nothing.
 */
#pragma once

#include "config/config.h"
#include "net/address.h"

/* Whose elements they are. */
struct port_owner {
	const char *cable; /* the machine's outer end: while it is there, they count */
	const char *way; /* the interface of the host that leads to the machine: it, or a bridge */
};

/* Lets ports lead to 'target'; what was there under the same keys is replaced. */
int port_nft_set(const struct port_owner *owner, const struct port_requests *ports,
		 const struct address *target);

/* Takes those of one family back. */
int port_nft_drop(const struct port_requests *ports, int family);

/*
 * Removes what belongs to cables that are gone, or to 'cable' (may be NULL), and with the last the
 * table. 1: there was some.
 */
int port_nft_sweep(const char *cable);
