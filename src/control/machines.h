/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FOUND: the machines that a verb is about: ours, and those that only the machine manager of the
 * host knows. Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "control/machined.h"
#include "host/places.h"
#include "host/registry.h"
#include "image/os-release.h"

#define MACHINE_OF_HOST ".host"

struct machine_view {
	const char *name, *class, *service;
	bool is_ours, is_host;
	int pidfd;                   /* of the leader of one of ours, else -EBADF */
	struct registry_entry entry; /* of one of ours */
	const char *path;            /* of the machine manager's object, of one of its */

	int result; /* what a verb came to with it: 0 or a negative errno */

	/* Filled by probe_machines() (control/probe.h), from inside. */
	struct os_identity os;
	struct strings addresses;
	bool has_traffic;
	uint64_t received_bytes, sent_bytes; /* without the loopback */
};

struct machines {
	struct arena *arena;
	const struct places *places;
	struct bus bus; /* to the machine manager, once it was needed */
	struct machine_view *items;
	size_t count, room;
};

/* Closes everything; what is in the arena stays. */
void machines_done(struct machines *machines);
#define auto_machines __attribute__((cleanup(machines_done)))

/* An empty list. */
struct machines machines_none(struct arena *arena, const struct places *places);

/*
 * Adds all that run, sorted by name; 'with_host': the host as well, first. Complains itself; that
 * the manager cannot be asked is only worth a warning.
 */
int machines_add_all(struct machines *machines, bool with_host);

/* Adds the one of that name. Complains itself: -ESRCH, -EAGAIN if it is about to start. */
int machines_add(struct machines *machines, const char *name);

/* Adds those of all names; goes on after a failure, and returns it at the end. */
int machines_add_names(struct machines *machines, const struct strings *names);

/* Whose the machine is: the user that its supervisor runs as, 0 if that cannot be told. */
uid_t machines_uid(const struct registry_entry *entry);
