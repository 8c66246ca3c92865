/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings files: whatever is in one, it is read, and what it says wrong is warned of. The first
 * byte of the input says who wrote it and against which command line it stands.
 */
#include "config/settings-text.h"

#include "captured.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/config.h"
#include "config/merge.h"
#include "fuzz.h"

enum {
	IS_TRUSTED = 1,
	OVERRIDES = 2,
	HAS_OPTIONS = 4,
};

/* A file beside the tree never does any of this. */
static void check_harmless(const struct config *config, bool has_options)
{
	MUST(config->mounts.count == 0 && config->syscalls_allowed.count == 0);
	MUST(config->capabilities_added == 0 && config->capabilities_ambient == 0);
	MUST(config->private_users == PRIVATE_USERS_DEFAULT && !config->private_users_delegate);
	MUST(!config->private_network && !config->uuid_is_set && !config->oom_score_adjust_is_set);
	MUST(!config->directory && !config->machine);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		MUST(!config->limits[i].is_set);
	if (!has_options)
		return;
	MUST(config->read_only && config->no_new_privileges);
	MUST(config->families.policy == FAMILIES_ALLOW && config->families.count == 1);
	MUST(config->capabilities_dropped == 1 && strcmp(config->user, "u") == 0);
	MUST(config->syscalls_denied.count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct captured captured;
	static const char *const options[] = {"nspawn",
					      "--settings=yes",
					      "--read-only",
					      "--no-new-privileges=yes",
					      "--drop-capability=CAP_CHOWN",
					      "-uu",
					      "--system-call-filter=~mount",
					      "--restrict-address-families=AF_UNIX",
					      NULL};
	uint8_t how = input_byte(&data, &size);
	char *words[sizeof(options) / sizeof(options[0])], *text = input_text(data, size);
	int count = how & HAS_OPTIONS ? 8 : 2, r;
	const struct settings_source source = {"F", how & IS_TRUSTED};
	struct config config = {0};
	struct said_list said = {0};

	for (int i = 0; i < count; i++)
		words[i] = (char *)(size_t)options[i];
	words[count] = NULL;
	if (how & OVERRIDES)
		words[1] = (char *)(size_t) "--settings=override";
	capture_start(&captured);
	MUST(config_from_command_line(&config, count, words) == 0);
	settings_text_parse(&config.arena, &source, text, size, &said);
	MUST(said.count <= size / 2);
	for (size_t i = 0; i < said.count; i++)
		MUST(said.items[i].line > 0 && strlen(said.items[i].value) < size);
	r = config_merge(&config, &said);
	MUST(r < 0 ? captured.failures == 2 && how & IS_TRUSTED : captured.failures == 0);
	if (!(how & IS_TRUSTED))
		check_harmless(&config, how & HAS_OPTIONS);
	if (r == 0)
		r = config_check(&config);
	MUST(r < 0 ? captured.failures == 1 || captured.failures == 2 : captured.failures == 0);
	arena_done(&config.arena);
	free(text);
	return 0;
}
