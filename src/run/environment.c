/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Builds the payload's environment block.
 * Zone: free.
 */
#include "run/environment.h"

#include <string.h>

#include "confine/users.h"
#include "mount/credentials.h"
#include "run/plan.h"

static size_t name_length(const char *assignment)
{
	return strcspn(assignment, "=");
}

void environment_set(struct arena *arena, struct strings *environment, const char *assignment)
{
	size_t length = name_length(assignment);

	for (size_t i = 0; i < environment->count; i++) {
		if (name_length(environment->items[i]) == length &&
		    strncmp(environment->items[i], assignment, length) == 0) {
			environment->items[i] = assignment;
			return;
		}
	}
	strings_add(arena, environment, assignment);
}

const char *environment_get(const struct strings *environment, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < environment->count; i++)
		if (strncmp(environment->items[i], name, length) == 0 &&
		    environment->items[i][length] == '=')
			return environment->items[i] + length + 1;
	return NULL;
}

static void set(struct arena *arena, struct strings *environment, const char *name,
		const char *value)
{
	if (value)
		environment_set(arena, environment, arena_format(arena, "%s=%s", name, value));
}

static void set_terminal(struct arena *arena, const struct plan *plan, struct strings *environment)
{
	const struct facts *facts = plan->facts;

	set(arena, environment, "TERM", plan->console.term_is_passed ? facts->term : "dumb");
	if (!plan->console.term_is_passed)
		return;
	set(arena, environment, "COLORTERM", facts->colorterm);
	set(arena, environment, "NO_COLOR", facts->no_color);
}

void environment_plan(struct arena *arena, const struct plan *plan, struct strings *ret)
{
	const struct config *config = plan->config;
	const struct facts *facts = plan->facts;

	set(arena, ret, "PATH", ENVIRONMENT_PATH);
	set(arena, ret, "container", config->container_service);
	set_terminal(arena, plan, ret);
	set(arena, ret, "container_uuid", plan->machine_uuid);
	if (facts->activation_fds > 0) {
		set(arena, ret, "LISTEN_FDS", arena_format(arena, "%u", facts->activation_fds));
		/* The stub init writes its child's number over this one. */
		set(arena, ret, "LISTEN_PID", "1");
	}
	set(arena, ret, "NOTIFY_SOCKET", "/run/host/notify");
	if (config->credentials.count > 0)
		set(arena, ret, "CREDENTIALS_DIRECTORY", CREDENTIALS_DIRECTORY_INSIDE);
	if (config->start != START_BOOT)
		set(arena, ret, "LANG", "C.UTF-8"); /* an init reads its own locale configuration */
	set(arena, ret, "container_host_id", facts->host.id);
	set(arena, ret, "container_host_version_id", facts->host.version_id);
	set(arena, ret, "container_host_build_id", facts->host.build_id);
	set(arena, ret, "container_host_variant_id", facts->host.variant_id);
	for (size_t i = 0; i < config->environment.count; i++)
		environment_set(arena, ret, config->environment.items[i]);
}

void environment_add_user(struct arena *arena, struct strings *environment,
			  const struct user_identity *user)
{
	const struct {
		const char *name, *value;
	} rows[] = {{"HOME", user->home}, {"USER", user->name}, {"LOGNAME", user->name}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!environment_get(environment, rows[i].name))
			set(arena, environment, rows[i].name, rows[i].value);
}
