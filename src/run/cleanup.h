/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --cleanup: takes back what a machine owed whose supervisor was killed.
 * Zone: owing.
 */
#pragma once

struct config;

/*
 * Removes what is left of the machine that 'config' names, whether its tree still exists or not:
 * directories and mounts of the exchange, the cgroup in our own one, sockets, lock files. Starts
 * nothing. A machine that runs is refused. Returns 0, also where nothing was left, or a negative
 * errno after it was told.
 */
int cleanup(struct config *config);
