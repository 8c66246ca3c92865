/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: the file system of the payload as an ordered list of operations. Pure: made from the
 * configuration and from facts, without a system call, and printable.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "config/config.h"
#include "mount/exchange.h"

enum mount_operation_kind {
	OPERATION_BASE,       /* directories and links every tree needs */
	OPERATION_NEW,        /* a new instance of a kernel file system */
	OPERATION_BIND,       /* something that exists, seen elsewhere */
	OPERATION_OVERLAY,    /* directories on top of each other */
	OPERATION_COVER,      /* an unreadable object of the target's own kind over the target */
	OPERATION_DEVICES,    /* fills /dev */
	OPERATION_RUN_HOST,   /* fills /run/host */
	OPERATION_DIRECTORY,  /* a directory to mount on later */
	OPERATION_REMOUNT,    /* other flags; 'recursive': also for what is below */
	OPERATION_HOST_FILES, /* resolv.conf and localtime */
	OPERATION_MACHINE_ID, /* 'source' instead of what the tree has */
	OPERATION_OS_CHECK,   /* nothing but a look for 'source', OS_CHECK_WANTS_* */
	_OPERATION_COUNT,
};

/* What makes a tree an operating system: for a program either, for an init the second. */
#define OS_CHECK_WANTS_USR "/usr"
#define OS_CHECK_WANTS_RELEASE "os-release"

enum mount_flags {
	MOUNT_FLAG_READ_ONLY = 1 << 0,
	MOUNT_FLAG_NOSUID = 1 << 1,
	MOUNT_FLAG_NODEV = 1 << 2,
	MOUNT_FLAG_NOEXEC = 1 << 3,
	MOUNT_FLAG_STRICTATIME = 1 << 4,
	MOUNT_FLAG_NOSYMFOLLOW = 1 << 5,
	MOUNT_FLAG_WRITABLE =
		1 << 6, /* even if what is bound is mounted read-only where it comes from */
	MOUNT_FLAG_SLAVE =
		1 << 7, /* what is mounted at the source later appears here, not the other way */
};

/* Where a bind's source is named. */
enum mount_source_place {
	SOURCE_TARGET, /* the target itself, with other flags */
	SOURCE_TREE,   /* a path inside the tree, as assembled so far */
	SOURCE_IMAGE,  /* a path inside the tree as it was before anything was mounted */
	SOURCE_HOST,   /* a path on the host */
	SOURCE_SYSFS,  /* a path inside the sysfs instance of the payload's network namespace */
	SOURCE_EMPTY,  /* a new directory, gone with the machine */
	SOURCE_HANDED, /* what mount_sources_hand() gave, if it did */
	SOURCE_MEMORY, /* a new directory in memory, for the top of an overlay */
};

/* One directory of an overlay: SOURCE_IMAGE, SOURCE_HOST, SOURCE_EMPTY or SOURCE_MEMORY. */
struct mount_layer {
	enum mount_source_place place;
	const char *path;
};

/* What happens when the operation cannot be done. */
enum mount_need {
	NEED_FATAL,
	NEED_IF_EXISTS, /* a missing target (or host source) is fine; anything else is fatal */
	NEED_NICE,      /* any failure is a debug line */
};

struct mount_operation {
	enum mount_operation_kind kind;
	enum mount_need need;
	const char *target; /* as the guest sees it */
	enum mount_source_place place;
	const char *source;  /* path by 'place'; file system type for OPERATION_NEW */
	const char *options; /* "key=value,flag" for OPERATION_NEW, or NULL */
	const char *context; /* SELinux label of all that is in it, for OPERATION_NEW, or NULL */
	unsigned int flags;  /* enum mount_flags; a read-only overlay has no writable layer */
	const struct mount_layer *layers; /* OPERATION_OVERLAY: the lowest first */
	size_t layer_count;
	const struct id_request *ids; /* whose its files are, NULL: nothing special */
	bool recursive;
	bool makes_target;      /* a missing target is made */
	bool skips_mount_point; /* what the host mounted there already stays */
	bool is_custom;         /* asked for by name */
	bool is_prepared;       /* OPERATION_NEW: made, and filled, before the clone if possible */
	unsigned long magic;    /* statfs(2) f_type that the target must show at the end, or 0 */
};

struct mount_plan {
	struct mount_operation *items;
	size_t count, room;
	/*
	 * The first ones make the tree, the others show the payload its own namespaces and what the
	 * user put over that: with ids of its own the payload must do those itself.
	 */
	size_t early_count;
	bool tree_is_alone; /* without what the host mounted in it */
	/* Mounted last, when the payload is in its cgroup; no target: not mounted. */
	struct mount_operation cgroup;
	const struct device_facts *devices; /* to be made in /dev */
};

/* What of the host and the tree the plan depends on. */
struct mount_facts {
	bool tree_is_unseen; /* what the tree is must be looked at from inside */
	bool network_is_private;
	bool ids_are_own;                /* what is not late is locked for the payload then */
	bool network_is_joined;          /* and so belongs to another user namespace */
	const char *context;             /* SELinux label for what is made in memory, or NULL */
	const char *host_os_release;     /* path on the host, or NULL */
	const struct exchange *exchange; /* directories shared with the host, or NULL */
	const char *journal_directory;   /* the host's, to be seen under the same path, or NULL */
	bool journal_is_try;
	const char *journal_socket; /* of the receiver on the host, or NULL */
	const char *delta;          /* directory on the host for changes, or NULL: into the tree */
	bool has_no_tty_group;      /* the group of terminals is none of the payload's ids */
	bool sysfs_is_bound;        /* the host's, where we may not mount one of its network */
	/* For a tree that runs already: not its id, and nothing of what is mounted in it. */
	const char *machine_id; /* NULL: the tree's own */
	const char *whole_tree; /* path on the host of what --pivot-root= leaves, or NULL */
	const struct bound_users *bound_users; /* of the host, or NULL */
	const struct device_facts *devices;
};

void mount_plan_make(struct arena *arena, const struct config *config,
		     const struct mount_facts *facts, struct mount_plan *ret);
