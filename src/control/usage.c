/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files of a cgroup (Documentation/admin-guide/cgroup-v2.rst). Names of groups below the
 * machine's own are the guest's.
 * Zone: free.
 */
#include "control/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "manager/cgroup-find.h"
#include "manager/cgroup-walk.h"

#define FILE_MAX ((size_t)1024 * 1024)
#define DEPTH_MAX 12
#define LINES_MAX 150
#define COMMAND_BYTES 160

int usage_open(const char *directory)
{
	return directory ? cgroup_open(AT_FDCWD, directory) : -ENOENT;
}

/* --- Numbers --- */

/* The digits at 'text', up to whatever follows. */
static bool read_number(const char *text, uint64_t *ret)
{
	char digits[24];
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length >= sizeof(digits))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	return parse_u64(digits, ret) == 0;
}

bool usage_keyed_number(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);

	while (*text) {
		if (strncmp(text, key, length) == 0 && text[length] == ' ')
			return read_number(text + length + 1, ret);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}

bool usage_nested_sum(const char *text, const char *key, uint64_t *ret)
{
	size_t length = strlen(key);
	uint64_t number, sum = 0;
	bool is_found = false;

	while (*text) {
		text += strspn(text, BLANKS);
		if (strncmp(text, key, length) == 0 && text[length] == '=' &&
		    read_number(text + length + 1, &number)) {
			sum += number;
			is_found = true;
		}
		text += strcspn(text, BLANKS);
	}
	if (is_found)
		*ret = sum;
	return is_found;
}

static bool read_file_number(int group_fd, const char *name, uint64_t *ret)
{
	auto_free char *text = NULL;

	return file_read(group_fd, name, 64, &text, NULL) == 0 && read_number(text, ret);
}

static bool has_event(int group_fd, const char *event)
{
	auto_free char *text = NULL;
	uint64_t number = 0;

	return file_read(group_fd, "cgroup.events", 4096, &text, NULL) == 0 &&
	       usage_keyed_number(text, event, &number) && number > 0;
}

bool usage_is_frozen(int group_fd)
{
	return group_fd >= 0 && has_event(group_fd, "frozen");
}

/* --- Processes --- */

const char *usage_comm(struct arena *arena, pid_t pid)
{
	auto_free char *text = NULL;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (file_read(AT_FDCWD, path, 256, &text, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0'; /* the last; others are the guest's and come before */
	return escape_text(arena, text);
}

/* As much of the command line as is shown; its words have NULs behind them. */
static ssize_t read_command(pid_t pid, char text[COMMAND_BYTES])
{
	auto_close int fd = -EBADF;
	char path[48];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, COMMAND_BYTES - 1);
	if (length < 0)
		return -errno;
	while (length > 0 && text[length - 1] == '\0')
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[length] = '\0';
	return length;
}

/* Or its name between brackets, escaped; NULL: it has ended. */
static const char *command_of(struct arena *arena, pid_t pid)
{
	char text[COMMAND_BYTES];
	ssize_t length = read_command(pid, text);
	const char *name;

	if (length > 0)
		return escape_text(arena, text);
	name = usage_comm(arena, pid);
	return name ? arena_format(arena, "[%s]", name) : NULL;
}

/* --- All of it --- */

static int count_process(pid_t pid, void *argument)
{
	(void)pid;
	(*(uint64_t *)argument)++;
	return 0;
}

void usage_read(int group_fd, struct usage *ret)
{
	auto_free char *cpu = NULL, *io = NULL;

	*ret = (struct usage){0};
	if (group_fd < 0)
		return;
	ret->has_memory = read_file_number(group_fd, "memory.current", &ret->memory_bytes);
	(void)read_file_number(group_fd, "memory.peak", &ret->memory_most_bytes);
	ret->has_tasks = true;
	if (!read_file_number(group_fd, "pids.current", &ret->tasks))
		(void)cgroup_walk(group_fd, count_process, &ret->tasks);
	if (file_read(group_fd, "cpu.stat", FILE_MAX, &cpu, NULL) == 0)
		ret->has_cpu = usage_keyed_number(cpu, "usage_usec", &ret->cpu_usec);
	if (file_read(group_fd, "io.stat", FILE_MAX, &io, NULL) == 0) {
		/* No line means that nothing was read or written yet. */
		ret->has_io = true;
		(void)usage_nested_sum(io, "rbytes", &ret->read_bytes);
		(void)usage_nested_sum(io, "wbytes", &ret->written_bytes);
	}
}

/* --- The tree --- */

struct picture {
	struct arena *arena;
	size_t lines, hidden;
	const char *indent;
	pid_t waiting; /* printed when it is known whether another follows */
};

static void print_process(struct picture *picture, bool is_last)
{
	const char *command;

	if (picture->waiting == 0)
		return;
	if (picture->lines >= LINES_MAX) {
		picture->hidden++;
	} else {
		command = command_of(picture->arena, picture->waiting);
		(void)printf("%s%s%d %s\n", picture->indent, is_last ? "└─" : "├─",
			     (int)picture->waiting, command ? command : "(ended)");
		picture->lines++;
	}
	picture->waiting = 0;
}

static int draw_process(pid_t pid, void *argument)
{
	struct picture *picture = argument;

	print_process(picture, false);
	picture->waiting = pid;
	return 0;
}

/* True if anything runs in the group or below. */
static bool is_populated(int group_fd)
{
	return has_event(group_fd, "populated");
}

/* Names of groups below that have processes, in order. */
static void list_groups(struct arena *arena, int group_fd, struct strings *ret)
{
	auto_closedir DIR *directory = cgroup_open_below(group_fd);
	const char *name;
	int fd;

	while (directory && ret->count < LINES_MAX &&
	       (fd = cgroup_next_below(directory, &name)) >= 0) {
		if (is_populated(fd))
			strings_add(arena, ret, arena_copy(arena, name));
		(void)close(fd);
	}
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void draw(struct picture *picture, int group_fd, const char *indent, unsigned int depth)
{
	struct strings groups = {0};
	size_t left = CGROUP_PROCESSES_MAX;

	list_groups(picture->arena, group_fd, &groups);
	if (groups.count > 0)
		qsort(groups.items, groups.count, sizeof(*groups.items), compare_texts);
	picture->indent = indent;
	(void)cgroup_walk_one(group_fd, &left, draw_process, picture);
	print_process(picture, groups.count == 0);
	for (size_t i = 0; i < groups.count; i++) {
		auto_close int fd = cgroup_open(group_fd, groups.items[i]);
		bool is_last = i + 1 == groups.count;

		if (fd < 0 || picture->lines >= LINES_MAX || depth >= DEPTH_MAX) {
			picture->hidden++;
			continue;
		}
		(void)printf("%s%s%s\n", indent, is_last ? "└─" : "├─",
			     escape_text(picture->arena, groups.items[i]));
		picture->lines++;
		draw(picture, fd,
		     arena_format(picture->arena, "%s%s", indent, is_last ? "  " : "│ "),
		     depth + 1);
	}
}

void usage_print_processes(struct arena *arena, int group_fd, const char *indent)
{
	struct picture picture = {.arena = arena};

	draw(&picture, group_fd, indent, 0);
	if (picture.hidden > 0)
		(void)printf("%s(%zu more)\n", indent, picture.hidden);
}
