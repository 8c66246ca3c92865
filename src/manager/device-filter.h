/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which devices the processes of a cgroup may open and make: a program of the kind
 * BPF_PROG_TYPE_CGROUP_DEVICE, made for each machine out of its rules and attached to its group by
 * bpf(2). What no rule allows is refused with EPERM, whatever the capabilities and wherever the
 * node is from. The kernel asks the programs of all groups above as well, and all must agree, so
 * that a filter is only ever narrowed.
 * Zone: free for the rules and the program, owing for attaching.
 */
#pragma once

#include <linux/bpf.h>

#include "mount/device-facts.h"

struct arena;

/* What every payload may use, and what it was given. Pure. */
void device_rules_make(struct arena *arena, const struct config *config,
		       const struct device_facts *facts, struct device_rules *ret);

/* The program: in the arena, '*ret_count' instructions. Pure. */
struct bpf_insn *device_filter_build(struct arena *arena, const struct device_rules *rules,
				     size_t *ret_count);

/*
 * Attaches a program for 'rules' to the group. It has no other name or handle: it goes with the
 * group. Returns 0 or a negative errno: -EPERM without the right to, -EINVAL or -ENOSYS where the
 * kernel has no such programs. Silent.
 */
int device_filter_attach(struct arena *arena, int cgroup_fd, const struct device_rules *rules);
