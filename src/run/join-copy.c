/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds out whether our file is in the reach of a machine, and keeps it out.
 * Zone: free.
 */
#include "run/join-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/scope.h"
#include "confine/capabilities.h"
#include "ids/id-map.h"
#include "run/join-leader.h"
#include "run/sealed.h"

#define NAME "nspawn"

/* What the kernel maps: symbols and the like, which follow, may be most of the file. */
static off_t loaded_bytes(void)
{
	const ElfW(Phdr) *segments = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	off_t end = 0;

	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
		off_t next = (off_t)(segments[i].p_offset + segments[i].p_filesz);

		if (segments[i].p_type == PT_LOAD && next > end)
			end = next;
	}
	return end;
}

static int copy(int from)
{
	auto_close int to = sealed_make(NAME);
	off_t done = 0, size = loaded_bytes();

	TRY(to);
	while (done < size) {
		ssize_t count = sendfile(to, from, &done, (size_t)(size - done));

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count == 0)
			return -EIO;
	}
	TRY(sealed_close(to));
	return steal_fd(to);
}

/*
 * Whether our file may be written to by an id of the machine: its owner has one there, as in a
 * machine without ids of its own and in a user's whose file it is, or it is anybody's to write to.
 */
static bool is_in_reach(int own, pid_t leader)
{
	auto_arena struct arena arena = {0};
	struct id_map users;
	struct stat status;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)leader);
	return fstat(own, &status) < 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) ||
	       id_map_read(&arena, path, &users) < 0 ||
	       id_map_to_inside(&users, status.st_uid) != UINT32_MAX;
}

/*
 * The program of the last step has no rights but what an exec leaves it, and no label to set: where
 * the filter or a label needs more, all of us is copied.
 */
static bool last_step_can(const struct join_request *request)
{
	const struct join_machine *machine = request->machine;
	bool is_root = !request->user || strcmp(request->user, "root") == 0 ||
		       strcmp(request->user, "0") == 0;
	bool loads_filter = !machine->filter || machine->no_new_privileges ||
			    (is_root && (machine->capabilities.bounding & CAPABILITY(SYS_ADMIN)));

	return loads_filter && !join_leader_is_labelled(machine->leader);
}

int join_hide(struct join_request *request, char **words)
{
	auto_close int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), made = -EBADF;
	char **all;
	size_t count = 0;
	int r;

	if (own < 0)
		return fail(-errno, "Cannot open our own executable");
	if (sealed_is(own)) {
		/* The kernel names us after a number. */
		(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
		return 0;
	}
	if (!is_in_reach(own, request->machine->leader))
		return 0;
	if (last_step_can(request)) {
		request->takes_last_step = true;
		return 0;
	}
	made = copy(own);
	if (made < 0) {
		(void)fail(made, "Cannot copy our own executable into memory");
		if (made == -EACCES)
			hint("With vm.memfd_noexec at 2 nothing in memory may run: 'sysctl vm.memfd_noexec=1' lets us");
		return made;
	}
	while (words[count])
		count++;
	all = calloc(count + 2, sizeof(*all));
	if (!all)
		return fail(-ENOMEM, "Cannot run the copy of our own executable");
	all[0] = (char *)NAME;
	for (size_t i = 0; i < count; i++)
		all[i + 1] = words[i];
	(void)execveat(made, "", all, environ, AT_EMPTY_PATH);
	r = fail(-errno, "Cannot run the copy of our own executable");
	free(all);
	return r;
}
