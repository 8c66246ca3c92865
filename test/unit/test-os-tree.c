/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is found in trees, well-made and hostile.
 */
#include "image/os-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/scope.h"
#include "check.h"

static char directory[] = "/tmp/test-os-tree-XXXXXX";
static int root_fd;

/* The tests make their trees relative to the current directory, which is the tree's root. */
static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = unlink(path) == 0 || errno == ENOENT ? fopen(path, "w") : NULL;

	CHECK(file && fputs(text, file) >= 0);
	CHECK(file && fclose(file) == 0 && chmod(path, mode) == 0);
}

static void start_tree(void)
{
	static const char *const directories[] = {
		"usr", "usr/lib", "usr/lib/systemd", "usr/bin", "usr/sbin", "etc", "bin", "sbin"};

	CHECK(chdir("/") == 0);
	strcpy(directory, "/tmp/test-os-tree-XXXXXX");
	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		CHECK(mkdir(directories[i], 0755) == 0);
	root_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(root_fd >= 0);
}

static void remove_tree(void)
{
	char command[64];

	(void)close(root_fd);
	CHECK(chdir("/") == 0);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	CHECK(system(command) == 0);
}

static struct os_tree probe(struct arena *arena, enum os_tree_depth depth)
{
	struct os_tree tree = {0};

	CHECK(os_tree_probe(arena, root_fd, depth, &tree) == 0);
	return tree;
}

static void test_empty_directory(void)
{
	auto_arena struct arena arena = {0};
	struct os_tree tree;

	start_tree();
	tree = probe(&arena, OS_TREE_BOOT);
	CHECK(tree.has_usr && !tree.has_os_release && !tree.init_path);
	CHECK(tree.machine_id_state == MACHINE_ID_MISSING);
	CHECK(rename("usr", "other") == 0 && symlink("/nowhere", "usr") == 0);
	CHECK(!probe(&arena, OS_TREE_BOOT).has_usr);
	remove_tree();
}

static void test_os_release(void)
{
	auto_arena struct arena arena = {0};
	struct os_tree tree;
	char *long_text;

	start_tree();
	write_file(
		"usr/lib/os-release",
		"# comment\nPRETTY_NAME=\"Debian \\\"GNU\\\"/Linux\"\nID=debian\nXID=no\nVERSION_ID='12'",
		0644);
	CHECK(symlink("../usr/lib/os-release", "etc/os-release") == 0);
	tree = probe(&arena, OS_TREE_BOOT);
	CHECK(tree.has_os_release);
	CHECK_TEXT(tree.identity.id, "debian");
	CHECK_TEXT(tree.identity.version_id, "12");
	CHECK_TEXT(tree.identity.pretty_name, "Debian \"GNU\"/Linux");
	CHECK(!probe(&arena, OS_TREE_COMMAND).has_os_release);

	/* A link that leads nowhere: the other place counts. */
	CHECK(unlink("etc/os-release") == 0 && symlink("os-release", "etc/os-release") == 0);
	CHECK_TEXT(probe(&arena, OS_TREE_BOOT).identity.id, "debian");

	/* Nothing that could drive a terminal, nothing unterminated, nothing without end. */
	write_file("usr/lib/os-release", "ID=\"a\033[2Jb\"\nVERSION_ID=\"12\nPRETTY_NAME=\n", 0644);
	tree = probe(&arena, OS_TREE_BOOT);
	CHECK(tree.has_os_release && !tree.identity.id && !tree.identity.version_id);
	CHECK_TEXT(tree.identity.pretty_name, "");
	long_text = malloc(200001);
	CHECK(long_text != NULL);
	memset(long_text, 'x', 200000);
	long_text[200000] = '\0';
	memcpy(long_text, "ID=", 3);
	write_file("usr/lib/os-release", long_text, 0644);
	free(long_text);
	tree = probe(&arena, OS_TREE_BOOT);
	CHECK(tree.has_os_release && !tree.identity.id);

	/* Neither a FIFO, which would hold us up, nor a directory is an os-release. */
	CHECK(unlink("usr/lib/os-release") == 0 && mkfifo("usr/lib/os-release", 0644) == 0);
	CHECK(unlink("etc/os-release") == 0 && mkdir("etc/os-release", 0755) == 0);
	CHECK(!probe(&arena, OS_TREE_BOOT).has_os_release);
	remove_tree();
}

