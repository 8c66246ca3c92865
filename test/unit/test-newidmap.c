/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How newuidmap and newgidmap are found and run: in their place are scripts that write down what
 * they got.
 */
#include "ids/newidmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"
#include "captured.h"
#include "check.h"

static struct captured captured;
static char directory[] = "/tmp/nspawn-newidmap-XXXXXX";
static struct arena arena;

static const char *in_directory(const char *name)
{
	return arena_format(&arena, "%s/%s", directory, name);
}

static void make(const char *name, const char *script, mode_t mode)
{
	int fd = open(in_directory(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	CHECK(fd >= 0 && fd_write_all(fd, script, strlen(script)) == 0);
	CHECK(fchmod(fd, mode) == 0);
	(void)close(fd);
}

static void check_file(const char *name, const char *expected)
{
	auto_free char *text = NULL;

	CHECK(file_read(AT_FDCWD, in_directory(name), 4096, &text, NULL) == 0);
	CHECK_TEXT(text, expected);
	(void)unlink(in_directory(name));
}

static void test_find(void)
{
	const char *const places[] = {"/nonexistent", directory, NULL};

	CHECK(!newidmap_find(&arena, NEWIDMAP_USERS, places));
	make("newuidmap", "", 0600);
	CHECK(!newidmap_find(&arena, NEWIDMAP_USERS, places)); /* not to be run */
	make("newuidmap", "", 0700);
	CHECK_TEXT(newidmap_find(&arena, NEWIDMAP_USERS, places), in_directory("newuidmap"));
	CHECK(mkdir(in_directory("newgidmap"), 0700) == 0);
	CHECK(!newidmap_find(&arena, NEWIDMAP_GROUPS, places)); /* no program */
	CHECK(rmdir(in_directory("newgidmap")) == 0);
	CHECK(unlink(in_directory("newuidmap")) == 0);
}

static void test_run(void)
{
	static const struct id_extent users[] = {{0, 1000, 1}, {1, 100000, 65535}},
				      groups[] = {{0, 4294967294u, 1}};
	static const struct id_maps maps = {{users, 2}, {groups, 1}};
	const char *const programs[] = {in_directory("newuidmap"), in_directory("newgidmap")};
	const char *script = arena_format(
		&arena,
		"#!/bin/sh\necho \"$0 $* $SECRET\" >>%s/log\nset -- /proc/$$/fd/*\necho $# >>%s/log\n",
		directory, directory);
	int spare = open("/dev/null", O_RDONLY); /* on purpose without close-on-exec */

	CHECK(setenv("SECRET", "x", 1) == 0);
	make("newuidmap", script, 0700);
	make("newgidmap", script, 0700);
	capture_start(&captured);
	CHECK(newidmap_write(programs, 77, &maps) == 0);
	/* Its three, the script, and the directory that the shell looks into: nothing of ours. */
	check_file("log",
		   arena_format(&arena,
				"%s 77 0 1000 1 1 100000 65535 \n5\n%s 77 0 4294967294 1 \n5\n",
				programs[0], programs[1]));
	CHECK_TEXT(captured.all, "");
	(void)close(spare);
}

static void test_refused(void)
{
	static const struct id_extent extent = {0, 1000, 1};
	static const struct id_maps maps = {{&extent, 1}, {&extent, 1}};
	const char *const programs[] = {in_directory("newuidmap"), in_directory("newgidmap")};

	/* More than a pipe holds, so who does not read it waits for ever. */
	make("newgidmap",
	     "#!/bin/sh\necho 'gid range [0-1) -> [5-6) not allowed' >&2\n"
	     "head -c 200000 /dev/zero >&2\nexit 1\n",
	     0700);
	capture_start(&captured);
	CHECK(newidmap_write(programs, 1, &maps) == -EPERM);
	CHECK(strstr(captured.first, "gid range [0-1) -> [5-6) not allowed"));
	CHECK(strstr(captured.all, "/etc/subgid") && captured.failures == 2);
	make("newgidmap", "#!/bin/sh\nkill -9 $$\n", 0700);
	capture_start(&captured);
	CHECK(newidmap_write(programs, 1, &maps) == -EPERM);
	CHECK(strstr(captured.first, "it did not say why"));
	(void)unlink(in_directory("log"));
	CHECK(unlink(programs[0]) == 0);
	CHECK(unlink(programs[1]) == 0);
}

int main(void)
{
	CHECK(mkdtemp(directory));
	test_find();
	test_run();
	test_refused();
	CHECK(rmdir(directory) == 0);
	arena_done(&arena);
	return check_result();
}
