/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of default resource limits, and setting them.
 * Zone: free for gathering and planning, doomed for limits_apply().
 */
#include "confine/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "config/config.h"

#define INFINITE RLIM_INFINITY
#define NOFILE_HARD 524288 /* what service managers give */

enum limit_source {
	LIMIT_FIXED,
	LIMIT_NR_OPEN,   /* hard no higher than fs.nr_open, or setrlimit(2) refuses */
	LIMIT_HOST_INIT, /* as PID 1 of the host has it */
};

struct limit_default {
	const char *name;
	enum limit_source source;
	struct rlimit value;
};

/* Indexed by resource. */
/* clang-format off */
static const struct limit_default defaults[RLIM_NLIMITS] = {
	[RLIMIT_AS] = {"AS", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_CORE] = {"CORE", LIMIT_FIXED, {0, INFINITE}},
	[RLIMIT_CPU] = {"CPU", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_DATA] = {"DATA", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_FSIZE] = {"FSIZE", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_LOCKS] = {"LOCKS", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_MEMLOCK] = {"MEMLOCK", LIMIT_FIXED, {8 << 20, 8 << 20}},
	[RLIMIT_MSGQUEUE] = {"MSGQUEUE", LIMIT_FIXED, {819200, 819200}},
	[RLIMIT_NICE] = {"NICE", LIMIT_FIXED, {0, 0}},
	[RLIMIT_NOFILE] = {"NOFILE", LIMIT_NR_OPEN, {1024, NOFILE_HARD}},
	[RLIMIT_NPROC] = {"NPROC", LIMIT_HOST_INIT, {INFINITE, INFINITE}},
	[RLIMIT_RSS] = {"RSS", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_RTPRIO] = {"RTPRIO", LIMIT_FIXED, {0, 0}},
	[RLIMIT_RTTIME] = {"RTTIME", LIMIT_FIXED, {INFINITE, INFINITE}},
	[RLIMIT_SIGPENDING] = {"SIGPENDING", LIMIT_HOST_INIT, {INFINITE, INFINITE}},
	[RLIMIT_STACK] = {"STACK", LIMIT_FIXED, {8 << 20, INFINITE}},
};
/* clang-format on */
static_assert(RLIM_NLIMITS == 16, "a new resource needs a row");

static rlim_t read_nr_open(void)
{
	auto_free char *text = NULL;

	if (file_read(AT_FDCWD, "/proc/sys/fs/nr_open", 64, &text, NULL) < 0)
		return NOFILE_HARD;
	return (rlim_t)strtoull(text, NULL, 10);
}

void limit_facts_gather(const struct config *config, struct limit_facts *ret)
{
	for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++) {
		if (config->limits[resource].is_set)
			continue;
		if (defaults[resource].source == LIMIT_NR_OPEN)
			ret->nr_open = read_nr_open();
		/*
		 * Without the right to ask about PID 1 our own limits are the next best thing.
		 */
		if (defaults[resource].source == LIMIT_HOST_INIT)
			ret->init_is_known[resource] = prlimit(1, (enum __rlimit_resource)resource,
							       NULL, &ret->of_init[resource]) == 0;
	}
}

void limits_plan(const struct config *config, const struct limit_facts *facts,
		 struct limits_plan *ret)
{
	for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++) {
		const struct limit_default *row = &defaults[resource];

		ret->is_asked[resource] = config->limits[resource].is_set;
		ret->is_set[resource] = true;
		ret->values[resource] = row->value;
		if (ret->is_asked[resource]) {
			ret->values[resource] = config->limits[resource].value;
		} else if (row->source == LIMIT_NR_OPEN) {
			if (facts->nr_open < row->value.rlim_max)
				ret->values[resource].rlim_max = facts->nr_open;
		} else if (row->source == LIMIT_HOST_INIT) {
			ret->is_set[resource] = facts->init_is_known[resource];
			ret->values[resource] = facts->of_init[resource];
		}
	}
}

const char *limit_name(int resource)
{
	return defaults[resource].name;
}

static int set_nearest(enum __rlimit_resource resource, const struct rlimit *wanted)
{
	struct rlimit current, nearest = *wanted;

	if (setrlimit(resource, wanted) == 0)
		return 0;
	if (errno != EPERM || getrlimit(resource, &current) < 0)
		return -errno;
	if (nearest.rlim_max > current.rlim_max)
		nearest.rlim_max = current.rlim_max;
	if (nearest.rlim_cur > nearest.rlim_max)
		nearest.rlim_cur = nearest.rlim_max;
	return setrlimit(resource, &nearest) < 0 ? -errno : 1;
}

void limits_apply(const struct limits_plan *plan)
{
	for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++) {
		int r = 0;

		if (plan->is_set[resource])
			r = set_nearest((enum __rlimit_resource)resource, &plan->values[resource]);
		if (r != 0 && plan->is_asked[resource])
			warn(r < 0 ? r : -EPERM,
			     "Cannot raise RLIMIT_%s as asked, using the nearest value permitted",
			     defaults[resource].name);
	}
}
