/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and numbers of users, against files that are well-made, missing and hostile.
 */
#include "confine/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "check.h"

static int root_fd;

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "# comment\n"
			     "+::::::\n"
			     "short:x:5:5\n"
			     "long:x:5:5::/:/bin/sh:\n"
			     "hex:x:0x10:5::/:/bin/sh\n"
			     "negative:x:-1:5::/:/bin/sh\n"
			     "highest:x:4294967295:5::/:/bin/sh\n"
			     "octal:x:010:5::/:/bin/sh\n"
			     ":x:7:7::/:/bin/sh\n"
			     "1000:x:0:0::/:/bin/sh\n"
			     "alice:x:1000:100:Alice:/home/alice:/bin/zsh\n"
			     "alice:x:0:0:again:/root:/bin/sh\n"
			     "odd:x:1001:1001::relative/../..:sh\n"
			     "last:x:1002:1002::/srv/last:";

static const char group[] = "users:x:100:\n"
			    "wheel:x:10:bob,alice\n"
			    "almost:x:11:alicex,xalice\n"
			    "audio:x:12:alice\n"
			    "twice:x:12:alice,alice\n"
			    "primary:x:100:alice\n"
			    "bad:x:0x0:alice\n"
			    "worse:x:4294967295:alice\n"
			    "shorter:x:13\n"
			    "+:::\n"
			    "end:x:14:alice";

static void test_names(void)
{
	auto_user_identity struct user_identity alice = {0}, odd = {0}, last = {0};

	CHECK(users_find(root_fd, "alice", &alice) == 0);
	CHECK(alice.uid == 1000 && alice.gid == 100);
	CHECK_TEXT(alice.name, "alice");
	CHECK_TEXT(alice.home, "/home/alice");
	CHECK_TEXT(alice.shell, "/bin/zsh");
	CHECK(alice.group_count == 3);
	if (alice.group_count == 3)
		CHECK(alice.groups[0] == 10 && alice.groups[1] == 12 && alice.groups[2] == 14);

	CHECK(users_find(root_fd, "odd", &odd) == 0);
	CHECK_TEXT(odd.home, "/");
	CHECK(!odd.shell && odd.group_count == 0);
	CHECK(users_find(root_fd, "last", &last) == 0);
	CHECK_TEXT(last.home, "/srv/last");
}

static void test_numbers(void)
{
	auto_user_identity struct user_identity alice = {0}, nobody = {0}, root = {0};

	CHECK(users_find(root_fd, "1000", &alice) == 0);
	CHECK(alice.uid == 1000 && alice.gid == 100 && alice.group_count == 3);
	CHECK_TEXT(alice.name, "alice");
	/* Without an account: no right comes with it. */
	CHECK(users_find(root_fd, "4242", &nobody) == 0);
	CHECK(nobody.uid == 4242 && nobody.gid == 65534 && nobody.group_count == 0 && !nobody.name);
	CHECK_TEXT(nobody.home, "/");
	CHECK(users_find(root_fd, "0", &root) == 0);
	CHECK(root.uid == 0 && root.gid == 0 && root.group_count == 0);
	CHECK_TEXT(root.home, "/root");
}

static void test_refused(void)
{
	static const struct {
		const char *text;
		int result;
	} cases[] = {
		{"", -EINVAL},
		{"01", -EINVAL},
		{"00", -EINVAL},
		{"1:", -EINVAL},
		{":1", -EINVAL},
		{" 1", -EINVAL},
		{"1 ", -EINVAL},
		{"1\n", -EINVAL},
		{"-1", -EINVAL},
		{"+1", -EINVAL},
		{"4294967295", -EINVAL},
		{"4294967296", -EINVAL},
		{"65535", -EINVAL},
		{"0x1", -ESRCH},
		{"1e3", -ESRCH},
		{"alice\n", -EINVAL},
		{"alice:x", -EINVAL},
		{"../alice", -EINVAL},
		{"nobodyhere", -ESRCH},
		{"Alice", -ESRCH},
		{"-alice", -EINVAL},
		{"18446744073709551616", -EINVAL},
		{"+", -EINVAL},
		/* Named in lines that are malformed. */
		{"short", -ESRCH},
		{"long", -ESRCH},
		{"hex", -ESRCH},
		{"negative", -ESRCH},
		{"highest", -ESRCH},
		{"octal", -ESRCH},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct user_identity identity = {.uid = 77};
		int r = users_find(root_fd, cases[i].text, &identity);

		if (r != cases[i].result)
			fprintf(stderr, "'%s' gives %d\n", cases[i].text, r);
		CHECK(r == cases[i].result);
		CHECK(identity.uid == 77 && !identity.name && !identity.home);
		if (r == 0)
			user_identity_done(&identity);
	}
}

static void test_hostile_files(void)
{
	auto_user_identity struct user_identity identity = {0}, root = {0};

	CHECK(rename("etc/passwd", "etc/passwd.kept") == 0);
	CHECK(users_find(root_fd, "alice", &identity) == -ESRCH);
	CHECK(users_find(root_fd, "root", &root) == 0 && root.uid == 0);
	CHECK(symlink("/etc/passwd", "etc/passwd") == 0);
	CHECK(users_find(root_fd, "alice", &identity) == -ESRCH);
	CHECK(unlink("etc/passwd") == 0 && mkfifo("etc/passwd", 0644) == 0);
	CHECK(users_find(root_fd, "alice", &identity) == -EINVAL);
	CHECK(unlink("etc/passwd") == 0);
	write_file("etc/passwd", "");
	CHECK(truncate("etc/passwd", 64 * 1024 * 1024) == 0);
	CHECK(users_find(root_fd, "alice", &identity) == -EFBIG);
	CHECK(unlink("etc/passwd") == 0 && rename("etc/passwd.kept", "etc/passwd") == 0);
}

static void test_home(void)
{
	struct user_identity identity = {
		.uid = getuid(), .gid = getgid(), .home = (char *)"/home/alice"};
	struct stat status;

	CHECK(mkdir("home", 0755) == 0);
	CHECK(users_make_home(root_fd, &identity) == 0);
	CHECK(stat("home/alice", &status) == 0 && S_ISDIR(status.st_mode) &&
	      (status.st_mode & 07777) == 0755);
	CHECK(status.st_uid == getuid() && status.st_gid == getgid());
	CHECK(users_make_home(root_fd, &identity) == 0);
	/* Parents are root's, which only root can make them. */
	identity.home = (char *)"/home/new/alice";
	CHECK(users_make_home(root_fd, &identity) == (getuid() == 0 ? 0 : -EPERM));
	/* Links are the guest's: in-root, and never made true. */
	CHECK(symlink("/tmp/test-users-outside", "home/link") == 0);
	identity.home = (char *)"/home/link";
	CHECK(users_make_home(root_fd, &identity) == -EEXIST);
	CHECK(lstat("/tmp/test-users-outside", &status) < 0 && errno == ENOENT);
	identity.home = (char *)"/a/../../b";
	CHECK(users_make_home(root_fd, &identity) == 0 && stat("b", &status) < 0);
	identity.home = (char *)"/single";
	CHECK(users_make_home(root_fd, &identity) == 0 && stat("single", &status) == 0);
}

int main(void)
{
	char directory[] = "/tmp/test-users-XXXXXX", command[64];

	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0 && mkdir("etc", 0755) == 0);
	write_file("etc/passwd", passwd);
	write_file("etc/group", group);
	root_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_names();
	test_numbers();
	test_refused();
	test_hostile_files();
	test_home();
	(void)close(root_fd);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	CHECK(chdir("/") == 0 && system(command) == 0);
	return check_result();
}
