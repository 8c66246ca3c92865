/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks into running machines: which operating system they have, and their network. A guest may
 * have put a file system of its own where we read, which never answers, so each machine is looked
 * at by a child that is given one second; all of them at once.
 * Zone: free.
 */
#pragma once

#include "control/machines.h"

enum probe_what {
	PROBE_OS = 1 << 0,
	PROBE_ADDRESSES = 1 << 1,
	PROBE_TRAFFIC = 1 << 2,
};

/*
 * Fills in what can be learnt of each machine; 'what' is made of enum probe_what. What a machine
 * does not say in time stays empty. Silent.
 */
void probe_machines(struct machines *machines, unsigned int what);
