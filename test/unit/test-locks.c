/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may boot what at the same time, and what is left afterwards. OFD locks belong to open files,
 * so that one process can play both machines.
 */
#include "host/locks.h"
#include "host/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "base/undo.h"
#include "check.h"

static char directory[] = "/tmp/test-locks-XXXXXX";
static char tree[64], alias[64], inode_directory[64], name_directory[64];
static const struct places places = {.machines = name_directory, .inode_locks = inode_directory};
static char complaint[512];

static void remember(const struct log_message *message, void *userdata)
{
	(void)userdata;
	if (!*complaint)
		(void)snprintf(complaint, sizeof(complaint), "%s", message->sentence);
}

/* One machine. */
struct machine {
	struct locks locks;
	struct undo undo;
};

static int start(struct machine *machine, const char *path, bool shared, const char *name)
{
	const struct lock_request request = {
		.tree = path,
		.tree_is_shared = shared,
		.machine = name,
		.places = &places,
	};
	int r;

	*machine = (struct machine){0};
	*complaint = '\0';
	r = locks_take(&machine->locks, &request, &machine->undo);
	if (r < 0)
		undo_all(&machine->undo);
	return r;
}

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static const char *beside(void)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/.#tree.lck", directory);
	return path;
}

static void check_nothing_left(void)
{
	CHECK(!exists(beside()) && !exists(inode_directory) && !exists(name_directory));
}

static void test_exclusive(void)
{
	struct machine first, second;

	CHECK(start(&first, tree, false, "one") == 0);
	CHECK(exists(beside()) && exists(inode_directory) && exists(name_directory));
	CHECK(start(&second, tree, false, "two") == -EBUSY);
	CHECK(strstr(complaint, "in use by another machine") && strstr(complaint, tree));
	CHECK(start(&second, tree, true, "two") == -EBUSY);
	/* By another path it is still the same tree. */
	CHECK(start(&second, alias, false, "two") == -EBUSY);
	CHECK(exists(beside()));
	undo_all(&first.undo);
	check_nothing_left();
	CHECK(start(&second, tree, false, "two") == 0);
	undo_all(&second.undo);
	check_nothing_left();
}

static void test_shared(void)
{
	struct machine first, second, third;

	CHECK(start(&first, tree, true, NULL) == 0);
	CHECK(start(&second, tree, true, NULL) == 0);
	CHECK(start(&third, tree, false, NULL) == -EBUSY);
	undo_all(&first.undo);
	CHECK(exists(beside()));
	CHECK(start(&third, tree, false, NULL) == -EBUSY);
	undo_all(&second.undo);
	CHECK(!exists(beside()));
	CHECK(start(&third, tree, false, NULL) == 0);
	undo_all(&third.undo);
	CHECK(!exists(beside()));
	/* The first made the directory, but the second still used it. */
	CHECK(rmdir(inode_directory) == 0);
	check_nothing_left();
}

static void test_names(void)
{
	struct machine first, second;

	CHECK(start(&first, NULL, false, "one") == 0);
	CHECK(start(&second, NULL, false, "one") == -EBUSY);
	CHECK(strstr(complaint, "'one' is running already"));
	CHECK(start(&second, NULL, false, "two") == 0);
	undo_all(&first.undo);
	undo_all(&second.undo);
	/* The first made the directory, but the second still used it. */
	CHECK(rmdir(name_directory) == 0);
	check_nothing_left();
}

static const char *machine_directory(void)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/one", name_directory);
	return path;
}

static size_t count_files(const char *path)
{
	DIR *opened = opendir(path);
	size_t count = 0;

	CHECK(opened != NULL);
	for (const struct dirent *item; opened && (item = readdir(opened));)
		count += *item->d_name != '.';
	(void)closedir(opened);
	return count;
}

/* A supervisor killed with SIGKILL leaves its files, unlocked. */
static void test_left_over_files(void)
{
	static const char *const files[] = {"state.json", "control", "filter", "log"};
	struct machine machine;

	CHECK(close(open(beside(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == 0);
	CHECK(mkdir(name_directory, 0755) == 0 && mkdir(machine_directory(), 0755) == 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[256];

		(void)snprintf(path, sizeof(path), "%s/%s", machine_directory(), files[i]);
		CHECK(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) == 0);
	}
	CHECK(start(&machine, tree, false, "one") == 0);
	CHECK(count_files(machine_directory()) == 1);
	undo_all(&machine.undo);
	CHECK(rmdir(name_directory) == 0);
	check_nothing_left();
}

/* A link instead of the lock file is not followed. */
static void test_link_in_the_way(void)
{
	struct machine machine;
	char victim[128];

	(void)snprintf(victim, sizeof(victim), "%s/victim", directory);
	CHECK(symlink(victim, beside()) == 0);
	CHECK(start(&machine, tree, false, NULL) == -ELOOP);
	CHECK(!exists(victim) && unlink(beside()) == 0);
	check_nothing_left();
}

/* The name under which systemd-nspawn locks the same tree. */
static void test_inode_file_name(void)
{
	struct machine machine;
	struct stat status;
	char path[256];

	CHECK(stat(tree, &status) == 0);
	(void)snprintf(path, sizeof(path), "%s/inode-%ju:%ju", inode_directory,
		       (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	CHECK(start(&machine, tree, false, NULL) == 0);
	CHECK(exists(path));
	undo_all(&machine.undo);
	CHECK(!exists(path));
	CHECK(start(&machine, "/dev/null", false, NULL) == 0);
	CHECK(machine.locks.count == 0);
	check_nothing_left();
}

/* Directories that were there before stay. */
static void test_existing_directories(void)
{
	struct machine machine;

	CHECK(mkdir(inode_directory, 0700) == 0 && mkdir(name_directory, 0700) == 0);
	CHECK(start(&machine, tree, false, "one") == 0);
	undo_all(&machine.undo);
	/*
	 * But the one that is only the machine's goes, so that a crashed machine's is cleaned up
	 * by the next.
	 */
	CHECK(exists(inode_directory) && exists(name_directory) && !exists(machine_directory()));
	CHECK(rmdir(inode_directory) == 0 && rmdir(name_directory) == 0);
}

int main(void)
{
	CHECK(mkdtemp(directory) != NULL);
	(void)snprintf(tree, sizeof(tree), "%s/tree", directory);
	(void)snprintf(alias, sizeof(alias), "%s/alias", directory);
	(void)snprintf(inode_directory, sizeof(inode_directory), "%s/inodes", directory);
	(void)snprintf(name_directory, sizeof(name_directory), "%s/names", directory);
	CHECK(mkdir(tree, 0755) == 0 && symlink("tree", alias) == 0);
	log_set_sink(remember, NULL);
	test_exclusive();
	test_shared();
	test_names();
	test_left_over_files();
	test_link_in_the_way();
	test_inode_file_name();
	test_existing_directories();
	CHECK(unlink(alias) == 0 && rmdir(tree) == 0 && rmdir(directory) == 0);
	return check_result();
}
