/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes in a group and in the groups below it, as a guest may have made them.
 * Zone: free. Silent.
 */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

#define CGROUP_PROCESSES_MAX 65536

/* What other than 0 it returns ends the walk. */
typedef int (*cgroup_process_function)(pid_t pid, void *argument);

/*
 * Calls 'function' with each process in the group and below, at most CGROUP_PROCESSES_MAX. Returns
 * 0 or what it returned.
 */
int cgroup_walk(int group_fd, cgroup_process_function function, void *argument);

/* The same for the group alone, and no more than '*left', which is counted down. */
int cgroup_walk_one(int group_fd, size_t *left, cgroup_process_function function, void *argument);

/* The groups below, to be read by cgroup_next_below() and closed by the caller; NULL: none. */
DIR *cgroup_open_below(int group_fd);

/*
 * The next group below, opened for the caller, or a negative errno at the end. The name holds until
 * the next call.
 */
int cgroup_next_below(DIR *directory, const char **ret_name);
