/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a container inside the payload could be made: tried out, not guessed.
 * Zone: doomed.
 */
#pragma once

/*
 * As root of the payload, in all of its namespaces and with its mounts: makes a child with user,
 * PID, mount and network namespaces of its own, which mounts what every container needs. The kernel
 * wants a proc and a sysfs to be visible for that (mount_namespaces(7)). One sentence on failure,
 * which names what did not work.
 */
int nesting_probe(int proc_fd);
