/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of the whole machine: as files of a cgroup, which here is any directory with such files.
 */
#include "manager/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/scope.h"
#include "base/undo.h"
#include "captured.h"
#include "check.h"

static const char *formatted(enum resource resource, uint64_t value)
{
	static char text[RESOURCE_TEXT_MAX];

	resource_format(resource, value, text);
	return text;
}

static void test_formats(void)
{
	CHECK_TEXT(formatted(RESOURCE_MEMORY, 1024), "1024");
	CHECK_TEXT(formatted(RESOURCE_MEMORY, RESOURCE_UNLIMITED), "max");
	CHECK_TEXT(formatted(RESOURCE_CPUS, 1500000), "150000 100000");
	CHECK_TEXT(formatted(RESOURCE_CPUS, RESOURCE_UNLIMITED), "max 100000");
	CHECK_TEXT(formatted(RESOURCE_TASKS, 7), "7");
	CHECK_TEXT(formatted(RESOURCE_IO_WEIGHT, 200), "default 200");
}

static uint64_t parsed(enum resource resource, const char *text)
{
	uint64_t value = 0;

	return resource_parse(resource, text, &value) < 0 ? 0 : value;
}

static void test_parsing(void)
{
	CHECK(parsed(RESOURCE_MEMORY, "4096\n") == 4096);
	CHECK(parsed(RESOURCE_MEMORY, "max\n") == RESOURCE_UNLIMITED);
	CHECK(parsed(RESOURCE_CPUS, "max 100000\n") == RESOURCE_UNLIMITED);
	CHECK(parsed(RESOURCE_CPUS, "50000 100000\n") == 500000);
	CHECK(parsed(RESOURCE_CPUS, "50000 25000\n") == 2000000);
	CHECK(parsed(RESOURCE_IO_WEIGHT, "default 100\n") == 100);
	CHECK(parsed(RESOURCE_IO_WEIGHT, "default 300\n8:16 200\n") == 300);
	CHECK(parsed(RESOURCE_CPUS, "50000 0\n") == 0 && parsed(RESOURCE_CPUS, "5\n") == 0);
	CHECK(parsed(RESOURCE_CPUS, "18446744073709551614 1\n") == 0);
	CHECK(parsed(RESOURCE_MEMORY, "") == 0 && parsed(RESOURCE_MEMORY, "x") == 0);
	CHECK(parsed(RESOURCE_TASKS, "99999999999999999999999999999999999") == 0);
}

static void want(struct config *config, const char *property)
{
	strings_add(&config->arena, &config->properties, property);
}

static void test_wanted(void)
{
	struct config config = {.resources[RESOURCE_TASKS] = {true, 40}};
	struct resource_wish wishes[_RESOURCE_COUNT];

	want(&config, "TasksMax=30");
	want(&config, "MemoryMax=1G");
	want(&config, "CPUQuota=150%");
	want(&config, "DeviceAllow=/dev/null");
	CHECK(resources_are_all_properties(&config));
	want(&config, "IOWeight=");
	want(&config, "MemoryMax=1Q");
	CHECK(!resources_are_all_properties(&config));
	resources_wanted(&config, wishes);
	CHECK(wishes[RESOURCE_TASKS].value == 30 && wishes[RESOURCE_TASKS].is_property);
	CHECK(wishes[RESOURCE_MEMORY].value == UINT64_C(1) << 30);
	CHECK(wishes[RESOURCE_CPUS].value == 1500000);
	CHECK(!wishes[RESOURCE_IO_WEIGHT].is_set);
	arena_done(&config.arena);
}

/* --- Files --- */

static void put(int fd, const char *name, const char *text)
{
	auto_close int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(file >= 0 && fd_write_all(file, text, strlen(text)) == 0);
}

static bool has(int fd, const char *name, const char *text)
{
	auto_free char *now = NULL;

	return file_read(fd, name, 4096, &now, NULL) == 0 && strncmp(now, text, strlen(text)) == 0;
}

