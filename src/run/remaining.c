/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of the processes in a machine's cgroup. They are the guest's choice, so escaped and cut.
 * Zone: owing.
 */
#include "run/remaining.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/scope.h"
#include "manager/cgroup-walk.h"
#include "run/launch.h"
#include "run/notify.h"

#define NAMES_MAX 6
#define NAME_BYTES 40 /* escaped; the kernel's are 15 characters at most (proc_pid_comm(5)) */

struct remaining {
	pid_t leader;
	char names[NAMES_MAX][NAME_BYTES];
	size_t count, others;
};

static bool name_of(pid_t pid, char ret[NAME_BYTES])
{
	auto_free char *text = NULL;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (file_read(AT_FDCWD, path, 256, &text, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	notify_escape(ret, NAME_BYTES, text);
	return true;
}

static int remember(pid_t pid, void *argument)
{
	struct remaining *remaining = argument;
	char name[NAME_BYTES];

	if (pid == remaining->leader)
		return 0;
	if (remaining->count == NAMES_MAX) {
		remaining->others++;
		return 0;
	}
	if (!name_of(pid, name))
		return 0;
	for (size_t i = 0; i < remaining->count; i++)
		if (strcmp(remaining->names[i], name) == 0) {
			remaining->others++;
			return 0;
		}
	memcpy(remaining->names[remaining->count++], name, sizeof(name));
	return 0;
}

void remaining_describe(const struct machine *machine, char ret[REMAINING_MAX])
{
	struct remaining remaining = {.leader = machine->pid};
	size_t used = 0;

	if (machine->has_cgroup)
		(void)cgroup_walk(machine->cgroup.payload_fd, remember, &remaining);
	if (remaining.count == 0) {
		(void)snprintf(ret, REMAINING_MAX, "its first process");
		return;
	}
	for (size_t i = 0; i < remaining.count; i++)
		used += (size_t)snprintf(ret + used, REMAINING_MAX - used, "%s%s",
					 i == 0 ? ""
					 : i + 1 == remaining.count && remaining.others == 0
						 ? " and "
						 : ", ",
					 remaining.names[i]);
	if (remaining.others > 0)
		(void)snprintf(ret + used, REMAINING_MAX - used, " and %zu more", remaining.others);
}
