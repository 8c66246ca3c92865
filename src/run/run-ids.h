/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ids of one run: taken before the plan, opened for each boot.
 * Zone: owing.
 */
#pragma once

#include "ids/lease.h"
#include "mount/credentials.h"
#include "mount/ephemeral.h"
#include "run/launch.h"
#include "run/managers.h"

/* The nouns of one run of the program; the kernel takes back what is not in the undo list. */
struct run {
	struct config config;
	struct facts facts;
	struct locks locks;
	struct lease lease; /* of who manages ids, if anybody does */
	struct plan plan;
	struct credentials credentials;
	struct ephemeral ephemeral[2]; /* the second if there could be no snapshot */
	int directory_fd;              /* the tree, or the snapshot of it */
	int tree_fd;                   /* the tree in any case */
	struct control control;        /* of all boots */
	struct managers managers;
	struct ports ports; /* with which the next boot begins */
};

/*
 * Picks and locks a range, or borrows one from who manages ids, where the configuration wants that;
 * kept for all boots of the run. Fills run->facts.ids. Complains itself.
 */
int run_take_ids(struct run *run, struct undo *undo);

/*
 * As root, and where others manage ids, the payload's user namespace is there before it, so that
 * mounts can be mapped by it. Fills what machine->sources needs of it; everything is owed to
 * machine->undo. Complains itself.
 */
int run_open_ids(struct run *run, struct machine *machine);

/*
 * Who manages ids hears of a tree that we mounted ourselves, once it is open: nothing could be
 * written to it else. Complains itself.
 */
int run_lend_mount(const struct machine *machine);
