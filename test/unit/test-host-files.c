/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolv.conf and the time zone: what is decided, and how it lands in trees that resist.
 */
#include "mount/host-files.h"
#include "mount/ifupdown.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "check.h"

#define STUB "/run/systemd/resolve/stub-resolv.conf"
#define UPLINK "/run/systemd/resolve/resolv.conf"

/* One situation and the action expected for one file; how HOW_OFF stands for none. */
struct plan_case {
	const char *name;
	enum host_file_how asked;
	bool etc_is_writable, private_network, has_host, has_stub;
	enum host_file_how how;
	const char *source;
};

static const struct host_file_action *find_action(const struct host_file_plan *plan,
						  const char *target)
{
	for (size_t i = 0; i < plan->count; i++)
		if (strcmp(plan->actions[i].target, target) == 0)
			return &plan->actions[i];
	return NULL;
}

static void check_action(const char *name, const struct host_file_action *action,
			 enum host_file_how how, const char *source)
{
	bool holds = action ? action->how == how && !action->source == !source &&
				      (!source || strcmp(action->source, source) == 0)
			    : how == HOW_OFF;

	if (!holds)
		fprintf(stderr, "%s: planned %d from '%s'\n", name, action ? (int)action->how : -1,
			action && action->source ? action->source : "");
	CHECK(holds);
}

