/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a tree says about itself: whether it is an operating system, which one, its machine id and
 * its init.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "image/os-release.h"

struct arena;

enum machine_id_state {
	MACHINE_ID_MISSING,
	MACHINE_ID_EMPTY,
	MACHINE_ID_UNINITIALIZED, /* the word "uninitialized", machine-id(5) */
	MACHINE_ID_INVALID,
	MACHINE_ID_VALID,
};

/* Programs that serve as PID 1 of a system, told apart because each is halted in its own way. */
enum init_kind {
	INIT_UNKNOWN,
	INIT_SYSTEMD,
	INIT_SYSVINIT,
	INIT_OPENRC, /* openrc-init; OpenRC started by sysvinit or busybox counts as those */
	INIT_RUNIT,
	INIT_S6,
	INIT_DINIT,
	INIT_BUSYBOX,
	_INIT_KIND_COUNT,
};

struct os_tree {
	/*
	 * Something may not be looked at by us, as it belongs to ids that only the machine has.
	 * The rest says what could be seen.
	 */
	bool is_unseen;
	bool has_usr;
	enum machine_id_state machine_id_state;
	uint8_t machine_id[16]; /* if valid */

	/* Only filled for OS_TREE_BOOT, and the first two for a tree without /usr. */
	bool has_os_release;
	struct os_identity identity;
	const char *init_path; /* NULL: there is none */
	enum init_kind init_kind;
};

enum os_tree_depth {
	OS_TREE_COMMAND, /* what every start needs: a handful of system calls */
	OS_TREE_BOOT,
};

/*
 * Looks into the tree at 'root_fd'. What is missing or malformed is a finding, not an error; a
 * negative errno says that the tree cannot be looked at (-EIO). Texts are put into the
 * arena.
 */
int os_tree_probe(struct arena *arena, int root_fd, enum os_tree_depth depth, struct os_tree *ret);

/* "systemd", "sysvinit", … */
const char *init_kind_name(enum init_kind kind);
