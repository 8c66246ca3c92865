/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signals to the processes of a machine of ours, and pausing them. Nobody else is hit: processes
 * are known by pidfds, or by the machine's cgroup.
 * Zone: free. Silent.
 */
#pragma once

#include "control/machines.h"

/* To process 1, or the process that watches over it. 0, or -ESRCH for one that has ended. */
int signals_to_leader(const struct machine_view *machine, int number);
int signals_to_supervisor(const struct machine_view *machine, int number);

/*
 * To each process of the machine, process 1 included; none can fork away meanwhile. 0, -ENOENT if
 * there is no way to tell which they are, or another negative errno.
 */
int signals_to_all(const struct machine_view *machine, int number, bool is_user);

/* True if process 1 handles the signal, so that it means something to it. */
bool signals_is_handled(const struct machine_view *machine, int number);

/*
 * Pauses or resumes a group, and waits for that up to 'timeout_usec'. 0; -ETIMEDOUT, then it is on
 * its way; or a negative errno.
 */
int signals_freeze(int group_fd, bool is_frozen, uint64_t timeout_usec);
