/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hosts that forbid user namespaces, as files of a directory that stands for /proc.
 */
#include "ids/restrictions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "captured.h"
#include "check.h"

static char proc[] = "/tmp/nspawn-proc-XXXXXX";

static const char *in_proc(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", proc, name);
	return path;
}

static void put(const char *name, const char *text)
{
	int fd = open(in_proc(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0);
	(void)close(fd);
}

static const char *const directories[] = {
	"self", "self/ns", "sys", "sys/user", "sys/kernel", "self/attr", "self/attr/apparmor"};

static const struct {
	const char *file, *text;
	bool stops_root, stops_users;
	const char *named;
} rows[] = {
	{"sys/user/max_user_namespaces", "0\n", true, true, "user.max_user_namespaces is 0"},
	{"sys/user/max_user_namespaces", "1\n", false, false, NULL},
	{"sys/user/max_user_namespaces", "junk\n", false, false, NULL},
	{"sys/kernel/unprivileged_userns_clone", "0\n", false, true,
	 "unprivileged_userns_clone is 0"},
	{"sys/kernel/unprivileged_userns_clone", "1\n", false, false, NULL},
	{"sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", false, true, "AppArmor"},
	{"sys/kernel/apparmor_restrict_unprivileged_userns", "0\n", false, false, NULL},
};

/* What AppArmor asks of a program without a profile it does not ask of one that has one. */
static void test_profiles(void)
{
	static const struct {
		const char *label;
		bool stops;
	} labels[] = {
		{"unconfined\n", true},
		{"", true},
		{"nspawn (unconfined)\n", false},
		{"box (enforce)\n", false},
	};

	put("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		put("self/attr/apparmor/current", labels[i].label);
		CHECK((restriction_find(proc, true) != NULL) == labels[i].stops);
		CHECK(!restriction_find(proc, false));
	}
	CHECK(unlink(in_proc("self/attr/apparmor/current")) == 0);
	CHECK(unlink(in_proc("sys/kernel/apparmor_restrict_unprivileged_userns")) == 0);
}

int main(void)
{
	struct captured captured;

	CHECK(mkdtemp(proc));
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		CHECK(mkdir(in_proc(directories[i]), 0700) == 0);
	CHECK(restriction_find(proc, false) && restriction_find(proc, true));
	put("self/ns/user", "");
	CHECK(!restriction_find(proc, false) && !restriction_find(proc, true));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct restriction *root, *user;

		put(rows[i].file, rows[i].text);
		root = restriction_find(proc, false);
		user = restriction_find(proc, true);
		CHECK((root != NULL) == rows[i].stops_root &&
		      (user != NULL) == rows[i].stops_users);
		if (user) {
			capture_start(&captured);
			CHECK(restriction_refuse(user) == -EPERM);
			CHECK(strstr(captured.first, rows[i].named));
			CHECK(strstr(captured.all, "As root"));
		}
		CHECK(unlink(in_proc(rows[i].file)) == 0);
	}
	test_profiles();
	capture_start(&captured);
	CHECK(restriction_explain(-EUSERS, false) == -EUSERS && strstr(captured.all, "as deep as"));
	CHECK(unlink(in_proc("self/ns/user")) == 0);
	for (size_t i = ARRAY_LEN(directories); i-- > 0;)
		CHECK(rmdir(in_proc(directories[i])) == 0);
	CHECK(rmdir(proc) == 0);
	return check_result();
}
