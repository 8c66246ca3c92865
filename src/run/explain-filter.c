/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system call filter: what differs from the default one, call by call, in groups of one cause.
 * Zone: free.
 */
#include <errno.h>
#include <string.h>

#include "base/names.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/capability-names.h"
#include "config/confine-values.h"
#include "confine/confine-plan.h"
#include "confine/syscall-policy.h"
#include "run/explain-rows.h"

/* Calls that differ from the default for one cause. */
struct cause {
	struct syscall_ruling ruling;
	struct strings calls;
};

struct causes {
	struct cause *items;
	size_t count, room;
};

static bool is_same_cause(const struct syscall_ruling *a, const struct syscall_ruling *b)
{
	return a->verdict == b->verdict && a->source == b->source && a->word == b->word &&
	       a->capability == b->capability && a->reason == b->reason &&
	       a->condition == b->condition;
}

static bool exists_here(const struct syscall_row *row)
{
	for (size_t abi = 0; abi < syscall_tables_built.abi_count; abi++)
		if (row->number[abi] >= 0)
			return true;
	return false;
}

static void add_call(struct explanation *e, struct causes *causes,
		     const struct syscall_ruling *ruling, const char *name)
{
	struct cause *cause = NULL;

	for (size_t i = 0; i < causes->count && !cause; i++)
		if (is_same_cause(&causes->items[i].ruling, ruling))
			cause = &causes->items[i];
	if (!cause) {
		cause = ARRAY_ADD(e->arena, causes);
		*cause = (struct cause){.ruling = *ruling};
	}
	strings_add(e->arena, &cause->calls, name);
}

static bool differs(const struct syscall_ruling *ruling, const struct syscall_ruling *usual)
{
	return ruling->verdict != usual->verdict || ruling->condition != usual->condition;
}

static int find_causes(struct explanation *e, const struct syscall_request *request,
		       struct causes *causes)
{
	const struct syscall_request usual_request = {.capabilities = CAPABILITIES_DEFAULT};
	const struct syscall_tables *tables = &syscall_tables_built;
	auto_free struct syscall_decision *ours = NULL, *usual = NULL;

	TRY(syscall_policy_decide(tables, request, &ours));
	TRY(syscall_policy_decide(tables, &usual_request, &usual));
	for (size_t i = 0; i < tables->row_count; i++)
		if (exists_here(&tables->rows[i]) && differs(&ours[i].ruling, &usual[i].ruling))
			add_call(e, causes, &ours[i].ruling, tables->rows[i].name);
	return 0;
}

/* In the order in which they are shown. */
static const char *const verdict_words[] = {"allowed", "by arguments", "EPERM", "ENOSYS"};

static const char *verdict_word(const struct syscall_ruling *ruling)
{
	if (ruling->verdict == SYSCALL_MISSING)
		return verdict_words[3];
	if (ruling->verdict == SYSCALL_REFUSED)
		return verdict_words[2];
	return verdict_words[ruling->condition != NULL];
}

static const char *capability_reason(const struct explanation *e,
				     const struct syscall_ruling *ruling)
{
	return arena_format(e->arena, "%s is %skept", capability_name(ruling->capability),
			    ruling->source == SYSCALL_RETAINED ? "" : "not ");
}

/* Arguments are looked at for one of two settings. */
static struct explain_origin argument_origin(const struct explanation *e, const char *call)
{
	bool is_socket = text_has_prefix(call, "socket") || text_has_prefix(call, "io_uring");

	return explain_origin(e, is_socket ? SETTING_RESTRICT_ADDRESS_FAMILIES
					   : SETTING_SUPPRESS_SYNC);
}

