/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of mount/bind-user: which ids are free, whatever the tree's files look like, and what is
 * written into records.
 * Zone: free.
 */
#include "mount/bind-user.h"

#include <jansson.h>

#include "base/scope.h"
#include "mount/mount-plan.h"
#include "check.h"

static struct arena arena;

static uint32_t choose(const char *passwd, const char *group)
{
	const struct bound_users none = {0};

	return bind_user_choose_id(passwd, group, &none);
}

static void test_ids(void)
{
	struct bound_user taken = {.id = 60514};
	struct bound_users users = {.items = &taken, .count = 1};
	char *full = arena_copy(&arena, "");

	CHECK(choose("", "") == 60514);
	CHECK(choose("a:x:60514:1::/:/bin/sh\n", "") == 60515);
	CHECK(choose("", "a:x:60514:\n") == 60515);
	CHECK(choose("a:x:60514:1::/:\n", "b:x:60515:") == 60516);
	CHECK(bind_user_choose_id("", "", &users) == 60515);
	CHECK(bind_user_choose_id("a:x:60515:", "", &users) == 60516);
	/* A longer number, another field, no field. */
	CHECK(choose("a:x:605140:1::/:\nb:x:1:60514::/:\n60514\n:60514\n60514:60514\n", "") ==
	      60514);
	/* What strict readers skip others take: better not to share. */
	CHECK(choose("a:x: 60514", "") == 60515 && choose("a:x:060514:", "") == 60515);
	CHECK(choose("::60514", "") == 60515 && choose("\n\n#\na:x:60514", "") == 60515);
	for (uint32_t id = BIND_USER_FIRST; id <= BIND_USER_LAST; id++)
		full = arena_format(&arena, "%su%u:x:%u:1::/:\n", full, id, id);
	CHECK(choose(full, "") == 0 && choose("", full) == 0);
}

static void test_names(void)
{
	CHECK(bind_user_has_name("root:x:0:\nalice:x:1:", "alice"));
	CHECK(bind_user_has_name("alice", "alice"));
	CHECK(bind_user_has_name("alice\nbob:x", "alice"));
	CHECK(!bind_user_has_name("alicex:x:1:\nx:alice:\n alice:x", "alice"));
	CHECK(!bind_user_has_name("", "alice") && !bind_user_has_name("ali", "alice"));
}

static json_t *parse(const char *text)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	CHECK(json_is_object(object));
	CHECK(text[strlen(text) - 1] == '\n');
	return object;
}

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_records(void)
{
	struct bound_user user = {.name = "alice", .id = 60514, .home = "/run/host/home/alice"};
	struct strings groups = {0};
	json_t *object;

	bind_user_describe(&arena, &user, NULL, NULL, &groups);
	object = parse(user.user_record);
	CHECK(json_object_size(object) == 5);
	CHECK_TEXT(text_of(object, "userName"), "alice");
	CHECK_TEXT(text_of(object, "homeDirectory"), "/run/host/home/alice");
	CHECK_TEXT(text_of(object, "service"), "io.systemd.NSpawn");
	CHECK(json_integer_value(json_object_get(object, "uid")) == 60514);
	CHECK(json_integer_value(json_object_get(object, "gid")) == 60514);
	json_decref(object);
	CHECK_TEXT(user.group_record,
		   "{\"groupName\":\"alice\",\"gid\":60514,\"service\":\"io.systemd.NSpawn\"}\n");
	CHECK_TEXT(user.privileged_record, "{\"privileged\":{\"hashedPassword\":[\"!\"]}}\n");

	user.shell = "/bin/zsh";
	strings_add(&arena, &groups, "wheel");
	bind_user_describe(&arena, &user, "Al \"Quote\" Ice", "$6$secret", &groups);
	object = parse(user.user_record);
	CHECK_TEXT(text_of(object, "realName"), "Al \"Quote\" Ice");
	CHECK_TEXT(text_of(object, "shell"), "/bin/zsh");
	CHECK(json_array_size(json_object_get(object, "memberOf")) == 1);
	CHECK(!strstr(user.user_record, "secret") && !strstr(user.group_record, "secret"));
	json_decref(object);
	CHECK(strstr(user.privileged_record, "[\"$6$secret\"]"));

	/* What is no text for anybody is left out. */
	bind_user_describe(&arena, &user, "\xff", "\xff", &groups);
	object = parse(user.user_record);
	CHECK(!json_object_get(object, "realName"));
	json_decref(object);
	CHECK(strstr(user.privileged_record, "[\"!\"]"));
}

static void test_mounts(void)
{
	struct bound_user items[] = {
		{.name = "alice",
		 .host_uid = 1000,
		 .host_gid = 100,
		 .id = 60514,
		 .host_home = "/home/alice",
		 .home = "/run/host/home/alice"},
		{.name = "daemon",
		 .host_uid = 1,
		 .host_gid = 1,
		 .id = 60515,
		 .home = "/run/host/home/daemon"},
	};
	struct bound_users users = {.items = items, .count = ARRAY_LEN(items)};
	struct mount_plan plan = {0};

	bind_user_plan(&arena, &users, &plan);
	CHECK(plan.count == 1);
	CHECK_TEXT(plan.items[0].source, "/home/alice");
	CHECK_TEXT(plan.items[0].target, "/run/host/home/alice");
	CHECK(plan.items[0].ids && plan.items[0].ids->rule == ID_RULE_ONLY);
	CHECK(plan.items[0].ids->pairs.count == 2 && plan.items[0].ids->pairs.items[1].is_group);
	CHECK(plan.items[0].ids->pairs.items[1].host == 100);
	CHECK((plan.items[0].flags & MOUNT_FLAG_NOSUID) != 0);
}

int main(void)
{
	test_ids();
	test_names();
	test_records();
	test_mounts();
	arena_done(&arena);
	return check_result();
}
