/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's side gives up what the payload must not have.
 * Zone: doomed.
 */
#pragma once

#include "confine/users.h"
#include "mount/mount-apply.h"
#include "run/payload.h"

/* What the container's side has in hand while it becomes the payload. */
struct payload {
	struct payload_request *request;
	const struct plan *plan;
	struct mount_site site;
	struct strings environment;
	struct user_identity user;
	int console_fd; /* slave of our pty, -EBADF in a pipe without terminals */
	int label_fd;   /* by which the stub init labels itself, -EBADF without need */
};

/* With a user namespace. */
bool payload_has_own_ids(const struct payload *payload);

/* Limits, affinity and the like, of this process and what comes of it. Complains itself. */
int payload_apply_limits(const struct plan *plan);

/*
 * Every namespace is our own. Must: give up everything the payload must not have, the filter last.
 * Must not yet: run anything of the tree with rights (getent, if it runs, has none).
 */
int payload_confine(struct payload *payload);
