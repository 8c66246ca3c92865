/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADE: carries out a mount plan with the descriptor-based mount calls (fsopen(2), open_tree(2),
 * move_mount(2), mount_setattr(2)): every mount is finished while detached and attached onto a
 * descriptor resolved in-root.
 * Zone: owing for mount_sources_open(), doomed for the rest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/undo.h"
#include "ids/ids.h"
#include "mount/id-mount-apply.h"
#include "mount/mount-plan.h"

/*
 * Detached clones of what lies on the host, opened before the clone with the caller's view and
 * rights.
 */
struct mount_sources {
	int tree_fd; /* the tree itself */
	int *fds;    /* one for each operation of the plan, -EBADF where it has none */
	struct overlay_sources **overlays; /* likewise, NULL where it is no overlay */
	size_t count;
	struct strings temporaries;  /* directories made for empty sources */
	uint32_t root_id;            /* of the payload's root on the host */
	const struct id_map *groups; /* inside, NULL: the host's */
	/*
	 * Without the right to clone mounts (an ordinary user) the descriptors only name what is to
	 * be cloned, until mount_sources_adopt().
	 */
	bool are_named;
	int lent_tree_fd; /* the tree, mounted and mapped by somebody else; -EBADF: we do that */
	int map_fd;       /* user namespace by which owners on disk are mapped, -EBADF without */
	struct overlay_top *writables; /* top layers of overlays, see overlay-top.h */
	const struct ids *ids;         /* of the payload, NULL: the host's */
	struct id_namespaces namespaces;
	struct arena *arena;
};

/*
 * Opens the tree 'directory_fd' and every host source of 'plan'. Pushes the removal of temporary
 * directories onto 'undo'. 'root_id', 'map_fd' and 'lent_tree_fd' of '*ret' are set before; the
 * second stays the caller's. The descriptors are closed by mount_sources_close().
 */
int mount_sources_open(struct arena *arena, const struct mount_plan *plan, int directory_fd,
		       struct mount_sources *ret, struct undo *undo);
void mount_sources_close(struct mount_sources *sources);

/*
 * Clones what was only named so far. To be called with the caller's ids and groups still, in a
 * mount namespace that we may clone from, copied from the one where the sources were opened.
 * Complains itself.
 */
int mount_sources_adopt(struct mount_sources *sources, const struct mount_plan *plan);

/*
 * Hands 'mount_fd' over for the operation of 'plan' with SOURCE_HANDED on 'target'; it is the
 * sources' from here on. Without such an operation, or with a negative descriptor, it is nothing.
 */
void mount_sources_hand(struct mount_sources *sources, const struct mount_plan *plan,
			const char *target, int mount_fd);

/*
 * Maps the owners of the clone '*mount_fd' of what 'operation' mounts, called 'name' in messages,
 * if it says whose they are; 'owner_fd' as in struct id_mount. The tree is at 'directory_fd'.
 */
int mount_sources_map(struct mount_sources *sources, const struct mount_operation *operation,
		      int directory_fd, const char *name, int owner_fd, int *mount_fd);

/*
 * A new empty directory '*ret_path' inside another that only root can enter, both removed with the
 * sources. The path lives in their arena.
 */
int mount_sources_make_temporary(struct mount_sources *sources, struct undo *undo,
				 const char **ret_path);

struct run_host_request;
struct host_file_plan;

/* The place where a tree is being assembled, inside the payload's mount namespace. */
struct mount_site {
	const struct mount_plan *plan;
	const struct mount_sources *sources;
	const struct run_host_request *run_host;
	const struct host_file_plan *host_files;
	uint32_t root_id;           /* of the payload's root, as we see it */
	const struct id_maps *maps; /* of all its ids, as we see them; NULL: they are the same */
	int root_fd;                /* becomes the payload's root */
	int dev_fd, pts_fd, run_fd;
	int proc_fd; /* procfs of our own making, whatever is mounted over it */
	int sysfs_fd;
	int run_host_fd; /* /run/host below its read-only seal */
	int kmsg_fd;
	int *late_fds; /* detached mounts for what comes late, -EBADF where there is none */
};

/*
 * Assembles the tree at 'place' as far as it needs no namespace of the payload. Afterwards the
 * descriptors of the site up to 'run_fd', 'run_host_fd' and 'kmsg_fd' are set.
 */
int mount_assemble(struct mount_site *site, const char *place);

/*
 * Places for the tree, both directories that every host has. Over the root it needs no name; but
 * then the root could not be taken away once it is locked. Aside is where nothing is needed any
 * more: over /proc or /sys it would keep the payload from mounting its own.
 */
#define MOUNT_PLACE_ROOT "/"
#define MOUNT_PLACE_ASIDE "/tmp"

/*
 * To be called by who was born in a user namespace of its own, with a mount namespace copied from
 * where the tree was assembled aside, and with the tree as working directory: finds it there. What
 * was mounted so far cannot be unmounted or made writable any more.
 */
int mount_move_in(struct mount_site *site);

/* Mounts the rest; all descriptors of the site but 'sysfs_fd' are set. */
int mount_finish(struct mount_site *site);

/*
 * Makes site->root_fd the root of this mount namespace and puts the host's out of reach
 * (pivot_root(2)).
 */
int mount_enter(struct mount_site *site);

/*
 * Locks what the payload's own process mounted, too: nobody inside can take it off or mount another
 * of its kind. For a payload whose root is the host's, as far as files of the kernel are asked.
 * Namespaces of mounts that belong to another user namespace are copied with locks, so we go into
 * such a copy. The descriptors of the site lead to where we were, but for 'root_fd'.
 */
int mount_lock(struct mount_site *site);

/*
 * Performs one operation outside the plan's order: the cgroup mount, once the payload is in its
 * cgroup.
 */
int mount_apply_one(struct mount_site *site, const struct mount_operation *operation);

/* What the payload mounts reaches its own children: its root becomes shared, as after any boot. */
int mount_share(struct mount_site *site);
