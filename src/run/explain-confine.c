/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Environment, limits and capabilities.
 * Zone: free.
 */
#include <string.h>
#include <sys/personality.h>

#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/capability-names.h"
#include "confine/confine-plan.h"
#include "run/explain-rows.h"

/* --- Environment --- */

static bool sets_variable(const struct said *said, const void *item)
{
	const char *name = item, *value = said->value ? said->value : "";
	size_t length = strlen(name);

	return strncmp(value, name, length) == 0 && (value[length] == '=' || !value[length]);
}

/* Variables that everybody gets, and why. */
/* clang-format off */
static const struct {
	const char *name, *reason;
} variables[] = {
	{"PATH", "where programs of every system are"},
	{"container", "by which programs know that they are in a container"},
	{"container_uuid", "the machine id"},
	{"NOTIFY_SOCKET", "by which it says that it is ready"},
	{"LANG", "UTF-8 everywhere, without translations"},
	{"LISTEN_FDS", "sockets that a service manager passed"},
	{"LISTEN_PID", "whom they are for"},
};
/* clang-format on */

static const char *variable_reason(const struct explanation *e, const char *name)
{
	if (strcmp(name, "TERM") == 0)
		return e->plan->console.term_is_passed ? "your terminal"
						       : "the console is no terminal of yours";
	if (text_has_prefix(name, "container_host_"))
		return "what the host's os-release says";
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (strcmp(name, variables[i].name) == 0)
			return variables[i].reason;
	return NULL;
}

static bool machine_id_is_random(const struct explanation *e)
{
	return e->facts->tree.machine_id_state != MACHINE_ID_VALID && !e->config->uuid_is_set;
}

static void explain_variable(struct explanation *e, const char *assignment)
{
	size_t length = strcspn(assignment, "=");
	const char *name = arena_copy_n(e->arena, assignment, length);
	const char *value = assignment + length + (assignment[length] == '=');
	bool is_random = strcmp(name, "container_uuid") == 0 && machine_id_is_random(e) &&
			 strcmp(value, e->plan->machine_uuid) == 0;
	struct explain_row *row = explain_row(e, name, is_random ? "a random one" : value, NULL);

	row->origin = explain_origin_in(e, SETTING_SETENV, sets_variable, name);
	if (row->origin.source == EXPLAIN_DEFAULT && e->config->start == START_BOOT)
		row->origin = explain_origin_in(e, SETTING_PARAMETERS, sets_variable, name);
	if (row->origin.source == EXPLAIN_DEFAULT)
		row->reason = variable_reason(e, name);
	if (row->origin.source == EXPLAIN_DEFAULT && strcmp(name, "container") == 0 &&
	    strcmp(value, "systemd-nspawn") != 0)
		row->origin = explain_origin_variable("$SYSTEMD_NSPAWN_CONTAINER_SERVICE");
	if (row->origin.source == EXPLAIN_DEFAULT && text_has_prefix(name, "container_host_"))
		row->origin = EXPLAIN_FOUND_ORIGIN;
}

void explain_environment(struct explanation *e)
{
	const char *user = e->config->user ? e->config->user : "root";

	(void)explain_section(e, "environment", "Environment", NULL);
	for (size_t i = 0; i < e->plan->environment.count; i++)
		explain_variable(e, e->plan->environment.items[i]);
	explain_rowf(e, "HOME, USER, LOGNAME",
		     explain_bound_user(e) ? "a user of the host by --bind-user, unless set above"
					   : "looked up in the tree, unless set above",
		     "those of the user %s", user)
		->origin = explain_origin(e, SETTING_UID);
}

/* --- Limits --- */

static const char *limit_text(struct explanation *e, const struct rlimit *limit)
{
	const rlim_t values[] = {limit->rlim_cur, limit->rlim_max};
	const char *words[2];

	for (size_t i = 0; i < 2; i++)
		words[i] = values[i] == RLIM_INFINITY
				   ? "infinity"
				   : arena_format(e->arena, "%ju", (uintmax_t)values[i]);
	return values[0] == values[1] ? words[0]
				      : arena_format(e->arena, "%s:%s", words[0], words[1]);
}

