/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only some starts have: labels, journals, credentials, and what was said in vain.
 * Zone: free.
 */
#include "base/scope.h"
#include "run/explain-rows.h"

/* --- Labels --- */

void explain_labels(struct explanation *e)
{
	const struct label_plan *plan = &e->plan->labels;
	const struct {
		const char *name, *label, *reason;
		enum setting setting;
	} rows[] = {
		{"SELinux", plan->selinux_context, "of every process", SETTING_SELINUX_CONTEXT},
		{"SELinux, files", plan->mount_context, "of file systems in memory",
		 SETTING_SELINUX_APIFS_CONTEXT},
		{"AppArmor", plan->apparmor_profile, "of every process; verified before it runs",
		 SETTING_APPARMOR_PROFILE},
	};

	(void)explain_section(e, "labels", "Security labels", NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].label)
			explain_row(e, rows[i].name, rows[i].label, rows[i].reason)->origin =
				explain_origin(e, rows[i].setting);
}

/* --- Journal --- */

static void explain_linked_journal(struct explanation *e)
{
	const struct journal_plan *plan = &e->plan->journal;
	struct explain_row *row;

	if (plan->how == JOURNAL_LEAVE)
		return;
	row = plan->how == JOURNAL_BIND
		      ? explain_row(e, "link", "kept on the host, seen inside",
				    "the host can read it when the machine is gone")
		      : explain_row(e, "link", "kept in the tree, seen on the host",
				    "by a link that stays when the machine is gone");
	row->origin = explain_origin(e, SETTING_LINK_JOURNAL);
	if (row->origin.source == EXPLAIN_DEFAULT)
		row->origin = explain_origin(e, SETTING_LINK_JOURNAL_TRY_GUEST);
	explain_text(e, row, "directory", plan->directory);
	explain_flag(e, row, "is_try", plan->is_try);
	if (plan->directory)
		(void)explain_row(e, "directory", plan->directory,
				  plan->is_try ? "left if it cannot be made" : NULL);
}

void explain_journal(struct explanation *e)
{
	const struct config *config = e->config;
	struct explain_row *row;

	(void)explain_section(e, "journal", "Journal", NULL);
	explain_linked_journal(e);
	if (!config->forward_journal)
		return;
	row = explain_row(e, "forwarded", config->forward_journal,
			  "received on the host while the machine runs");
	row->origin = explain_origin(e, SETTING_FORWARD_JOURNAL);
}

/* --- Credentials --- */

static bool names_credential(const struct said *said, const void *item)
{
	const char *id = item, *value = said->value ? said->value : "";

	for (; *id; id++, value++)
		if (*id != *value)
			return false;
	return *value == ':' || !*value;
}

/* Values are secrets: where they are from is all that is shown. */
void explain_credentials(struct explanation *e)
{
	const struct credential_requests *requests = &e->config->credentials;

	(void)explain_section(e, "credentials", "Credentials", NULL);
	for (size_t i = 0; i < requests->count; i++) {
		const struct credential_request *request = &requests->items[i];
		struct explain_row *row = explain_row(e, request->id,
						      request->path        ? request->path
						      : request->inherited ? request->inherited
									   : "a secret",
						      request->path        ? "read on the host"
						      : request->inherited ? "one of nspawn's own"
									   : "as given");

		row->origin = explain_origin_in(
			e, request->text ? SETTING_SET_CREDENTIAL : SETTING_LOAD_CREDENTIAL,
			names_credential, request->id);
		explain_text(e, row, "path", request->path);
	}
}

/* --- In vain --- */

void explain_unheeded(struct explanation *e)
{
	const struct said_list *said = &e->config->unheeded;

	(void)explain_section(e, "unheeded", "Said in vain", NULL);
	for (size_t i = 0; i < said->count; i++) {
		const struct said *one = &said->items[i];
		const struct setting_row *setting = &setting_rows[one->setting];
		char name[SETTING_NAME_MAX];

		explain_row(e,
			    one->origin == ORIGIN_FILE && setting->key
				    ? setting->key
				    : arena_copy(e->arena, setting_name(one->setting, name)),
			    one->value ? one->value : "", one->why_not)
			->origin = explain_origin_of(e, one);
	}
}