static void test_machine_id(void)
{
	static const struct {
		const char *text;
		enum machine_id_state state;
	} cases[] = {
		{"", MACHINE_ID_EMPTY},
		{"\n", MACHINE_ID_EMPTY},
		{"uninitialized\n", MACHINE_ID_UNINITIALIZED},
		{"0123456789abcdef0123456789abcdef\n", MACHINE_ID_VALID},
		{"0123456789abcdef0123456789abcdef", MACHINE_ID_VALID},
		{"00000000000000000000000000000000\n", MACHINE_ID_INVALID},
		{"01234567-89ab-cdef-0123-456789abcdef\n", MACHINE_ID_INVALID},
		{"0123456789abcdef0123456789abcdef\n\n", MACHINE_ID_INVALID},
		{"0123456789abcdef0123456789abcdefg", MACHINE_ID_INVALID},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 MACHINE_ID_INVALID},
	};
	auto_arena struct arena arena = {0};

	start_tree();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_file("etc/machine-id", cases[i].text, 0444);
		CHECK(probe(&arena, OS_TREE_COMMAND).machine_id_state == cases[i].state);
	}
	write_file("etc/machine-id", cases[3].text, 0444);
	CHECK(probe(&arena, OS_TREE_COMMAND).machine_id[1] == 0x23);
	CHECK(unlink("etc/machine-id") == 0 && symlink("machine-id", "etc/machine-id") == 0);
	CHECK(probe(&arena, OS_TREE_COMMAND).machine_id_state == MACHINE_ID_MISSING);
	remove_tree();
}

/* Makes /sbin/init a link to a program of that name. */
static void link_init(const char *program)
{
	(void)unlink("sbin/init");
	if (*program == '/')
		write_file(program + 1, "", 0755);
	CHECK(symlink(program, "sbin/init") == 0);
}

static void test_init_kinds(void)
{
	static const struct {
		const char *program;
		enum init_kind kind;
	} cases[] = {
		{"/usr/lib/systemd/systemd-other", INIT_UNKNOWN},
		{"/usr/bin/busybox", INIT_BUSYBOX},
		{"/sbin/openrc-init", INIT_OPENRC},
		{"/usr/sbin/runit-init", INIT_RUNIT},
		{"/usr/bin/s6-linux-init", INIT_S6},
		{"/usr/sbin/dinit", INIT_DINIT},
		{"/sbin/init.sysvinit", INIT_SYSVINIT},
	};
	auto_arena struct arena arena = {0};
	struct os_tree tree;

	start_tree();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		link_init(cases[i].program);
		tree = probe(&arena, OS_TREE_BOOT);
		CHECK_TEXT(tree.init_path, "/sbin/init");
		CHECK(tree.init_kind == cases[i].kind);
		CHECK(strlen(init_kind_name(tree.init_kind)) > 0);
	}
	/* Programs plainly called init. */
	CHECK(unlink("sbin/init") == 0);
	write_file("sbin/init", "#!/bin/execlineb -S0\ns6-linux-init -c /etc/s6 -- $@\n", 0755);
	CHECK(probe(&arena, OS_TREE_BOOT).init_kind == INIT_S6);
	write_file("sbin/init", "\177ELF", 0755);
	CHECK(probe(&arena, OS_TREE_BOOT).init_kind == INIT_UNKNOWN);
	CHECK(symlink("init", "sbin/telinit") == 0);
	CHECK(probe(&arena, OS_TREE_BOOT).init_kind == INIT_SYSVINIT);
	CHECK(link("sbin/init", "bin/busybox") == 0);
	CHECK(probe(&arena, OS_TREE_BOOT).init_kind == INIT_BUSYBOX);

	/* systemd's own path comes first, but only if it can be run and is a file. */
	CHECK(mkdir("usr/lib/systemd/systemd", 0755) == 0);
	CHECK_TEXT(probe(&arena, OS_TREE_BOOT).init_path, "/sbin/init");
	CHECK(rmdir("usr/lib/systemd/systemd") == 0);
	write_file("usr/lib/systemd/systemd", "", 0644);
	CHECK_TEXT(probe(&arena, OS_TREE_BOOT).init_path, "/sbin/init");
	CHECK(chmod("usr/lib/systemd/systemd", 0755) == 0);
	tree = probe(&arena, OS_TREE_BOOT);
	CHECK_TEXT(tree.init_path, "/usr/lib/systemd/systemd");
	CHECK(tree.init_kind == INIT_SYSTEMD);
	CHECK(!probe(&arena, OS_TREE_COMMAND).init_path);
	remove_tree();
}

/* Links in the tree are read with the tree as root: the host's own files are never found. */
static void test_links_stay_inside(void)
{
	auto_arena struct arena arena = {0};
	struct os_tree tree;

	start_tree();
	CHECK(symlink("/proc/self/exe", "sbin/init") == 0);
	CHECK(symlink("../../../../../../etc/passwd", "etc/os-release") == 0);
	CHECK(symlink("/etc/hostname", "etc/machine-id") == 0);
	tree = probe(&arena, OS_TREE_BOOT);
	CHECK(!tree.init_path && !tree.has_os_release &&
	      tree.machine_id_state == MACHINE_ID_MISSING);
	remove_tree();
}

int main(void)
{
	test_empty_directory();
	test_os_release();
	test_machine_id();
	test_init_kinds();
	test_links_stay_inside();
	return check_result();
}
