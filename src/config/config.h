/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ASKED: what the user wants, validated, defaults resolved. Filled by the command line (and later
 * by settings files), const afterwards. Every pointer lives in the arena.
 * Zone: free.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "config/settings.h"

enum start_mode {
	START_COMMAND, /* the words are PID 1; no words: a login-style shell */
	START_PID2,    /* a stub init is PID 1, the words are PID 2 */
	START_BOOT,    /* the tree's init is PID 1, the words are its arguments */
};

enum console_mode {
	CONSOLE_DEFAULT, /* interactive if stdin and stdout are terminals, else read-only */
	CONSOLE_INTERACTIVE,
	CONSOLE_READ_ONLY,
	CONSOLE_PASSIVE,
	CONSOLE_PIPE,
	CONSOLE_AUTOPIPE, /* interactive under the same test, else pipe */
};

/* How a file of the host gets into the tree. */
enum host_file_how {
	HOW_AUTO,
	HOW_OFF,
	HOW_COPY,    /* write through an existing file */
	HOW_REPLACE, /* a new file under the name */
	HOW_BIND,    /* read-only bind mount */
	HOW_SYMLINK, /* timezone only */
	HOW_DELETE,
};

/* Which resolv.conf of the host. */
enum resolv_source {
	RESOLV_HOST,   /* /etc/resolv.conf */
	RESOLV_STATIC, /* /usr/lib/systemd/resolv.conf */
	RESOLV_UPLINK, /* /run/systemd/resolve/resolv.conf */
	RESOLV_STUB,   /* /run/systemd/resolve/stub-resolv.conf */
};

/* Which settings files count, and against what. */
enum settings_mode {
	SETTINGS_YES,      /* what an option said hides what a file says */
	SETTINGS_NO,       /* none is read */
	SETTINGS_OVERRIDE, /* what a file says hides what an option said */
	SETTINGS_TRUSTED,  /* as yes, and every file may say anything */
};

enum tristate {
	TRISTATE_NO,
	TRISTATE_YES,
	TRISTATE_AUTO,
};

enum mount_kind {
	MOUNT_BIND,
	MOUNT_TMPFS,
	MOUNT_INACCESSIBLE,
};

/* One --bind, --bind-ro, --tmpfs or --inaccessible. */
struct mount_request {
	enum mount_kind kind;
	const char *source;      /* bind: an absolute path; NULL: a new empty directory */
	bool source_is_in_tree;  /* bind: the '+' prefix */
	const char *destination; /* absolute, simplified, as the guest sees it */
	const char *options;     /* tmpfs: mount options, NULL for the default */
	bool read_only;
	bool recursive;  /* bind: rbind, the default */
	size_t position; /* order of mention, keeps sorting stable */
};

struct mount_requests {
	struct mount_request *items;
	size_t count, room;
};

struct limit_request {
	bool is_set;
	struct rlimit value;
};

enum family_policy {
	FAMILIES_UNRESTRICTED,
	FAMILIES_ALLOW, /* only the listed ones; an empty list allows none */
	FAMILIES_DENY,
};

struct families {
	enum family_policy policy;
	int *items; /* AF_* numbers */
	size_t count, room;
};

/* $SYSTEMD_NSPAWN_API_VFS_WRITABLE */
enum api_vfs_mode {
	API_VFS_READ_ONLY,
	API_VFS_NETWORK,
	API_VFS_WRITABLE,
};

struct config {
	struct arena arena;
	enum origin origin[_SETTING_COUNT]; /* where each setting's value comes from */
	struct said_list said;              /* everything that counts, in order */
	bool has_resets;                    /* config_merge() is needed even without files */

	/* The program itself */
	bool quiet;
	bool no_pager;
	enum settings_mode settings;
	const char *program; /* argv[0]'s last component, for messages that cite the call */

	/* The tree */
	const char *directory; /* absolute; NULL: look up 'machine', else the current directory */
	bool read_only;

	/* What runs */
	enum start_mode start;
	bool has_two_starts;  /* --boot and --as-pid2, neither taken back */
	struct strings words; /* command and arguments, or init's arguments */
	const char *working_directory;
	struct strings environment; /* NAME=VALUE of --setenv, in order */
	const char *user;           /* name or number, resolved inside; NULL: root */
	int kill_signal;            /* 0: the default of the start mode */
	bool notify_ready;

	/* Identity */
	const char *machine;  /* NULL: derived from the directory */
	const char *hostname; /* NULL: the machine name */
	bool uuid_is_set;
	uint8_t uuid[16];

	/* Manager */
	enum tristate register_machine;
	bool keep_unit;
	const char *slice;         /* NULL: the default */
	struct strings properties; /* NAME=VALUE of --property, in order */

	/* Network */
	bool private_network;

	/* Confinement */
	uint64_t capabilities_added, capabilities_dropped,
		capabilities_ambient; /* bit n = capability n */
	bool no_new_privileges;
	struct strings syscalls_allowed, syscalls_denied; /* names and @groups as typed */
	bool suppress_sync;
	struct families families;

	/* Limits */
	struct limit_request limits[RLIM_NLIMITS];
	bool oom_score_adjust_is_set;
	int oom_score_adjust;
	cpu_set_t cpu_affinity; /* empty: unchanged */
	bool personality_is_set;
	unsigned long personality; /* PER_LINUX or PER_LINUX32 */

	/* Host files */
	enum host_file_how resolv_conf;
	enum resolv_source resolv_source; /* meaningful for copy, replace, bind */
	enum host_file_how timezone;

	/* Mounts */
	struct mount_requests mounts; /* in order of mention */

	/* Console */
	enum console_mode console;

	/* From $SYSTEMD_NSPAWN_* and $SYSTEMD_* */
	const char *container_service; /* "systemd-nspawn" */
	bool tmpfs_on_tmp;
	enum api_vfs_mode api_vfs;
	bool cgroup_namespace;
	bool locks;
	bool check_os_release;
	bool syscall_filter; /* $SYSTEMD_SECCOMP */
};
