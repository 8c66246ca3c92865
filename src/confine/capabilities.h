/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Capability sets: what a payload keeps by default, and applying the final sets.
 * Zone: free for planning; doomed for capabilities_apply().
 */
#pragma once

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPABILITY(name) (UINT64_C(1) << CAP_##name)
#define CAPABILITIES_ALL ((UINT64_C(1) << (CAP_LAST_CAP + 1)) - 1)

/* Kept by every payload unless dropped; CAP_NET_ADMIN joins with a private network. */
#define CAPABILITIES_DEFAULT \
	(CAPABILITY(AUDIT_CONTROL) | CAPABILITY(AUDIT_WRITE) | CAPABILITY(CHOWN) | \
	 CAPABILITY(DAC_OVERRIDE) | CAPABILITY(DAC_READ_SEARCH) | CAPABILITY(FOWNER) | \
	 CAPABILITY(FSETID) | CAPABILITY(IPC_OWNER) | CAPABILITY(KILL) | CAPABILITY(LEASE) | \
	 CAPABILITY(LINUX_IMMUTABLE) | CAPABILITY(MKNOD) | CAPABILITY(NET_BIND_SERVICE) | \
	 CAPABILITY(NET_BROADCAST) | CAPABILITY(NET_RAW) | CAPABILITY(SETFCAP) | \
	 CAPABILITY(SETGID) | CAPABILITY(SETPCAP) | CAPABILITY(SETUID) | CAPABILITY(SYS_ADMIN) | \
	 CAPABILITY(SYS_BOOT) | CAPABILITY(SYS_CHROOT) | CAPABILITY(SYS_NICE) | \
	 CAPABILITY(SYS_PTRACE) | CAPABILITY(SYS_RESOURCE) | CAPABILITY(SYS_TTY_CONFIG))

/* The sets of the payload at exec. */
struct capability_plan {
	uint64_t bounding; /* for root also permitted and effective after exec */
	uint64_t ambient;  /* kept across exec by a payload that is not root */
	/* Who has one id only may not choose them (user_namespaces(7)), and nobody inside has
	 * others. */
	bool groups_are_fixed;
};

/*
 * Gives up, in this order: bounding set, then (keeping what is needed for it) ids, groups and the
 * rest. After it a payload that is not root holds 'ambient' only. CAP_SYS_ADMIN stays effective
 * until the exec so that the syscall filter can be loaded last without no_new_privs; the exec drops
 * it when it is in neither set. 'groups' has 'group_count' entries. Returns 0 or a negative errno.
 */
int capabilities_apply(const struct capability_plan *plan, uint32_t uid, uint32_t gid,
		       const uint32_t *groups, size_t group_count);

/* The permitted set of this process: what it can pass on. */
uint64_t capabilities_permitted(void);

/* Makes effective what is permitted, after a change of ids took it. Returns 0 or a negative errno.
 */
int capabilities_use_all(void);
