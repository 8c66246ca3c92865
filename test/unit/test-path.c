/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of base/path: nothing leaves the root, and everything legitimate inside it resolves.
 * Zone: free.
 */
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"
#include "check.h"

static char work[] = "/tmp/nspawn-test-path-XXXXXX";

static void test_lexical(struct arena *arena)
{
	CHECK_TEXT(path_simplify(arena, "//a/./b//c/"), "/a/b/c");
	CHECK_TEXT(path_simplify(arena, "a/../b"), "a/../b");
	CHECK_TEXT(path_simplify(arena, ""), ".");
	CHECK_TEXT(path_simplify(arena, "/"), "/");
	CHECK_TEXT(path_last("/a/b"), "b");
	CHECK(path_is_below("/proc/sys", "/proc"));
	CHECK(path_is_below("/proc", "/proc/"));
	CHECK(!path_is_below("/process", "/proc"));
	CHECK(path_is_normalized("/a/b") && path_is_normalized("/"));
	CHECK(!path_is_normalized("/a/../b") && !path_is_normalized("/a/") &&
	      !path_is_normalized("a"));
	CHECK(!path_is_normalized("/a//b") && !path_is_normalized("/./a"));
}

/*
 * Links that a tree may have; 'outside' is a directory beside the root that must never be reached.
 */
static void make_tree(int root_fd)
{
	CHECK(mkdirat(root_fd, "dir", 0755) == 0);
	CHECK(mkdirat(root_fd, "search-only", 0755) == 0);
	CHECK(mkdirat(root_fd, "search-only/inner", 0755) == 0);
	CHECK(fchmodat(root_fd, "search-only", 0711, 0) == 0);
	CHECK(symlinkat("/dir", root_fd, "absolute") == 0);
	CHECK(symlinkat("dir", root_fd, "relative") == 0);
	CHECK(symlinkat("../../../../../dir", root_fd, "upward") == 0);
	CHECK(symlinkat("/outside-canary", root_fd, "dangling") == 0);
	CHECK(symlinkat("../outside", root_fd, "beside") == 0);
	CHECK(symlinkat("loop", root_fd, "loop") == 0);
	CHECK(symlinkat("/proc/self/root", root_fd, "magic") == 0);
	CHECK(mkfifoat(root_fd, "fifo", 0600) == 0);
}

static bool leads_to_dir(int root_fd, const char *path)
{
	auto_close int fd = path_open(root_fd, path, O_PATH, 0);
	struct stat found, expected;

	return fd >= 0 && fstat(fd, &found) == 0 && fstatat(root_fd, "dir", &expected, 0) == 0 &&
	       found.st_ino == expected.st_ino;
}

static void test_resolution(int root_fd)
{
	auto_close int inner_fd = path_open(root_fd, "/search-only/inner", O_PATH, 0);
	auto_free char *text = NULL;

	CHECK(leads_to_dir(root_fd, "/dir"));
	CHECK(leads_to_dir(root_fd, "absolute"));
	CHECK(leads_to_dir(root_fd, "/relative"));
	CHECK(leads_to_dir(root_fd, "/upward"));
	CHECK(leads_to_dir(root_fd, "/../../dir"));
	CHECK(inner_fd >= 0);
	CHECK(path_open(root_fd, "/dangling", O_PATH, 0) == -ENOENT);
	CHECK(path_open(root_fd, "/beside", O_PATH, 0) == -ENOENT);
	CHECK(path_open(root_fd, "/loop", O_PATH, 0) == -ELOOP);
	CHECK(path_read(root_fd, "/fifo", 16, &text, NULL) == -EINVAL);
	CHECK(path_read(root_fd, "/dir", 16, &text, NULL) == -EISDIR);
}

/* Magic links need a procfs below the root: the host's root directory is one that has it. */
static void test_magic_links(void)
{
	auto_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(path_open(root_fd, "/proc/self/exe", O_PATH, 0) == -ELOOP);
	CHECK(path_open(root_fd, "/proc/self/root/etc", O_PATH, 0) == -ELOOP);
}

static void check_made(int root_fd, const char *path, enum path_kind kind, mode_t expected)
{
	auto_close int fd = path_make(root_fd, path, kind, expected & 07777, getuid());
	struct stat status = {0};

	CHECK(fd >= 0 && fstat(fd, &status) == 0);
	CHECK(status.st_mode == expected);
}

static void test_making(int root_fd, int work_fd)
{
	struct stat status;

	check_made(root_fd, "/new/deep/directory", PATH_DIRECTORY, S_IFDIR | 0750);
	check_made(root_fd, "/absolute/file", PATH_FILE, S_IFREG | 0640);
	CHECK(fstatat(root_fd, "dir/file", &status, 0) == 0);
	CHECK(fstatat(root_fd, "new/deep", &status, 0) == 0 && (status.st_mode & 0777) == 0755);
	/* Existing objects are returned as they are. */
	check_made(root_fd, "/dir", PATH_FILE, S_IFDIR | 0755);
	CHECK(path_make(root_fd, "/dangling", PATH_FILE, 0644, 0) == -ENOENT);
	CHECK(path_make(root_fd, "/dangling/x", PATH_DIRECTORY, 0755, 0) == -ENOENT);
	CHECK(path_make(root_fd, "/beside", PATH_DIRECTORY, 0755, 0) == -ENOENT);
	CHECK(path_make(root_fd, "/loop/x", PATH_FILE, 0644, 0) == -ELOOP);
	CHECK(path_make(root_fd, "/fifo/x", PATH_FILE, 0644, 0) == -ENOTDIR);
	CHECK(fstatat(root_fd, "outside-canary", &status, 0) < 0);
	CHECK(unlinkat(work_fd, "outside", AT_REMOVEDIR) == 0); /* still empty */
}

static void test_parents(struct arena *arena, int root_fd)
{
	char name[256] = "untouched", *text;
	auto_close int fd = path_open_parent(root_fd, "/absolute/file", name);

	CHECK(fd >= 0);
	CHECK_TEXT(name, "file");
	CHECK(path_open_parent(root_fd, "/", name) == -EINVAL);
	CHECK(path_open_parent(root_fd, "/dir/..", name) == -EINVAL);
	CHECK_TEXT(name, "file");
	CHECK(path_read_link(arena, root_fd, "/absolute", &text) == 0);
	CHECK_TEXT(text, "/dir");
}

int main(void)
{
	auto_arena struct arena arena = {0};
	auto_close int work_fd = -EBADF, root_fd = -EBADF;
	char command[64];

	(void)umask(0);
	test_lexical(&arena);
	if (!mkdtemp(work))
		return 1;
	work_fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdirat(work_fd, "outside", 0755) == 0 && mkdirat(work_fd, "root", 0755) == 0);
	root_fd = openat(work_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	make_tree(root_fd);
	test_resolution(root_fd);
	test_magic_links();
	test_making(root_fd, work_fd);
	test_parents(&arena, root_fd);
	(void)snprintf(command, sizeof(command), "rm -rf %s", work);
	CHECK(system(command) == 0);
	return check_result();
}
