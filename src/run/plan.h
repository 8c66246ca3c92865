/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DECIDED: everything about a start that can be known before the first clone, in one const
 * structure.
 * Zone: free.
 */
#pragma once

#include <linux/filter.h>
#include <stdint.h>

#include "config/config.h"
#include "confine/capabilities.h"
#include "confine/limits.h"
#include "image/os-release.h"
#include "image/os-tree.h"
#include "mount/host-files.h"
#include "mount/mount-plan.h"
#include "mount/run-host.h"
#include "run/console-plan.h"

/* FOUND: what the plan depends on besides the configuration. */
struct facts {
	const char *directory; /* absolute path of the tree, for messages */
	const char *machine;   /* valid machine name */
	struct os_tree tree;
	struct os_identity host;     /* the host's os-release */
	const char *host_os_release; /* its path, or NULL */
	struct host_file_facts host_files;
	bool is_terminal[3];
	const char *term, *colorterm, *no_color; /* of the caller's environment, or NULL */
	uint64_t capabilities;                   /* our own, which are all that can be passed on */
	unsigned int activation_fds; /* sockets passed by a service manager, from descriptor 3 on */
	uint8_t random[32];          /* for the ids of this start */
};

struct plan {
	const struct config *config;
	const struct facts *facts;
	uint64_t clone_flags;
	const char *machine, *hostname;
	char machine_uuid[37]; /* dashed */
	char boot_id[37];

	bool has_exchange; /* a machine that boots has services; a command has none */
	struct exchange exchange;
	struct mount_plan mounts;
	struct host_file_plan host_files;
	struct run_host_request run_host;

	struct strings environment;
	struct strings programs;  /* tried in order by path; empty: words[0] is searched in PATH */
	struct strings arguments; /* argv */
	bool is_login_shell;

	struct capability_plan capabilities;
	struct limits_plan limits;
	const struct sock_filter *filter; /* NULL: none */
	size_t filter_length;

	struct console_plan console;
	int kill_signal;         /* 0: none, or the init's own protocol */
	bool uses_init_protocol; /* --boot without --kill-signal= */
};

/* Decides. Messages are printed on failure. */
int plan_make(struct arena *arena, const struct config *config, const struct facts *facts,
	      struct plan *ret);
