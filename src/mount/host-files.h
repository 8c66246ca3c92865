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
	const char *source;     /* on the host; NULL for HOW_DELETE */
	const char *zone;       /* HOW_SYMLINK: "Europe/Berlin" */
};

#define HOST_FILE_ACTIONS_MAX 2

struct host_file_plan {
	struct host_file_action actions[HOST_FILE_ACTIONS_MAX];
	size_t count;
};

/* Looks at the host; texts go to the arena. What cannot be looked at counts as missing. */
void host_file_facts_gather(struct arena *arena, struct host_file_facts *facts);

/* Pure. Texts live as long as the facts' arena and the program. */
void host_files_plan(const struct config *config, const struct host_file_facts *facts,
		     struct host_file_plan *ret);

/*
 * Does the plan in the tree at 'root_fd', all of it in-root, while the host's files are still
 * reachable by path. Files made belong to 'root_uid' with mode 0644. Failures are warnings.
 */
void host_files_apply(const struct host_file_plan *plan, int root_fd, uid_t root_uid);
