/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of mount/journal's planning, of config/journal-values and of the words of run/
 * journal-receiver.
 * Zone: free.
 */
#include "mount/journal.h"

#include <errno.h>
#include <stdint.h>

#include "captured.h"
#include "check.h"
#include "config/check.h"
#include "config/settings.h"
#include "run/journal-receiver.h"

#define UUID "11112222-3333-4444-5555-666677778888"
#define DIRECTORY "/var/log/journal/11112222333344445555666677778888"

static struct captured captured;

static int apply(struct config *config, enum setting setting, const char *value)
{
	capture_start(&captured);
	return setting_apply(
		config,
		&(struct said){.setting = setting, .value = value, .origin = ORIGIN_OPTION});
}

static int plan(struct config *config, struct journal_facts facts, struct journal_plan *ret)
{
	capture_start(&captured);
	return journal_plan_make(&config->arena, config, &facts, UUID, ret);
}

/* By default only what the host has a directory for, and then without a word. */
static void test_auto(void)
{
	struct config config = {0};
	struct journal_plan made;

	config_defaults(&config);
	CHECK(plan(&config, (struct journal_facts){.has_id = true}, &made) == 0 &&
	      made.how == JOURNAL_LEAVE);
	CHECK(plan(&config, (struct journal_facts){.has_id = true, .host_has_directory = true},
		   &made) == 0);
	CHECK(made.how == JOURNAL_BIND && made.is_try && made.is_default);
	CHECK_TEXT(made.directory, DIRECTORY);
	CHECK(plan(&config,
		   (struct journal_facts){
			   .has_id = true, .host_has_directory = true, .is_same_machine = true},
		   &made) == 0);
	CHECK(made.how == JOURNAL_LEAVE && captured.warnings == 1);
	arena_done(&config.arena);
}

static void test_modes(void)
{
	static const struct {
		enum link_journal mode;
		enum journal_how how;
		bool is_try;
	} rows[] = {
		{LINK_JOURNAL_NO, JOURNAL_LEAVE, true},
		{LINK_JOURNAL_HOST, JOURNAL_BIND, false},
		{LINK_JOURNAL_TRY_HOST, JOURNAL_BIND, true},
		{LINK_JOURNAL_GUEST, JOURNAL_LINK, false},
		{LINK_JOURNAL_TRY_GUEST, JOURNAL_LINK, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config config = {0};
		struct journal_plan made;
		int refused = rows[i].is_try ? 0 : -EEXIST;

		config_defaults(&config);
		config.link_journal = rows[i].mode;
		CHECK(plan(&config, (struct journal_facts){.has_id = true}, &made) == 0);
		CHECK(made.how == rows[i].how && made.is_try == rows[i].is_try && !made.is_default);
		if (made.how == JOURNAL_LEAVE)
			continue;
		CHECK_TEXT(made.directory, DIRECTORY);
		CHECK(plan(&config, (struct journal_facts){.has_id = true, .is_same_machine = true},
			   &made) == refused);
		CHECK(made.how == JOURNAL_LEAVE);
		CHECK(captured.failures == !rows[i].is_try && captured.warnings == rows[i].is_try);
		*ARRAY_ADD(&config.arena, &config.mounts) =
			(struct mount_request){.kind = MOUNT_TMPFS, .destination = "/var/log"};
		CHECK(plan(&config, (struct journal_facts){.has_id = true}, &made) == refused);
		config.mounts.items[0].destination = "/var/log/journal/1111";
		CHECK(plan(&config, (struct journal_facts){.has_id = true}, &made) == 0);
		arena_done(&config.arena);
	}
}

/* Only an init makes an id of one start last. */
static void test_no_id(void)
{
	static const enum link_journal modes[] = {LINK_JOURNAL_HOST, LINK_JOURNAL_TRY_HOST,
						  LINK_JOURNAL_GUEST, LINK_JOURNAL_TRY_GUEST};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct config config = {0};
		struct journal_plan made;
		bool is_try =
			modes[i] == LINK_JOURNAL_TRY_HOST || modes[i] == LINK_JOURNAL_TRY_GUEST;

		config_defaults(&config);
		config.link_journal = modes[i];
		CHECK(plan(&config, (struct journal_facts){0}, &made) == 0);
		CHECK(made.how == JOURNAL_LEAVE && captured.warnings == !is_try);
		config.start = START_BOOT;
		CHECK(plan(&config, (struct journal_facts){0}, &made) == 0);
		CHECK(made.how != JOURNAL_LEAVE && captured.warnings == 0);
		arena_done(&config.arena);
	}
}