/* --rlimit=NAME=… with or without RLIMIT_, or the key of that name. */
static struct explain_origin limit_origin(const struct explanation *e, const char *name)
{
	const struct said_list *said = &e->config->said;

	for (size_t i = said->count; i > 0; i--) {
		const struct said *one = &said->items[i - 1];
		const char *value = one->value ? one->value : "", *key;

		if (one->setting >= SETTING_LIMIT_CPU && one->setting <= SETTING_LIMIT_RTTIME) {
			key = setting_rows[one->setting].key;
			if (strcmp(key + strlen("Exec.Limit"), name) == 0)
				return explain_origin_of(e, one);
		}
		if (one->setting != SETTING_RLIMIT)
			continue;
		if (text_has_prefix(value, "RLIMIT_"))
			value += strlen("RLIMIT_");
		if (strncmp(value, name, strlen(name)) == 0 && value[strlen(name)] == '=')
			return explain_origin_of(e, one);
	}
	return (struct explain_origin){.source = EXPLAIN_DEFAULT};
}

static void explain_limit(struct explanation *e, int resource)
{
	const struct limits_plan *plan = &e->plan->limits;
	const struct rlimit *limit = &plan->values[resource];
	bool is_set = plan->is_set[resource];
	struct explain_row *row = explain_row(
		e, limit_name(resource), is_set ? limit_text(e, limit) : "nspawn's own",
		plan->is_asked[resource] ? "soft:hard, or the nearest that is permitted" : NULL);

	row->is_usual = !plan->is_asked[resource];
	if (plan->is_asked[resource])
		row->origin = limit_origin(e, limit_name(resource));
	explain_text(e, row, "soft",
		     is_set ? limit_text(e, &(struct rlimit){limit->rlim_cur, limit->rlim_cur})
			    : NULL);
	explain_text(e, row, "hard",
		     is_set ? limit_text(e, &(struct rlimit){limit->rlim_max, limit->rlim_max})
			    : NULL);
}

static const char *cpu_list(struct explanation *e)
{
	struct strings words = {0};

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int first = cpu;

		if (!CPU_ISSET((size_t)cpu, &e->config->cpu_affinity))
			continue;
		while (cpu + 1 < CPU_SETSIZE &&
		       CPU_ISSET((size_t)cpu + 1, &e->config->cpu_affinity))
			cpu++;
		strings_add(e->arena, &words,
			    first == cpu ? arena_format(e->arena, "%d", cpu)
					 : arena_format(e->arena, "%d-%d", first, cpu));
	}
	return explain_join(e, &words, ",");
}

void explain_limits(struct explanation *e)
{
	const struct config *config = e->config;

	(void)explain_section(e, "limits", "Limits", NULL);
	for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++)
		explain_limit(e, resource);
	if (config->oom_score_adjust_is_set)
		explain_rowf(e, "OOM score", "who dies first when memory is short", "%d",
			     config->oom_score_adjust)
			->origin = explain_origin(e, SETTING_OOM_SCORE_ADJUST);
	if (CPU_COUNT(&config->cpu_affinity) > 0)
		explain_row(e, "processors", cpu_list(e), "it runs on these only")->origin =
			explain_origin(e, SETTING_CPU_AFFINITY);
	if (config->personality_is_set)
		explain_row(e, "personality",
			    config->personality == PER_LINUX32 ? "32 bits" : "native",
			    "what uname(2) says of the machine")
			->origin = explain_origin(e, SETTING_PERSONALITY);
}

/* --- Capabilities --- */

static void add_capabilities(struct explanation *e, uint64_t set, struct strings *names)
{
	for (unsigned int number = 0; number < 64; number++)
		if (set & CAPABILITIES_ALL & (UINT64_C(1) << number))
			strings_add(e->arena, names,
				    capability_name(number)
					    ?: arena_format(e->arena, "%u", number));
}

