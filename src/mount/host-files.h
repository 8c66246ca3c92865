/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the host that the guest needs to follow: resolv.conf and the time zone. Planned without
 * system calls, then done in the container. A machine boots without them, so whatever fails is a
 * warning.
 * Zone: free for gathering and planning, doomed for applying.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

struct arena;

enum host_file_kind {
	HOST_FILE_MISSING,
	HOST_FILE_REGULAR,
	HOST_FILE_LINK,
};

/* What the plan depends on. */
struct host_file_facts {
	/* Filled by host_file_facts_gather(). */
	bool has_resolv_conf;
	bool has_stub_resolv_conf;
	enum host_file_kind localtime;
	const char *localtime_link; /* text of the link, NULL if it is none */
	/* Filled by the caller. */
	bool etc_is_writable; /* the guest's /etc: not --read-only, or a volatile /etc */
};

struct host_file_action {
	enum host_file_how how; /* never HOW_AUTO and HOW_OFF: such actions are not planned */
	const char *target;     /* in the guest */
	const char *source;     /* on the host; NULL for HOW_DELETE, and with 'text' */
	const char *text;       /* the content itself, else NULL */
	const char *mark;       /* 'text' are lines that end so, to be added to what is there */
	bool makes_directory;
	bool fills_link;      /* where the target is a link into /run, what it leads to is made */
	bool is_for_ifupdown; /* only if that would wait for an address */
	const char *zone;     /* HOW_SYMLINK: "Europe/Berlin" */
};

/* After those of an administrator of the machine, before those that come with systemd. */
#define NETWORK_FILE_INSIDE "/run/systemd/network/79-nspawn-host0.network"

#define HOST_FILE_ACTIONS_MAX 8

struct host_file_plan {
	struct host_file_action actions[HOST_FILE_ACTIONS_MAX];
	size_t count;
};

/* Looks at the host; texts go to the arena. What cannot be looked at counts as missing. */
void host_file_facts_gather(struct arena *arena, struct host_file_facts *facts);

/* Pure. Texts live as long as the facts' arena and the program. */
void host_files_plan(const struct config *config, const struct host_file_facts *facts,
		     struct host_file_plan *ret);

/* What a machine is told about the network that we set up for it; NULL: nothing. */
struct network_texts {
	const char *resolv_conf, *hosts, *hosts_mark, *network_file;
};

/* Adds them. Pure. */
void host_files_plan_network(const struct config *config, const struct host_file_facts *facts,
			     const struct network_texts *texts, struct host_file_plan *plan);

/*
 * Does the plan in the tree at 'root_fd', all of it in-root, while the host's files are still
 * reachable by path. Files made belong to 'root_uid' with mode 0644. What has to be bound and is no
 * file of the host lies in 'run_host_fd'. Failures are warnings.
 */
void host_files_apply(const struct host_file_plan *plan, int root_fd, int run_host_fd,
		      uid_t root_uid);
