/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two steps over the border of a user namespace: first the ids, then the process.
 * Zone: doomed.
 */
#include "run/payload-ids.h"

#include <errno.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/scope.h"
#include "confine/capabilities.h"
#include "mount/credentials.h"
#include "run/payload.h"

/* Changing ids clears both (prctl(2)). */
static int stay_tied(bool is_dumpable)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, is_dumpable, 0, 0, 0) < 0)
		return fail(-errno, "Cannot tie the payload's life to the supervisor's");
	return 0;
}

/* Whoever may have only one id may not choose its groups (user_namespaces(7)). */
static int become_root(enum ids_writer writer)
{
	if ((writer != IDS_WRITER_SINGLE && setgroups(0, NULL) < 0) || setresgid(0, 0, 0) < 0 ||
	    setresuid(0, 0, 0) < 0)
		return fail(-errno, "Cannot become root in the user namespace");
	return 0;
}

/*
 * Only the ids of the file system: who is not root for the kernel's other questions could not make
 * the payload's namespaces.
 */
static int make_files_as(uint32_t id)
{
	(void)setfsgid(id);
	(void)setfsuid(id);
	if ((uint32_t)setfsuid(UINT32_MAX) != id || (uint32_t)setfsgid(UINT32_MAX) != id)
		return refuse(EPERM, "Cannot make files that belong to the id %u", id);
	if (capabilities_use_all() < 0)
		return fail(-errno, "Cannot keep the rights for assembling the tree");
	return stay_tied(/* is_dumpable= */ false);
}

static int mount_credentials(struct payload_request *request)
{
	int fd;

	if (!request->credentials || request->credentials->count == 0)
		return 0;
	fd = credentials_mount(request->credentials, /* owner= */ 0);
	credentials_forget_lent(request->credentials);
	TRY(fd);
	mount_sources_hand(request->sources, &request->plan->mounts, CREDENTIALS_DIRECTORY_INSIDE,
			   fd);
	return 0;
}

/* Whoever entered a user namespace may do there what its maker may, also make a copy of the mounts.
 */
static int enter_leased(int users_fd)
{
	if (setns(users_fd, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0)
		return fail(-errno,
			    "Cannot enter the user namespace that systemd-nsresourced gave");
	return 0;
}

int payload_ids_assume(struct payload_request *request)
{
	const struct ids *ids = &request->plan->ids;

	if (ids->writer == IDS_WRITER_SELF)
		return make_files_as(ids->shift);
	if (ids->writer == IDS_WRITER_MANAGER)
		TRY(enter_leased(request->ids_fd));
	else if (handshake_hear(&request->handshake, HANDSHAKE_MAPPED, NULL) < 0)
		_exit(EXIT_FAILURE); /* what fails is the way by which a sentence would go */
	if (request->sources->are_named)
		TRY(mount_sources_adopt(request->sources, &request->plan->mounts));
	TRY(become_root(ids->writer));
	TRY(mount_credentials(request));
	/* The maps of the payload's namespace are still to be written, by way of our files in
	 * /proc. */
	return stay_tied(/* is_dumpable= */ true);
}

/* One more namespace with the same ids: what was mounted in ours is locked there. */
static int open_inner_namespace(struct arena *arena, const struct ids *ids)
{
	const struct id_map *outer[2] = {&ids->maps.users, &ids->maps.groups};
	struct id_maps inner;
	struct id_map *maps[2] = {&inner.users, &inner.groups};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		struct id_extent *items =
			arena_allocate(arena, outer[i]->count * sizeof(struct id_extent));

		for (size_t j = 0; j < outer[i]->count; j++) {
			items[j] = outer[i]->items[j];
			items[j].outside = items[j].inside;
		}
		*maps[i] = (struct id_map){items, outer[i]->count};
	}
	return id_maps_open_namespace(&inner);
}

static int enter_namespace(struct payload_request *request)
{
	const struct ids *ids = &request->plan->ids;
	int fd = ids->writer == IDS_WRITER_SELF ? request->ids_fd
						: open_inner_namespace(request->arena, ids);

	if (fd < 0)
		return fail(fd, "Cannot make the payload's user namespace");
	/* The owner of a user namespace is who makes it: the host's root, not the payload's. */
	(void)setfsuid(geteuid());
	(void)setfsgid(getegid());
	return setns(fd, CLONE_NEWUSER) < 0
		       ? fail(-errno, "Cannot enter the payload's user namespace")
		       : 0;
}

int payload_ids_cross(struct payload_request *request, int directory_fd)
{
	int passengers[_PASSENGER_COUNT];
	struct clone_args arguments = {
		/* A child of the supervisor, which waits for it, like ourselves. */
		.flags = request->plan->clone_flags | CLONE_PARENT | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&passengers[PASSENGER_PIDFD],
	};
	long pid;

	if (fchdir(directory_fd) < 0)
		return fail(-errno, "Cannot enter the assembled tree");
	TRY(enter_namespace(request));
	passengers_none(passengers);
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid < 0) {
		(void)fail(-errno, "Cannot create the namespaces of the machine");
		if (errno == ENOSPC)
			hint("A limit of /proc/sys/user/max_*_namespaces is reached");
		return -errno;
	}
	if (pid > 0)
		_exit(handshake_say(&request->handshake, HANDSHAKE_BORN, passengers) < 0
			      ? EXIT_FAILURE
			      : EXIT_SUCCESS);
	TRY(become_root(request->plan->ids.writer));
	return stay_tied(/* is_dumpable= */ false);
}
