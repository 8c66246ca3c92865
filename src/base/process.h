/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host's /proc tells of a process.
 * Zone: any.
 */
#pragma once

#include <sys/types.h>

/* Its parent, the fourth field of proc_pid_stat(5), or a negative errno. */
pid_t process_parent(pid_t pid);