static void test_resolv_conf_plan(void)
{
	static const struct plan_case cases[] = {
		{"private network", HOW_AUTO, true, true, true, true, HOW_OFF, NULL},
		{"stub", HOW_AUTO, true, false, true, true, HOW_COPY, STUB},
		{"stub, read-only", HOW_AUTO, false, false, true, true, HOW_BIND, STUB},
		{"host", HOW_AUTO, true, false, true, false, HOW_COPY, "/etc/resolv.conf"},
		{"host, read-only", HOW_AUTO, false, false, true, false, HOW_BIND,
		 "/etc/resolv.conf"},
		{"none", HOW_AUTO, true, false, false, false, HOW_DELETE, NULL},
		{"none, read-only", HOW_AUTO, false, false, false, false, HOW_OFF, NULL},
		{"off", HOW_OFF, true, false, true, true, HOW_OFF, NULL},
		{"asked in spite of a private network", HOW_BIND, true, true, true, true, HOW_BIND,
		 UPLINK},
		{"copy", HOW_COPY, false, false, true, true, HOW_COPY, UPLINK},
		{"replace", HOW_REPLACE, true, false, true, true, HOW_REPLACE, UPLINK},
		{"delete", HOW_DELETE, true, false, true, true, HOW_DELETE, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct config config = {
			.resolv_conf = cases[i].asked,
			.resolv_source = RESOLV_UPLINK,
			.private_network = cases[i].private_network,
			.timezone = HOW_OFF,
		};
		const struct host_file_facts facts = {
			.has_resolv_conf = cases[i].has_host,
			.has_stub_resolv_conf = cases[i].has_stub,
			.etc_is_writable = cases[i].etc_is_writable,
		};
		struct host_file_plan plan;

		host_files_plan(&config, &facts, &plan);
		check_action(cases[i].name, find_action(&plan, "/etc/resolv.conf"), cases[i].how,
			     cases[i].source);
		CHECK(!find_action(&plan, "/etc/localtime"));
	}
}

static void test_timezone_plan(void)
{
	static const struct {
		const char *name;
		enum host_file_how asked;
		bool etc_is_writable;
		const char *link; /* "" for a regular file, NULL for none */
		enum host_file_how how;
		const char *zone;
	} cases[] = {
		{"link", HOW_AUTO, true, "/usr/share/zoneinfo/Europe/Berlin", HOW_SYMLINK,
		 "Europe/Berlin"},
		{"relative link", HOW_AUTO, true, "../usr/share/zoneinfo/UTC", HOW_SYMLINK, "UTC"},
		{"link, read-only", HOW_AUTO, false, "/usr/share/zoneinfo/UTC", HOW_BIND, NULL},
		{"file", HOW_AUTO, true, "", HOW_COPY, NULL},
		{"file, read-only", HOW_AUTO, false, "", HOW_BIND, NULL},
		{"missing", HOW_AUTO, true, NULL, HOW_DELETE, NULL},
		{"missing, read-only", HOW_AUTO, false, NULL, HOW_OFF, NULL},
		{"link elsewhere", HOW_AUTO, true, "/opt/zone", HOW_BIND, NULL},
		{"link out of the zones", HOW_SYMLINK, true,
		 "/usr/share/zoneinfo/../../../etc/passwd", HOW_BIND, NULL},
		{"link to nothing", HOW_SYMLINK, true, "/usr/share/zoneinfo/", HOW_BIND, NULL},
		{"off", HOW_OFF, true, "", HOW_OFF, NULL},
		{"replace", HOW_REPLACE, true, "", HOW_REPLACE, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct config config = {.timezone = cases[i].asked, .resolv_conf = HOW_OFF};
		const char *link = cases[i].link;
		const struct host_file_facts facts = {
			.localtime = !link   ? HOST_FILE_MISSING
				     : *link ? HOST_FILE_LINK
					     : HOST_FILE_REGULAR,
			.localtime_link = link && *link ? link : NULL,
			.etc_is_writable = cases[i].etc_is_writable,
		};
		const struct host_file_action *action;
		struct host_file_plan plan;

		host_files_plan(&config, &facts, &plan);
		action = find_action(&plan, "/etc/localtime");
		check_action(cases[i].name, action, cases[i].how,
			     cases[i].how == HOW_OFF || cases[i].how == HOW_DELETE
				     ? NULL
				     : "/etc/localtime");
		if (cases[i].zone)
			CHECK_TEXT(action ? action->zone : NULL, cases[i].zone);
		else
			CHECK(!action || !action->zone);
	}
}

/* --- applying; the current directory is "outside", with the tree in "root" --- */

static int root_fd, warnings;

static void count_warnings(const struct log_message *message, void *userdata)
{
	(void)userdata;
	warnings += message->level == LOG_WARNING;
}

static void apply(enum host_file_how how, const char *zone)
{
	char source[256];
	const struct host_file_plan plan = {
		.actions = {{.how = how, .target = "/etc/file", .source = source, .zone = zone}},
		.count = 1,
	};

	warnings = 0;
	CHECK(getcwd(source, sizeof(source) - 16) != NULL);
	strcat(source, "/source");
	host_files_apply(&plan, root_fd, -EBADF, getuid());
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool has_text(const char *path, const char *expected)
{
	auto_free char *text = NULL;

	return file_read(AT_FDCWD, path, 4096, &text, NULL) == 0 && strcmp(text, expected) == 0;
}

static struct stat status_of(const char *path)
{
	struct stat status = {0};

	CHECK(lstat(path, &status) == 0);
	return status;
}

static void test_copy(void)
{
	ino_t inode;

	apply(HOW_COPY, NULL);
	CHECK(has_text("root/etc/file", "new") && warnings == 0);
	CHECK((status_of("root/etc/file").st_mode & 07777) == 0644);
	inode = status_of("root/etc/file").st_ino;
	write_file("root/etc/file", "something longer");
	apply(HOW_COPY, NULL);
	CHECK(has_text("root/etc/file", "new") && status_of("root/etc/file").st_ino == inode);

	/* A second name of the file keeps its text. */
	write_file("root/etc/file", "old");
	CHECK(link("root/etc/file", "other-name") == 0);
	apply(HOW_COPY, NULL);
	CHECK(has_text("root/etc/file", "new") && has_text("other-name", "old"));
	CHECK(unlink("other-name") == 0 && unlink("root/etc/file") == 0);
}

static void test_copy_is_not_led_astray(void)
{
	static const char *const links[] = {"../../victim", "/../../victim", "missing", "file"};

	write_file("victim", "victim");
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		CHECK(symlink(links[i], "root/etc/file") == 0);
		apply(HOW_COPY, NULL);
		CHECK(warnings == 0 && S_ISLNK(status_of("root/etc/file").st_mode));
		CHECK(access("root/etc/missing", F_OK) < 0);
		apply(HOW_REPLACE, NULL);
		CHECK(S_ISREG(status_of("root/etc/file").st_mode) &&
		      has_text("root/etc/file", "new"));
		CHECK(unlink("root/etc/file") == 0);
	}
	CHECK(has_text("victim", "victim"));

	CHECK(mkfifo("root/etc/file", 0644) == 0);
	apply(HOW_COPY, NULL);
	CHECK(warnings == 1 && unlink("root/etc/file") == 0);
	CHECK(mkdir("root/etc/file", 0755) == 0);
	apply(HOW_COPY, NULL);
	CHECK(warnings == 1);
	apply(HOW_REPLACE, NULL);
	CHECK(warnings == 1);
	apply(HOW_DELETE, NULL);
	CHECK(warnings == 1 && rmdir("root/etc/file") == 0);

	/* /etc itself leads out of the tree. */
	CHECK(rename("root/etc", "root/kept") == 0 && symlink("../", "root/etc") == 0);
	apply(HOW_REPLACE, NULL);
	CHECK(access("file", F_OK) < 0 && has_text("root/file", "new"));
	CHECK(unlink("root/file") == 0 && unlink("root/etc") == 0);
	apply(HOW_COPY, NULL);
	CHECK(warnings == 1 && access("root/etc", F_OK) < 0);
	CHECK(rename("root/kept", "root/etc") == 0 && unlink("victim") == 0);
}

static void test_delete(void)
{
	apply(HOW_DELETE, NULL);
	CHECK(warnings == 0);
	CHECK(symlink("/nowhere", "root/etc/file") == 0);
	apply(HOW_DELETE, NULL);
	CHECK(warnings == 0 && access("root/etc/file", F_OK) < 0);
}

static void test_symlink(void)
{
	char text[64];
	ino_t inode;

	CHECK(mkdir("root/usr", 0755) == 0 && mkdir("root/usr/share", 0755) == 0 &&
	      mkdir("root/usr/share/zoneinfo", 0755) == 0);
	write_file("root/etc/file", "old");
	write_file("root/usr/share/zoneinfo/Here", "zone");
	apply(HOW_SYMLINK, "Here");
	CHECK(warnings == 0 && readlink("root/etc/file", text, sizeof(text)) == 26);
	CHECK(memcmp(text, "../usr/share/zoneinfo/Here", 26) == 0);
	inode = status_of("root/etc/file").st_ino;
	apply(HOW_SYMLINK, "Here");
	CHECK(status_of("root/etc/file").st_ino == inode);
	CHECK(unlink("root/etc/file") == 0 &&
	      symlink("/usr/share/zoneinfo/Here", "root/etc/file") == 0);
	inode = status_of("root/etc/file").st_ino;
	apply(HOW_SYMLINK, "Here");
	CHECK(status_of("root/etc/file").st_ino == inode);
	CHECK(unlink("root/etc/file") == 0);
}

/*
 * Enters a mount namespace, as root of a user namespace if need be; false where neither is to be
 * had.
 */
static bool enter_namespace(void)
{
	char uid_map[32], gid_map[32];

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	(void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", getuid());
	(void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	CHECK(file_write(AT_FDCWD, "/proc/self/setgroups", "deny") == 0);
	CHECK(file_write(AT_FDCWD, "/proc/self/uid_map", uid_map) == 0);
	CHECK(file_write(AT_FDCWD, "/proc/self/gid_map", gid_map) == 0);
	return true;
}

static int bind_in_child(void)
{
	bool can_mount = enter_namespace();
	struct statvfs file_system;
	const struct mount_attr private = {.propagation = MS_PRIVATE};

	if (can_mount)
		CHECK(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, (struct mount_attr *)&private,
				    sizeof(private)) == 0);
	(void)close(root_fd);
	root_fd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC); /* as this namespace sees it */
	apply(HOW_BIND, NULL);
	CHECK(warnings == 0 && has_text("root/etc/file", "new"));
	if (can_mount) {
		CHECK(statvfs("root/etc/file", &file_system) == 0);
		CHECK((file_system.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) ==
		      (ST_RDONLY | ST_NOSUID | ST_NODEV));
		CHECK(access("root/etc/file", W_OK) < 0 && errno == EROFS);
	}
	/* A link is not followed, neither by the bind nor by the copy that comes instead. */
	CHECK(rename("root/etc", "root/kept") == 0 && mkdir("root/etc", 0755) == 0);
	CHECK(symlink("../../victim", "root/etc/file") == 0);
	apply(HOW_BIND, NULL);
	CHECK(warnings == 0 && has_text("victim", "victim") &&
	      S_ISLNK(status_of("root/etc/file").st_mode));
	/* A zone that the guest does not have falls through to the bind, whose target is made. */
	CHECK(unlink("root/etc/file") == 0);
	apply(HOW_SYMLINK, "Nowhere");
	CHECK(warnings == 0 && has_text("root/etc/file", "new"));
	return check_result();
}

static void test_bind(void)
{
	pid_t child;
	int status = -1;

	write_file("root/etc/file", "covered");
	write_file("victim", "victim");
	child = fork();
	if (child == 0)
		_exit(bind_in_child());
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	CHECK(unlink("victim") == 0);
}

static void test_ifupdown(void)
{
	static const struct {
		const char *text;
		enum ifupdown_words words;
	} rows[] = {
		{"", IFUPDOWN_NOTHING},
		{"auto host0\n", IFUPDOWN_NOTHING},
		{"iface eth0 inet dhcp\n", IFUPDOWN_NOTHING},
		{"iface host0 inet\n", IFUPDOWN_NOTHING},
		{"# iface host0 inet dhcp\n", IFUPDOWN_NOTHING},
		{"auto host0\niface host0 inet dhcp\n", IFUPDOWN_ASK},
		{"\tiface  host0\tinet dhcp", IFUPDOWN_ASK},
		{"iface host0 inet dhcp\niface host0 inet6 auto\n", IFUPDOWN_ASK},
		{"iface host0 inet dhcp\niface host0 inet6 static\n", IFUPDOWN_SAY},
		{"iface host0 inet static\n address 192.0.2.1/24\n", IFUPDOWN_SAY},
		{"iface host0 inet manual\n", IFUPDOWN_SAY},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK(ifupdown_read(rows[i].text) == rows[i].words);
}

int main(void)
{
	char directory[] = "/tmp/test-host-files-XXXXXX", command[64];

	test_resolv_conf_plan();
	test_timezone_plan();
	test_ifupdown();

	log_set_sink(count_warnings, NULL);
	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
	CHECK(mkdir("root", 0755) == 0 && mkdir("root/etc", 0755) == 0);
	write_file("source", "new");
	root_fd = open("root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_copy();
	test_copy_is_not_led_astray();
	test_delete();
	test_symlink();
	test_bind();
	(void)close(root_fd);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	CHECK(chdir("/") == 0 && system(command) == 0);
	return check_result();
}