static struct explain_row *explain_set(struct explanation *e, const char *name, uint64_t set,
				       const char *reason)
{
	struct strings names = {0};
	struct explain_row *row;

	add_capabilities(e, set, &names);
	row = explain_row(e, name,
			  (set & CAPABILITIES_ALL) == CAPABILITIES_ALL ? "all that there are"
			  : names.count == 0                           ? "none"
					     : explain_join(e, &names, ", "),
			  reason);
	*explain_list(e, row, "capabilities") = names;
	return row;
}

/* "CAP_KILL", "cap_kill", "kill", "5" or "all". */
static bool names_capability(const struct said *said, const void *item)
{
	const unsigned int *number = item;
	char word[64];
	const char *rest = said->value ? said->value : "";

	while (*(rest += strspn(rest, "," BLANKS))) {
		size_t length = strcspn(rest, "," BLANKS);

		(void)snprintf(word, sizeof(word), "%.*s", (int)length, rest);
		if (strcasecmp(word, "all") == 0 || capability_from_text(word) == (int)*number)
			return true;
		rest += length;
	}
	return false;
}

/* One row for all of 'set' that one speaker named. */
static void explain_change(struct explanation *e, const char *name, uint64_t set,
			   enum setting setting, const char *reason)
{
	set &= CAPABILITIES_ALL;
	while (set) {
		uint64_t same = 0;
		struct explain_origin origin = {0};

		for (unsigned int number = 0; number < 64; number++) {
			struct explain_origin its =
				explain_origin_in(e, setting, names_capability, &number);

			if (!(set & (UINT64_C(1) << number)))
				continue;
			if (same == 0)
				origin = its;
			if (its.source == origin.source && its.file == origin.file &&
			    its.line == origin.line)
				same |= UINT64_C(1) << number;
		}
		explain_set(e, name, same, reason)->origin = origin;
		set &= ~same;
	}
}

void explain_capabilities(struct explanation *e)
{
	const struct config *config = e->config;
	const struct capability_plan *plan = &e->plan->capabilities;
	bool has_user_namespace = explain_has_user_namespace(e);
	uint64_t asked = config->capabilities_added & ~config->capabilities_dropped,
		 vain = confine_vain_capabilities(config, has_user_namespace),
		 missing = has_user_namespace ? 0
					      : asked & CAPABILITIES_ALL & ~e->facts->capabilities,
		 net_admin = CAPABILITY(NET_ADMIN);
	struct explain_row *row;

	(void)explain_section(e, "capabilities", "Capabilities", NULL);
	(void)explain_set(
		e, "kept", plan->bounding,
		has_user_namespace
			? "no process inside has more, and they count in its user namespace only"
			: "no process inside has more");
	if (config->private_network && !(config->capabilities_dropped & net_admin))
		explain_set(e, "added", net_admin, "its network is its own")->origin =
			explain_network_origin(e);
	else if (config->nesting && !(config->capabilities_dropped & net_admin))
		explain_set(e, "added", net_admin, "for the networks of containers inside")
			->origin = explain_origin(e, SETTING_NESTING);
	explain_change(e, "added", asked & ~CAPABILITIES_DEFAULT & ~missing, SETTING_CAPABILITY,
		       "beyond the default");
	explain_change(e, "dropped", config->capabilities_dropped, SETTING_DROP_CAPABILITY, NULL);
	if (vain & ~config->capabilities_dropped)
		explain_set(e, "dropped", vain,
			    "a user namespace has no ports below 1024 of the host's network")
			->origin = explain_origin_of_ids(e);
	if (missing)
		explain_set(e, "missing", missing, "asked for, but nspawn itself has them not")
			->origin = EXPLAIN_FOUND_ORIGIN;
	if (plan->ambient)
		explain_set(e, "ambient", plan->ambient, "kept by a command that is not root")
			->origin = explain_origin(e, SETTING_AMBIENT_CAPABILITY);
	if (config->no_new_privileges) {
		row = explain_row(e, "new privileges", "none",
				  "no setuid program or file capability has an effect");
		row->origin = explain_origin(e, SETTING_NO_NEW_PRIVILEGES);
	}
}
