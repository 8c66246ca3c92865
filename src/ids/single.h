/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map that needs nobody's leave: one id, our own (user_namespaces(7)).
 * Zone: owing.
 */
#pragma once

#include <sys/types.h>

#include "ids/id-map.h"

/*
 * Writes the maps of one extent of one id of the user namespace that 'pid' has just made. The
 * kernel wants setgroups(2) denied in it first, for good: who could drop a group that a file denies
 * access to could read that file. 'proc_fd' is /proc, or AT_FDCWD for the one mounted there.
 * Returns 0 or a negative errno. Silent.
 */
int ids_write_single(int proc_fd, pid_t pid, const struct id_maps *maps);
