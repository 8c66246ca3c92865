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
#include "confine/labels.h"
#include "confine/limits.h"
#include "ids/ids.h"
#include "manager/device-filter.h"
#include "mount/host-files.h"
#include "mount/mount-plan.h"
#include "mount/run-host.h"
#include "net/net-plan.h"
#include "run/console-plan.h"
#include "run/facts.h"

struct plan {
	const struct config *config;
	const struct facts *facts;
	struct ids ids;
	uint64_t clone_flags; /* of the payload, but for its user namespace */
	const char *machine, *hostname;
	char machine_uuid[37]; /* dashed */
	char boot_id[37];

	bool has_exchange; /* a machine that boots has services; a command has none */
	struct exchange exchange;
	struct net_plan net;
	const char *delta;      /* directory on the host for the changes of --ephemeral, or NULL */
	bool delta_is_snapshot; /* the tree's, which then is what is mounted */
	struct mount_plan mounts;
	struct host_file_plan host_files;
	struct device_rules device_rules; /* all that may be opened */
	struct journal_plan journal;
	struct run_host_request run_host;

	struct strings environment;
	struct strings programs;  /* tried in order by path; empty: words[0] is searched in PATH */
	struct strings arguments; /* argv */
	bool is_login_shell;

	struct capability_plan capabilities;
	struct limits_plan limits;
	struct label_plan labels;
	const struct sock_filter *filter; /* NULL: none */
	size_t filter_length;
	bool filter_is_own; /* and not the one that was built in */

	struct console_plan console;
	int kill_signal;         /* 0: none, or the init's own protocol */
	bool uses_init_protocol; /* --boot without --kill-signal= */
};

/* Decides. Messages are printed on failure. */
int plan_make(struct arena *arena, const struct config *config, const struct facts *facts,
	      struct plan *ret);