static void explain_cause(struct explanation *e, const struct cause *cause)
{
	const struct syscall_ruling *ruling = &cause->ruling;
	struct explain_row *row =
		explain_row(e, verdict_word(ruling), explain_join(e, &cause->calls, ", "), NULL);

	if (ruling->source == SYSCALL_RETAINED || ruling->source == SYSCALL_NOT_RETAINED)
		row->reason = capability_reason(e, ruling);
	else if (ruling->source == SYSCALL_EXCLUDED)
		row->reason = ruling->reason;
	else if (ruling->word)
		row->reason =
			arena_format(e->arena, "by %s%s",
				     ruling->source == SYSCALL_DENIED ? "~" : "", ruling->word);
	if (ruling->condition)
		row->reason = ruling->condition;
	if (ruling->source == SYSCALL_ASKED || ruling->source == SYSCALL_DENIED)
		row->origin = explain_origin_in(e, SETTING_SYSTEM_CALL_FILTER, explain_has_word,
						ruling->word);
	else if (ruling->condition)
		row->origin = argument_origin(e, cause->calls.items[0]);
	explain_text(e, row, "verdict",
		     ruling->verdict == SYSCALL_ALLOWED ? "allowed" : verdict_word(ruling));
	explain_text(e, row, "condition", ruling->condition);
	explain_text(e, row, "capability",
		     ruling->source == SYSCALL_RETAINED || ruling->source == SYSCALL_NOT_RETAINED
			     ? capability_name(ruling->capability)
			     : NULL);
	*explain_list(e, row, "calls") = cause->calls;
}

static void explain_families(struct explanation *e)
{
	const struct families *families = &e->config->families;
	struct strings names = {0};
	struct explain_row *row;

	if (families->policy == FAMILIES_UNRESTRICTED)
		return;
	for (size_t i = 0; i < families->count; i++)
		strings_add(e->arena, &names,
			    names_text(&family_names, families->items[i])
				    ?: arena_format(e->arena, "%d", families->items[i]));
	row = explain_rowf(e, "families", "of sockets; others fail with EAFNOSUPPORT", "%s%s",
			   families->policy == FAMILIES_DENY ? "all but "
			   : names.count == 0                ? "none"
							     : "only ",
			   explain_join(e, &names, ", "));
	row->origin = explain_origin(e, SETTING_RESTRICT_ADDRESS_FAMILIES);
	*explain_list(e, row, "families") = names;
	explain_flag(e, row, "is_deny_list", families->policy == FAMILIES_DENY);
}

static void explain_sync(struct explanation *e)
{
	struct explain_row *row;

	if (!e->config->suppress_sync)
		return;
	row = explain_row(e, "sync", "does nothing and succeeds",
			  "faster, for a tree that nobody needs after a power cut");
	row->origin = explain_origin(e, SETTING_SUPPRESS_SYNC);
	if (row->origin.source == EXPLAIN_DEFAULT)
		row->origin = explain_origin_variable("$SYSTEMD_SUPPRESS_SYNC");
}

void explain_filter(struct explanation *e)
{
	const struct capability_plan *capabilities = &e->plan->capabilities;
	struct syscall_request request =
		confine_request(e->config, capabilities->bounding | capabilities->ambient);
	struct causes causes = {0};
	struct explain_row *row;

	(void)explain_section(e, "filter", "System calls", NULL);
	if (!e->config->syscall_filter) {
		row = explain_row(e, "filter", "none", "every call reaches the kernel");
		row->origin = explain_origin_variable("$SYSTEMD_SECCOMP");
		explain_flag(e, row, "is_filtered", false);
		return;
	}
	if (find_causes(e, &request, &causes) < 0) {
		(void)explain_row(e, "filter", "unknown", "see below");
		return;
	}
	row = explain_row(e, "filter",
			  causes.count == 0 ? "the default" : "the default, but for the following",
			  "'nspawn syscalls' lists it; unknown calls get ENOSYS");
	explain_flag(e, row, "is_filtered", true);
	explain_families(e);
	explain_sync(e);
	for (size_t word = 0; word < ARRAY_LEN(verdict_words); word++)
		for (size_t i = 0; i < causes.count; i++)
			if (strcmp(verdict_word(&causes.items[i].ruling), verdict_words[word]) == 0)
				explain_cause(e, &causes.items[i]);
}
