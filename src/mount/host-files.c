/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides how resolv.conf and localtime get into the guest. The work itself is in
 * host-files-apply.c.
 * Zone: free.
 */
#include "mount/host-files.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/scope.h"
#include "mount/ifupdown.h"

#define HOST_RESOLV_CONF "/etc/resolv.conf"
#define STUB_RESOLV_CONF "/run/systemd/resolve/stub-resolv.conf"
#define HOST_LOCALTIME "/etc/localtime"
#define ZONE_NAME_MAX 128

static const char *const resolv_sources[] = {
	[RESOLV_HOST] = HOST_RESOLV_CONF,
	[RESOLV_STATIC] = "/usr/lib/systemd/resolv.conf",
	[RESOLV_UPLINK] = "/run/systemd/resolve/resolv.conf",
	[RESOLV_STUB] = STUB_RESOLV_CONF,
};
static_assert(ARRAY_LEN(resolv_sources) == RESOLV_STUB + 1, "one path for each source");

void host_file_facts_gather(struct arena *arena, struct host_file_facts *facts)
{
	char link[PATH_MAX];
	struct stat status;
	ssize_t length;

	facts->has_resolv_conf = access(HOST_RESOLV_CONF, F_OK) == 0;
	/*
	 * Whether the stub listener answers is a property of resolved on the bus, which a start
	 * does not wait for. The file is there exactly while resolved runs, and the listener is on
	 * by default.
	 */
	facts->has_stub_resolv_conf = access(STUB_RESOLV_CONF, F_OK) == 0;
	facts->localtime = HOST_FILE_MISSING;
	facts->localtime_link = NULL;
	length = readlink(HOST_LOCALTIME, link, sizeof(link));
	if (length > 0 && (size_t)length < sizeof(link)) {
		facts->localtime = HOST_FILE_LINK;
		facts->localtime_link = arena_copy_n(arena, link, (size_t)length);
	} else if (length < 0 && stat(HOST_LOCALTIME, &status) == 0 && S_ISREG(status.st_mode)) {
		facts->localtime = HOST_FILE_REGULAR;
	}
}

static struct host_file_action plan_resolv_conf(const struct config *config,
						const struct host_file_facts *facts)
{
	enum host_file_how copy_or_bind = facts->etc_is_writable ? HOW_COPY : HOW_BIND;
	struct host_file_action action = {.how = config->resolv_conf, .target = "/etc/resolv.conf"};

	if (action.how == HOW_AUTO) {
		if (config->private_network) {
			/* The host's name servers need not be reachable from another network. */
			action.how = HOW_OFF;
		} else if (facts->has_stub_resolv_conf || facts->has_resolv_conf) {
			action.how = copy_or_bind;
			action.source =
				facts->has_stub_resolv_conf ? STUB_RESOLV_CONF : HOST_RESOLV_CONF;
		} else {
			action.how = facts->etc_is_writable ? HOW_DELETE : HOW_OFF;
		}
	} else if (action.how != HOW_DELETE && action.how != HOW_OFF) {
		action.source = resolv_sources[config->resolv_source];
	}
	return action;
}

/* "Europe/Berlin" of a link into the zone database; NULL for a link to anywhere else. */
static const char *zone_of_link(const char *link)
{
	static const char *const prefixes[] = {"/usr/share/zoneinfo/", "../usr/share/zoneinfo/"};

	for (size_t i = 0; link && i < ARRAY_LEN(prefixes); i++) {
		const char *zone = link + strlen(prefixes[i]);

		if (strncmp(link, prefixes[i], strlen(prefixes[i])) != 0)
			continue;
		if (*zone == '\0' || *zone == '/' || strlen(zone) > ZONE_NAME_MAX ||
		    strstr(zone, ".."))
			return NULL;
		return zone;
	}
	return NULL;
}

static struct host_file_action plan_timezone(const struct config *config,
					     const struct host_file_facts *facts)
{
	struct host_file_action action = {.how = config->timezone, .target = "/etc/localtime"};

	if (action.how == HOW_AUTO && facts->localtime == HOST_FILE_MISSING)
		action.how = facts->etc_is_writable ? HOW_DELETE : HOW_OFF;
	else if (action.how == HOW_AUTO && !facts->etc_is_writable)
		action.how = HOW_BIND;
	else if (action.how == HOW_AUTO)
		action.how = facts->localtime == HOST_FILE_LINK ? HOW_SYMLINK : HOW_COPY;

	if (action.how == HOW_SYMLINK) {
		action.zone = zone_of_link(facts->localtime_link);
		if (!action.zone)
			action.how = HOW_BIND;
	}
	if (action.how != HOW_DELETE && action.how != HOW_OFF)
		action.source = HOST_LOCALTIME;
	return action;
}

void host_files_plan(const struct config *config, const struct host_file_facts *facts,
		     struct host_file_plan *ret)
{
	const struct host_file_action wanted[] = {
		plan_resolv_conf(config, facts),
		plan_timezone(config, facts),
	};

	static_assert(ARRAY_LEN(wanted) <= HOST_FILE_ACTIONS_MAX, "room for every file");
	*ret = (struct host_file_plan){0};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (wanted[i].how != HOW_OFF)
			ret->actions[ret->count++] = wanted[i];
}

void host_files_plan_network(const struct config *config, const struct host_file_facts *facts,
			     const struct network_texts *texts, struct host_file_plan *plan)
{
	enum host_file_how how = facts->etc_is_writable ? HOW_COPY : HOW_BIND;
	const struct host_file_action wanted[] = {
		{.how = how,
		 .target = "/etc/resolv.conf",
		 .text = config->resolv_conf == HOW_AUTO ? texts->resolv_conf : NULL,
		 .fills_link = true},
		{.how = how,
		 .target = "/etc/hosts",
		 .text = texts->hosts,
		 .mark = texts->hosts_mark},
		{.how = HOW_COPY,
		 .target = NETWORK_FILE_INSIDE,
		 .text = texts->network_file,
		 .makes_directory = true},
		{.how = HOW_COPY,
		 .target = IFUPDOWN_DONE_INSIDE,
		 .text = texts->network_file ? IFUPDOWN_DONE : NULL,
		 .makes_directory = true,
		 .is_for_ifupdown = true},
		{.how = HOW_COPY,
		 .target = IFUPDOWN_STATE_INSIDE,
		 .text = texts->network_file ? IFUPDOWN_STATE : NULL,
		 .makes_directory = true,
		 .is_for_ifupdown = true},
		{.how = HOW_COPY,
		 .target = IFUPDOWN_SMALL_INSIDE,
		 .text = texts->network_file ? IFUPDOWN_SMALL : NULL,
		 .is_for_ifupdown = true},
	};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (wanted[i].text && plan->count < HOST_FILE_ACTIONS_MAX)
			plan->actions[plan->count++] = wanted[i];
}
