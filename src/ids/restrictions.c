/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The switches of kernels and distributions that forbid user namespaces, as a table.
 * Zone: free.
 */
#include "ids/restrictions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"

#define PROFILE_MAX_BYTES ((size_t)8 * 1024)

enum when {
	WHEN_MISSING,
	WHEN_ZERO,
	WHEN_NOT_ZERO_WITHOUT_PROFILE,
};

/* clang-format off */
static const struct {
	enum when when;
	bool is_for_ordinary; /* root is not concerned */
	struct restriction restriction;
} rows[] = {
	{WHEN_MISSING, false, {"self/ns/user", "this kernel is built without them",
		"The kernel needs CONFIG_USER_NS"}},
	{WHEN_ZERO, false, {"sys/user/max_user_namespaces", "user.max_user_namespaces is 0",
		"As root: sysctl -w user.max_user_namespaces=10000, and the same in /etc/sysctl.d for good"}},
	/* A patch of Debian's and others'. */
	{WHEN_ZERO, true, {"sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone is 0",
		"As root: sysctl -w kernel.unprivileged_userns_clone=1, and the same in /etc/sysctl.d for good"}},
	/* Ubuntu's: the namespace is made, but who makes it has no rights in it; who has a profile is asked only by that. */
	{WHEN_NOT_ZERO_WITHOUT_PROFILE, true, {"sys/kernel/apparmor_restrict_unprivileged_userns",
		"AppArmor keeps it from programs without a profile (kernel.apparmor_restrict_unprivileged_userns is 1)",
		"As root, allow this one program in /etc/apparmor.d/nspawn, which a build with -Dapparmor=true installs, "
		"and load it with apparmor_parser -r: "
		"abi <abi/4.0>, profile nspawn /usr/{,local/}bin/nspawn flags=(unconfined) { userns, }"}},
};
/* clang-format on */

/* 0 and the number, or -ENOENT. */
static int read_number(const char *path, uint64_t *ret)
{
	auto_free char *text = NULL;

	TRY(file_read(AT_FDCWD, path, 64, &text, NULL));
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, ret);
}

/* One that leaves us unconfined, as the one advised above, has a name there all the same. */
static bool has_profile(const char *proc)
{
	auto_free char *text = NULL;
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/self/attr/apparmor/current", proc);
	if (file_read(AT_FDCWD, path, PROFILE_MAX_BYTES, &text, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return *text != '\0' && strcmp(text, "unconfined") != 0;
}

static bool holds(enum when when, const char *proc, const char *path)
{
	uint64_t number;

	if (when == WHEN_MISSING)
		return access(path, F_OK) < 0 && errno == ENOENT;
	if (read_number(path, &number) < 0)
		return false;
	return when == WHEN_ZERO ? number == 0 : number != 0 && !has_profile(proc);
}

const struct restriction *restriction_find(const char *proc, bool is_ordinary)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[512];

		(void)snprintf(path, sizeof(path), "%s/%s", proc, rows[i].restriction.file);
		if ((is_ordinary || !rows[i].is_for_ordinary) && holds(rows[i].when, proc, path))
			return &rows[i].restriction;
	}
	return NULL;
}

int restriction_refuse(const struct restriction *restriction)
{
	(void)refuse(EPERM, "A user namespace cannot be had here: %s", restriction->cause);
	hint("%s", restriction->fix);
	return -EPERM;
}

/* What the kernel means by these (clone(2), user_namespaces(7)). */
static const struct {
	int error;
	const char *advice;
} meanings[] = {
	{-ENOSPC,
	 "There are as many as user.max_user_namespaces allows, here or in a container around us"},
	{-EUSERS, "There are 32 around us already, which is as deep as they go"},
	{-EACCES,
	 "The AppArmor profile that nspawn runs under must allow them, by the rule 'userns,'"},
	{-EPERM, "In a chroot, or under a filter of system calls, the kernel gives none"},
};

int restriction_explain(int r, bool is_ordinary)
{
	const struct restriction *restriction = restriction_find("/proc", is_ordinary);

	if (restriction && (r == -EPERM || r == -EACCES || r == -ENOSPC || r == -EINVAL)) {
		(void)restriction_refuse(restriction);
		return r;
	}
	(void)fail(r, "Cannot make a user namespace");
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].error == r)
			hint("%s", meanings[i].advice);
	return r;
}