static void test_files(int fd)
{
	struct config config = {
		.resources = {[RESOURCE_MEMORY] = {true, 4096}, [RESOURCE_CPUS] = {true, 250000}}};
	struct resources_request request = {
		.config = &config,
		.machine = "web",
		.directory = "/sys/fs/cgroup/x",
		.group_fd = fd,
		.parent_fd = -EBADF,
		.is_kept = true,
	};
	struct captured captured;
	struct undo undo = {0};

	put(fd, "memory.max", "max\n");
	put(fd, "cpu.max", "max 100000\n");
	CHECK(resources_apply(&config.arena, &request, &undo) == 0);
	CHECK(has(fd, "memory.max", "4096") && has(fd, "cpu.max", "25000 100000"));
	undo_all(&undo);
	CHECK(has(fd, "memory.max", "max") && has(fd, "cpu.max", "max 100000"));

	/* Told to a manager: only looked at. */
	request.is_managed = true;
	CHECK(resources_apply(&config.arena, &request, &undo) == 0 && undo.count == 0);
	CHECK(has(fd, "memory.max", "max"));

	/* A controller that is not there. */
	config.resources[RESOURCE_TASKS] = (struct resource_request){true, 7};
	capture_start(&captured);
	CHECK(resources_apply(&config.arena, &request, &undo) == -EOPNOTSUPP);
	CHECK_TEXT(captured.first,
		   "Cannot limit machine 'web' by '--tasks': its cgroup has no controller 'pids'");
	config.resources[RESOURCE_TASKS].is_set = false;
	want(&config, "TasksMax=30");
	capture_start(&captured);
	CHECK(resources_apply(&config.arena, &request, &undo) == 0 && captured.failures == 0);
	CHECK(strstr(captured.all, "'--property=TasksMax=' has no effect"));

	/* No group at all. */
	request.group_fd = -EBADF;
	capture_start(&captured);
	CHECK(resources_apply(&config.arena, &request, &undo) == -EOPNOTSUPP);
	CHECK(strstr(captured.first, "no controller 'memory'"));
	log_set_sink(NULL, NULL);
	arena_done(&config.arena);
}

static void test_controllers(void)
{
	struct config config = {
		.resources = {[RESOURCE_IO_WEIGHT] = {true, 50}, [RESOURCE_CPUS] = {true, 1}}};
	struct config none = {0};

	CHECK_TEXT(resources_controllers(&config.arena, &config), "cpu io");
	CHECK(!resources_controllers(&none.arena, &none));
	arena_done(&config.arena);
}

/* The group above has it and could hand it down, but does not: the advice is another. */
static void test_parent(int fd, int parent_fd)
{
	struct config config = {.resources[RESOURCE_IO_WEIGHT] = {true, 50}};
	const struct resources_request request = {
		.config = &config,
		.machine = "web",
		.directory = "/sys/fs/cgroup/x",
		.group_fd = fd,
		.parent_fd = parent_fd,
	};
	struct captured captured;
	struct undo undo = {0};

	put(parent_fd, "cgroup.controllers", "cpuset cpu io memory\n");
	capture_start(&captured);
	CHECK(resources_apply(&config.arena, &request, &undo) == -EOPNOTSUPP);
	CHECK(strstr(captured.all, "The cgroup above has it"));
	put(parent_fd, "cgroup.controllers", "cpuset cpu\n");
	capture_start(&captured);
	CHECK(resources_apply(&config.arena, &request, &undo) == -EOPNOTSUPP);
	CHECK(strstr(captured.all, "cgroup_no_v1=io"));
	put(fd, "io.weight", "default 100\n");
	CHECK(resources_apply(&config.arena, &request, &undo) == 0);
	CHECK(has(fd, "io.weight", "default 50") && undo.count == 0);
	log_set_sink(NULL, NULL);
	arena_done(&config.arena);
}

int main(void)
{
	char path[] = "/tmp/nspawn-test-XXXXXX";
	static const char *const files[] = {"memory.max", "cpu.max", "io.weight",
					    "cgroup.controllers", "cgroup.subtree_control"};
	auto_close int parent_fd = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY) : -1;
	auto_close int fd = -1;

	test_formats();
	test_parsing();
	test_wanted();
	CHECK(parent_fd >= 0 && mkdirat(parent_fd, "group", 0755) == 0);
	fd = openat(parent_fd, "group", O_RDONLY | O_DIRECTORY);
	test_files(fd);
	test_parent(fd, parent_fd);
	test_controllers();
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)unlinkat(fd, files[i], 0);
		(void)unlinkat(parent_fd, files[i], 0);
	}
	CHECK(unlinkat(parent_fd, "group", AT_REMOVEDIR) == 0 && rmdir(path) == 0);
	return check_result();
}