static void test_words(void)
{
	static const struct {
		const char *word;
		enum link_journal mode;
	} rows[] = {
		{"host", LINK_JOURNAL_HOST},   {"try-host", LINK_JOURNAL_TRY_HOST},
		{"guest", LINK_JOURNAL_GUEST}, {"try-guest", LINK_JOURNAL_TRY_GUEST},
		{"auto", LINK_JOURNAL_AUTO},   {"yes", LINK_JOURNAL_AUTO},
		{"1", LINK_JOURNAL_AUTO},      {"no", LINK_JOURNAL_NO},
		{"False", LINK_JOURNAL_NO},
	};
	struct config config = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config_defaults(&config);
		CHECK(apply(&config, SETTING_LINK_JOURNAL, rows[i].word) == 0);
		CHECK(config.link_journal == rows[i].mode);
	}
	CHECK(apply(&config, SETTING_LINK_JOURNAL, "try") < 0);
	CHECK(apply(&config, SETTING_LINK_JOURNAL, "Host") < 0);
	config_defaults(&config);
	CHECK(apply(&config, SETTING_LINK_JOURNAL_TRY_GUEST, NULL) == 0);
	CHECK(config.link_journal == LINK_JOURNAL_TRY_GUEST);
	CHECK(config.origin[SETTING_LINK_JOURNAL] == ORIGIN_OPTION);
	arena_done(&config.arena);
}

static void test_limits(void)
{
	static const char *const junk[] = {"0",  "-1", "x", "1.5M",
					   "1Q", " 1", "",  "99999999999999999999"};
	struct config config = {0};

	config_defaults(&config);
	CHECK(apply(&config, SETTING_FORWARD_JOURNAL_MAX_USE, "500M") == 0);
	CHECK(apply(&config, SETTING_FORWARD_JOURNAL_KEEP_FREE, "1G") == 0);
	CHECK(apply(&config, SETTING_FORWARD_JOURNAL_MAX_FILE_SIZE, "4096") == 0);
	CHECK(apply(&config, SETTING_FORWARD_JOURNAL_MAX_FILES, "7") == 0);
	CHECK(config.forward_journal_max_use == UINT64_C(500) << 20);
	CHECK(config.forward_journal_keep_free == UINT64_C(1) << 30);
	CHECK(config.forward_journal_max_file_size == 4096);
	CHECK(config.forward_journal_max_files == 7);
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		CHECK(apply(&config, SETTING_FORWARD_JOURNAL_MAX_USE, junk[i]) < 0);
		CHECK(apply(&config, SETTING_FORWARD_JOURNAL_MAX_FILES, junk[i]) < 0);
	}
	CHECK(apply(&config, SETTING_FORWARD_JOURNAL_MAX_FILES, "7K") < 0);
	capture_start(&captured);
	CHECK(config_check(&config) < 0 && strstr(captured.first, "--forward-journal"));
	CHECK(apply(&config, SETTING_FORWARD_JOURNAL, "/var//x/") == 0);
	CHECK_TEXT(config.forward_journal, "/var/x");
	CHECK(config_check(&config) == 0);
	CHECK(config.credentials.count == 1);
	CHECK_TEXT(config.credentials.items[0].id, "journal.forward_to_socket");
	arena_done(&config.arena);
}

static void test_receiver(void)
{
	CHECK(journal_output_is_file("/a/b.journal") && journal_output_is_file("/b.journal"));
	CHECK(!journal_output_is_file("/a/.journal") && !journal_output_is_file("/a/journal"));
	CHECK(!journal_output_is_file("/a.journal/b") && !journal_output_is_file("/"));
	CHECK(journal_version_parse("systemd 252 (252.39-1~deb12u2)\n+PAM") == 252);
	CHECK(journal_version_parse("systemd 258") == 258);
	CHECK(journal_version_parse("systemd v258") < 0 && journal_version_parse("") < 0);
	CHECK(journal_version_parse("systemd 99999999999999999999") < 0);
	CHECK(journal_version_parse("systemd -1") < 0 && journal_version_parse("systemctl 3") < 0);
}

int main(void)
{
	test_auto();
	test_modes();
	test_no_id();
	test_words();
	test_limits();
	test_receiver();
	return check_result();
}
