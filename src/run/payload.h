/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container's side of the story, from the clone to the exec. Read it beside run/launch.c.
 * Zone: doomed.
 */
#pragma once

#include "host/locks.h"
#include "mount/mount-apply.h"
#include "run/handshake.h"
#include "run/plan.h"

struct payload_request {
	const struct plan *plan;
	struct mount_sources *sources;
	struct arena *arena; /* a copy of the supervisor's, like all memory here */
	/* Of the supervisor, not to be held by its child. */
	const struct locks *locks;
	const struct credentials *credentials; /* to be mounted here, or NULL */
	int supervisor_fd;                     /* its end of the handshake */
	int network_fd;                        /* the network namespace to join, -EBADF: none */
	struct handshake handshake;
	int ids_fd;         /* the payload's user namespace, -EBADF without */
	bool has_cgroup;    /* we were born in, or get moved to, a group of our own */
	bool shows_network; /* the supervisor gets the network by a descriptor of ours */
};

/* Becomes the payload; never returns. */
void payload_run(struct payload_request *request) __attribute__((noreturn));
