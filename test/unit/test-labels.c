/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of confine/labels and config/label-values: what may be a label, what a kernel without the
 * module means, how the kernel's answer is read; and where the look for an operating system takes
 * place (image/os-check).
 */
#include "confine/labels.h"

#include <errno.h>

#include "base/scope.h"
#include "captured.h"
#include "check.h"
#include "config/check.h"
#include "config/settings.h"
#include "image/os-check.h"

static struct captured captured;
static struct config config;

static void reset(void)
{
	arena_done(&config.arena);
	config_defaults(&config);
	capture_start(&captured);
}

static int apply(enum setting setting, const char *value)
{
	return setting_apply(
		&config,
		&(struct said){.setting = setting, .value = value, .origin = ORIGIN_OPTION});
}

static void test_contexts(void)
{
	static const char *const good[] = {"u:r:t", "system_u:system_r:svirt_lxc_net_t:s0:c1,c2",
					   "u:object_r:t:s0-s0:c0.c1023"};
	static const char *const bad[] = {
		"",        "t",       "u:r",     "u:r:",      ":r:t",    "u::t",
		"u:r:t\n", "u:r:t x", "u:r::s0", "u:r:t\x7f", "u:r:\xff"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		reset();
		CHECK(apply(SETTING_SELINUX_CONTEXT, good[i]) == 0);
		CHECK_TEXT(config.selinux_context, good[i]);
		CHECK(apply(SETTING_SELINUX_APIFS_CONTEXT, good[i]) == 0);
		CHECK_TEXT(config.selinux_apifs_context, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		reset();
		CHECK(apply(SETTING_SELINUX_CONTEXT, bad[i]) < 0);
		CHECK(!config.selinux_context && captured.failures > 0);
		CHECK(apply(SETTING_SELINUX_APIFS_CONTEXT, bad[i]) < 0);
		CHECK(!config.selinux_apifs_context);
	}
}

static void test_profiles(void)
{
	static const char *const good[] = {"box",     "/usr/bin/box", "my box",
					   ":ns:box", "a//b",         "unconfined"};
	static const char *const bad[] = {"", " box", "box ", " ", "box\n", "\tbox", "b\x01x"};
	char typed[] = "box";

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		reset();
		CHECK(apply(SETTING_APPARMOR_PROFILE, good[i]) == 0);
		CHECK_TEXT(config.apparmor_profile, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		reset();
		CHECK(apply(SETTING_APPARMOR_PROFILE, bad[i]) < 0 && !config.apparmor_profile);
	}
	/* The stub init wipes the command line. */
	reset();
	CHECK(apply(SETTING_APPARMOR_PROFILE, typed) == 0);
	memset(typed, 0, sizeof(typed));
	CHECK_TEXT(config.apparmor_profile, "box");
}

static void test_without_modules(void)
{
	const struct label_facts none = {0}, both = {true, true};
	struct label_plan plan = {0};

	reset();
	CHECK(labels_plan(&config, &none, &plan) == 0 && !label_plan_is_set(&plan));
	CHECK_TEXT(captured.all, "");

	(void)apply(SETTING_SELINUX_CONTEXT, "u:r:t");
	(void)apply(SETTING_SELINUX_APIFS_CONTEXT, "u:r:f");
	CHECK(labels_plan(&config, &none, &plan) == 0);
	CHECK(!plan.selinux_context && !plan.mount_context && captured.failures == 0);
	CHECK(strstr(captured.all, "'--selinux-context' has no effect") != NULL);
	CHECK(strstr(captured.all, "'--selinux-apifs-context' has no effect") != NULL);

	(void)apply(SETTING_APPARMOR_PROFILE, "box");
	CHECK(labels_plan(&config, &none, &plan) == -EOPNOTSUPP && !plan.apparmor_profile);
	CHECK(captured.failures > 0);

	reset();
	(void)apply(SETTING_SELINUX_CONTEXT, "u:r:t");
	(void)apply(SETTING_SELINUX_APIFS_CONTEXT, "u:r:f");
	(void)apply(SETTING_APPARMOR_PROFILE, "box");
	CHECK(labels_plan(&config, &both, &plan) == 0 && label_plan_is_set(&plan));
	CHECK_TEXT(plan.selinux_context, "u:r:t");
	CHECK_TEXT(plan.mount_context, "u:r:f");
	CHECK_TEXT(plan.apparmor_profile, "box");
	CHECK_TEXT(captured.all, "");
}

static bool says(const char *text, const char *profile, const char *mode)
{
	char buffer[64];
	const char *found = "(untouched)";

	(void)snprintf(buffer, sizeof(buffer), "%s", text);
	return label_text_says(buffer, profile, &found) && strcmp(found, mode) == 0;
}

static void test_answers(void)
{
	CHECK(says("box (enforce)", "box", "enforce"));
	CHECK(says("box (complain)", "box", "complain"));
	CHECK(says("my box (enforce)", "my box", "enforce"));
	CHECK(says("unconfined", "unconfined", ""));
	CHECK(!says("", "box", ""));
	CHECK(!says("unconfined", "box", ""));
	CHECK(!says("boxer (enforce)", "box", "enforce"));
	CHECK(!says("box (enforce", "box", "enforce"));
	CHECK(!says("box (a) (enforce)", "box", "enforce"));
	CHECK(!says("exec box", "box", ""));
}

static void test_contexts_of_the_kernel(void)
{
	CHECK(label_context_says("u:r:t", "u:r:t"));
	CHECK(label_context_says("u:r:t:s0:c1,c2", "u:r:t:s0:c2,c1"));
	CHECK(label_context_says("u:r:t:s0", "u:r:t"));
	CHECK(!label_context_says("kernel", "u:r:t"));
	CHECK(!label_context_says("", "u:r:t"));
	CHECK(!label_context_says("u:r:tt:s0", "u:r:t:s0"));
	CHECK(!label_context_says("u:r", "u:r:t"));
}

static enum os_check place(enum start_mode start, const char *program, const char *destination)
{
	config.start = start;
	if (program)
		strings_add(&config.arena, &config.words, program);
	if (destination)
		*ARRAY_ADD(&config.arena, &config.mounts) = (struct mount_request){
			.kind = MOUNT_BIND, .source = "/x", .destination = destination};
	return os_check_place(&config, /* tree_is_unseen= */ false);
}

static void test_places(void)
{
	static const struct {
		enum start_mode start;
		const char *program, *destination;
		enum os_check expected;
	} rows[] = {
		{START_BOOT, NULL, NULL, OS_CHECK_TREE},
		{START_BOOT, NULL, "/home", OS_CHECK_TREE},
		{START_BOOT, NULL, "/usrlocal", OS_CHECK_TREE},
		{START_BOOT, NULL, "/", OS_CHECK_ASSEMBLED},
		{START_BOOT, NULL, "/usr", OS_CHECK_ASSEMBLED},
		{START_BOOT, NULL, "/etc/os-release", OS_CHECK_ASSEMBLED},
		{START_COMMAND, NULL, NULL, OS_CHECK_TREE},
		{START_COMMAND, "/bin/x", "/home", OS_CHECK_TREE},
		{START_COMMAND, "/bin/x", "/", OS_CHECK_ROOT},
		{START_COMMAND, "/nix/store/x", "/nix/store", OS_CHECK_NONE},
		{START_COMMAND, "/nix/storex", "/nix/store", OS_CHECK_TREE},
		{START_COMMAND, "x", "/nix/store", OS_CHECK_TREE},
		{START_PID2, "/nix/store/x", "/nix/store", OS_CHECK_NONE},
		{START_COMMAND, "x", "/usr/bin", OS_CHECK_NONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		reset();
		CHECK(place(rows[i].start, rows[i].program, rows[i].destination) ==
		      rows[i].expected);
		reset();
		CHECK(apply(SETTING_NO_OS_CHECK, NULL) == 0);
		CHECK(place(rows[i].start, rows[i].program, rows[i].destination) == OS_CHECK_NONE);
		reset();
		config.check_os_release = false;
		CHECK(place(rows[i].start, rows[i].program, rows[i].destination) == OS_CHECK_NONE);
	}
}

int main(void)
{
	test_contexts();
	test_profiles();
	test_without_modules();
	test_answers();
	test_contexts_of_the_kernel();
	test_places();
	reset();
	arena_done(&config.arena);
	return check_result();
}
