/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gives up capabilities and ids in the one order that works (capabilities(7)).
 * Zone: doomed, but for capabilities_permitted(). No library: libcap would add its loading to every
 * start for a dozen prctl(2) calls.
 */
#include "confine/capabilities.h"

#include <errno.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"

static int set_process_sets(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (unsigned int half = 0; half < 2; half++)
		data[half] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(effective >> (32 * half)),
			.permitted = (uint32_t)(permitted >> (32 * half)),
			.inheritable = (uint32_t)(inheritable >> (32 * half)),
		};
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

uint64_t capabilities_permitted(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	(void)syscall(SYS_capget, &header,
		      data); /* cannot fail for oneself; then nothing is permitted */
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

int capabilities_use_all(void)
{
	uint64_t permitted = capabilities_permitted();

	return set_process_sets(permitted, permitted, 0);
}

static int drop_bounding(uint64_t keep)
{
	for (unsigned long number = 0; number < 64; number++) {
		if (keep & (UINT64_C(1) << number))
			continue;
		/*
		 * EINVAL: past the last capability of this kernel. One that is not held is dropped
		 * without complaint.
		 */
		if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			return errno == EINVAL ? 0 : -errno;
	}
	return 0;
}

static int raise_ambient(uint64_t ambient)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (unsigned long number = 0; number < 64; number++)
		if ((ambient & (UINT64_C(1) << number)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0)
			return -errno;
	return 0;
}

/* Who was to be somebody else must not run as root because a call only said that it worked. */
static bool ids_are(uint32_t uid, uint32_t gid)
{
	uid_t uids[3] = {0};
	gid_t gids[3] = {0};

	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (uids[i] != uid || gids[i] != gid)
			return false;
	return true;
}

static int switch_ids(uint32_t uid, uint32_t gid)
{
	if (setresgid(gid, gid, gid) < 0)
		return -errno;
	/*
	 * Without SECBIT_KEEP_CAPS leaving uid 0 would empty the permitted set, CAP_SYS_ADMIN for
	 * the filter with it.
	 */
	if (uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setresuid(uid, uid, uid) < 0)
		return -errno;
	return uid == 0 || ids_are(uid, gid) ? 0 : -EPERM;
}

int capabilities_apply(const struct capability_plan *plan, uint32_t uid, uint32_t gid,
		       const uint32_t *groups, size_t group_count)
{
	uint64_t kept = uid == 0 ? plan->bounding : plan->ambient;
	/* What the steps between here and the exec need: the filter, and nothing else. */
	uint64_t until_exec = (kept | CAPABILITY(SYS_ADMIN)) & capabilities_permitted();

	TRY(drop_bounding(plan->bounding));
	if (!plan->groups_are_fixed && setgroups(group_count, groups) < 0)
		return -errno;
	TRY(switch_ids(uid, gid));
	/*
	 * Nothing is inheritable but what ambient requires: an inheritable set would give files
	 * with inheritable capabilities more than the payload was meant to have.
	 */
	TRY(set_process_sets(until_exec, until_exec, plan->ambient));
	return raise_ambient(plan->ambient);
}
