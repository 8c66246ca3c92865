/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: what this process got from whoever started it.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Opens /dev/null for whichever of descriptors 0 to 2 is closed, so that no later open lands there.
 */
int host_fill_standard_fds(void);

/*
 * Refuses, with one sentence, to run with more rights than whoever started us has: set-user-id,
 * set-group-id or with file capabilities. Whatever is started as a user is the user's to say, from
 * the tree to the environment, and nothing of it was written to be said by somebody else.
 */
int host_check_rights(void);

/*
 * How many sockets a service manager passed, from descriptor 3 on (sd_listen_fds(3)); 0 if none or
 * they are not for this process. They are closed in no child of ours but by plan.
 */
unsigned int host_count_activation_fds(void);

/*
 * True in a container that uses the network of the system around it: nobody in there has rights
 * over that network, so a sysfs that shows it cannot be mounted (ioctl_nsfs(2), NS_GET_USERNS).
 */
bool host_network_is_anothers(void);

/*
 * True in a container with ids of its own: root there has no rights over what belongs to the host,
 * and cannot set attributes of files that are for root of the host.
 */
bool host_is_in_user_namespace(void);

/*
 * Refuses, with one sentence, a kernel older than the baseline.
 */
int host_check(void);

/* Fills 'bytes' from the kernel's random source; -errno if it has none. */
int host_random(void *bytes, size_t count);
