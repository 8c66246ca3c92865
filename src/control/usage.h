/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine uses, as its cgroup tells, and which processes are in there. What the host does
 * not count is left out; so is everything of a machine without a cgroup.
 * Zone: free. Silent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"

struct usage {
	bool has_cpu, has_memory, has_io, has_tasks;
	uint64_t cpu_usec, memory_bytes, memory_most_bytes, read_bytes, written_bytes, tasks;
};

/*
 * Opens the group 'directory' of a machine, which is a cgroup and nothing that lies on top of one.
 * Returns a descriptor of the caller or a negative errno.
 */
int usage_open(const char *directory);

/* Reads what there is; 'group_fd' may be -EBADF. */
void usage_read(int group_fd, struct usage *ret);

/* True if the group is paused; false for -EBADF. */
bool usage_is_frozen(int group_fd);

/*
 * True for a "KEY NUMBER" line of 'text', which is a flat keyed file of
 * Documentation/admin-guide/cgroup-v2.rst.
 */
bool usage_keyed_number(const char *text, const char *key, uint64_t *ret);

/* Adds up "KEY=NUMBER" over all lines of 'text', a nested keyed file; false: none has it. */
bool usage_nested_sum(const char *text, const char *key, uint64_t *ret);

/*
 * Prints the groups and processes below 'group_fd' as a tree, each line behind 'indent'. What a
 * guest makes too many or too deep of is counted instead of shown.
 */
void usage_print_processes(struct arena *arena, int group_fd, const char *indent);

/* The name of a process, escaped; NULL: it has ended. */
const char *usage_comm(struct arena *arena, pid_t pid);
