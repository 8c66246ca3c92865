/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent's side of the story, from the clone to the moment the payload runs. Read it beside
 * run/payload.c.
 * Zone: owing.
 */
#pragma once

#include "base/undo.h"
#include "host/locks.h"
#include "host/registry.h"
#include "manager/cgroup.h"
#include "mount/mount-apply.h"
#include "net/net-apply.h"
#include "net/ports.h"
#include "run/console.h"
#include "run/control.h"
#include "run/handshake.h"
#include "run/journal-remote.h"
#include "run/managers.h"
#include "run/plan.h"

/* MADE: what exists now. */
struct machine {
	const struct plan *plan;
	struct arena *arena;
	const struct locks *locks;
	struct registry_entry *entry; /* NULL: nobody shall find it */
	struct managers *managers;
	struct undo *undo;
	struct exchange exchange;
	struct mount_sources sources;
	struct journal_remote journal_remote;
	const struct credentials *credentials; /* for the container to mount, or NULL */
	int ids_fd; /* the payload's user namespace, -EBADF: none, or made by the payload's side */
	int tree_map_fd; /* the one that the tree is mapped by, if that is another, or -EBADF */
	struct net net;
	int network_fd;  /* the machine's network, where we may not enter by its process, or -EBADF
			  */
	int *interfaces; /* what entry->interfaces has, once that was written */
	struct ports ports;
	struct cgroup cgroup;
	bool has_cgroup;
	pid_t pid;
	int pidfd;
	int guard_fd; /* pidfd of the guard, -EBADF without */
	struct handshake handshake;
	struct handshake_watch watch; /* while the payload is set up */
	int notify_fd;
	int names_fd; /* of names_work() and names_take_back(), or -EBADF */
	int kmsg_fd;  /* held open, so that readers of /proc/kmsg block */
	struct console console;
	struct control *control; /* the run's; clients of it, and the console's log */
	bool is_stopping;        /* somebody has told us to end it */
};

/*
 * Clones the payload and accompanies it until it runs. Everything is owed to machine->undo. Fails
 * with one sentence printed, the payload's own where it was the payload that failed.
 */
int launch(struct machine *machine);

/*
 * SIGKILL to the payload; if the policy of its label refuses even that, to its whole cgroup, which
 * no policy is asked about. Returns 0, or a negative errno when it cannot be killed. Silent.
 */
int machine_kill(const struct machine *machine);
