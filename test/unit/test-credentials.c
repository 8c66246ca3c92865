/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of config/credential-values and of reading in mount/credentials: what may be a name, that a
 * secret is never said, and that it is forgotten.
 * Zone: free.
 */
#include "mount/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "captured.h"
#include "check.h"
#include "config/check.h"
#include "config/credential-values.h"
#include "config/settings.h"

#define SECRET "open-sesame"

static struct captured captured;

static int apply(struct config *config, enum setting setting, const char *value)
{
	capture_start(&captured);
	return setting_apply(
		config,
		&(struct said){.setting = setting, .value = value, .origin = ORIGIN_OPTION});
}

static void test_names(void)
{
	static const char *const good[] = {"a", "A-z_0.9", "journal.forward_to_socket", "...",
					   "a b"};
	static const char *const bad[] = {"", ".", "..", "a/b", "a:b", "a\nb", "\x7f", "\xc3\xa4"};
	char text[257];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(credential_id_is_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!credential_id_is_valid(bad[i]));
	memset(text, 'x', sizeof(text));
	text[256] = '\0';
	CHECK(!credential_id_is_valid(text) && credential_id_is_valid(text + 1));
}

static void test_refusals(void)
{
	static const char *const values[] = {":" SECRET, "a/b:" SECRET, SECRET, "a:" SECRET "\\q",
					     ""};
	struct config config = {0};

	config_defaults(&config);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) - 1; i++) {
		CHECK(apply(&config, SETTING_SET_CREDENTIAL, values[i]) == -EINVAL);
		CHECK(captured.failures >= 1 && !strstr(captured.all, SECRET));
	}
	CHECK(config.credentials.count == 0);
	CHECK(apply(&config, SETTING_SET_CREDENTIAL, "a:") == 0);
	CHECK(apply(&config, SETTING_SET_CREDENTIAL, "a:1") == -EEXIST);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "a:/etc/passwd") == -EEXIST);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "b:..") == -EINVAL);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "b:") == -EINVAL);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "b:x:y") == -EINVAL);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "b:name") == 0);
	CHECK_TEXT(config.credentials.items[1].inherited, "name");
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "c://x/:y") == 0);
	CHECK_TEXT(config.credentials.items[2].path, "/x/:y");
	arena_done(&config.arena);
}

static void test_reading(void)
{
	char typed[] = "one:a\\x00b\\n" SECRET, path[] = "/tmp/test-credentials-XXXXXX", load[64];
	int fd = mkstemp(path);
	struct config config = {0};
	struct credentials read = {0};
	struct undo undo = {0};

	CHECK(fd >= 0 && write(fd, "x\0y", 3) == 3 && close(fd) == 0);
	(void)snprintf(load, sizeof(load), "two:%s", path);
	config_defaults(&config);
	CHECK(apply(&config, SETTING_SET_CREDENTIAL, typed) == 0);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, load) == 0);
	CHECK(credentials_read(&config, &read, &undo) == 0 && read.count == 2);
	CHECK(read.items[0].length == 4 + strlen(SECRET));
	CHECK(memcmp(read.items[0].bytes, "a\0b\n" SECRET, 4 + strlen(SECRET)) == 0);
	CHECK(read.items[1].length == 3 && memcmp(read.items[1].bytes, "x\0y", 3) == 0);
	CHECK(!read.are_for_everyone);
	/* What was typed is gone, its name is not. */
	CHECK_TEXT(typed, "one:");
	for (size_t i = 4; i < sizeof(typed); i++)
		CHECK(typed[i] == '\0');
	undo_all(&undo);
	CHECK(read.count == 0 && !read.items[0].bytes);
	CHECK(unlink(path) == 0);
	arena_done(&config.arena);
}

static void test_unreadable(void)
{
	struct config config = {0};
	struct credentials read = {0};
	struct undo undo = {0};

	config_defaults(&config);
	CHECK(apply(&config, SETTING_LOAD_CREDENTIAL, "a:/no/such/file") == 0);
	capture_start(&captured);
	CHECK(credentials_read(&config, &read, &undo) == -ENOENT && captured.failures == 1);
	undo_all(&undo);
	config.credentials.items[0].path = "/dev/zero";
	CHECK(credentials_read(&config, &read, &undo) == -EFBIG);
	CHECK(strstr(captured.all, "1 MiB") != NULL);
	undo_all(&undo);
	arena_done(&config.arena);
}

static void test_everyone(void)
{
	static const struct {
		const char *user;
		enum start_mode start;
		bool no_new_privileges, expected;
	} rows[] = {
		{NULL, START_COMMAND, true, false}, {"root", START_COMMAND, true, false},
		{"0", START_COMMAND, true, false},  {"u", START_COMMAND, true, true},
		{"u", START_COMMAND, false, false}, {"u", START_PID2, true, false},
		{"u", START_BOOT, true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char typed[] = "a:b";
		struct config config = {0};
		struct credentials read = {0};
		struct undo undo = {0};

		config_defaults(&config);
		CHECK(apply(&config, SETTING_SET_CREDENTIAL, typed) == 0);
		config.user = rows[i].user;
		config.start = rows[i].start;
		config.no_new_privileges = rows[i].no_new_privileges;
		CHECK(credentials_read(&config, &read, &undo) == 0);
		CHECK(read.are_for_everyone == rows[i].expected);
		undo_all(&undo);
		arena_done(&config.arena);
	}
}

int main(void)
{
	test_names();
	test_refusals();
	test_reading();
	test_unreadable();
	test_everyone();
	return check_result();
}
