/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host's /proc tells of a process.
 * Zone: any.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Whether a signal or a debugger has stopped it; false where that cannot be told. */
bool process_is_stopped(pid_t pid);

/* Its parent, the fourth field of proc_pid_stat(5), or a negative errno. */
pid_t process_parent(pid_t pid);

/*
 * Whether it is in the namespace that we are in ourselves; 'name' is one of namespaces(7), as
 * "net". 1, 0 or a negative errno.
 */
int process_shares_namespace(pid_t pid, const char *name);

/* Whether an open namespace is ours; false where that cannot be told. */
bool process_namespace_is_ours(int namespace_fd, const char *name);
