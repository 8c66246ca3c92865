/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chooses ids and writes records of users of the host (nss-systemd(8), "static drop-in JSON
 * user/group records").
 * Zone: free, doomed for bind_user_write().
 */
#include "mount/bind-user.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "mount/mount-plan.h"

#define SERVICE "io.systemd.NSpawn"

/* --- Ids --- */

/* Whether any line has 'id' in its third field, however the rest of it looks. */
static bool has_id(const char *text, uint32_t id)
{
	char wanted[16];
	size_t length = (size_t)snprintf(wanted, sizeof(wanted), "%u", id);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n'), *field = line;

		for (int i = 0; i < 2 && field; i++) {
			field = memchr(field, ':', (size_t)(end - field));
			field = field ? field + 1 : NULL;
		}
		/* Some readers take leading zeroes and blanks. */
		while (field && field < end && strchr(" \t+0", *field))
			field++;
		if (field && (size_t)(end - field) >= length &&
		    strncmp(field, wanted, length) == 0 &&
		    !(field[length] >= '0' && field[length] <= '9'))
			return true;
		line = *end ? end + 1 : end;
	}
	return false;
}

uint32_t bind_user_choose_id(const char *passwd, const char *group, const struct bound_users *users)
{
	/* The lowest is taken by order of mention. */
	uint32_t id = BIND_USER_FIRST;

	if (users->count > 0)
		id = users->items[users->count - 1].id + 1;
	for (; id <= BIND_USER_LAST; id++)
		if (!has_id(passwd, id) && !has_id(group, id))
			return id;
	return 0;
}

bool bind_user_has_name(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, name, length) == 0 &&
		    (line[length] == ':' || line + length == end))
			return true;
		line = *end ? end + 1 : end;
	}
	return false;
}

/* --- Records --- */

/* Takes the object over. */
static const char *to_text(struct arena *arena, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	const char *copy = text ? arena_format(arena, "%s\n", text) : "{}\n";

	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	json_decref(object);
	return copy;
}

void bind_user_describe(struct arena *arena, struct bound_user *user, const char *real_name,
			const char *password, const struct strings *groups)
{
	json_t *record = json_pack("{s:s, s:i, s:i}", "userName", user->name, "uid", (int)user->id,
				   "gid", (int)user->id);
	json_t *members = json_array();

	if (real_name && *real_name && text_is_utf8(real_name) && !text_has_controls(real_name))
		(void)json_object_set_new(record, "realName", json_string(real_name));
	(void)json_object_set_new(record, "homeDirectory", json_string(user->home));
	if (user->shell)
		(void)json_object_set_new(record, "shell", json_string(user->shell));
	for (size_t i = 0; i < groups->count; i++)
		(void)json_array_append_new(members, json_string(groups->items[i]));
	if (groups->count > 0)
		(void)json_object_set(record, "memberOf", members);
	json_decref(members);
	(void)json_object_set_new(record, "service", json_string(SERVICE));
	user->user_record = to_text(arena, record);
	user->group_record = to_text(arena, json_pack("{s:s, s:i, s:s}", "groupName", user->name,
						      "gid", (int)user->id, "service", SERVICE));
	/* Without one nobody can log in by password: "!" is no hash of anything. */
	user->privileged_record =
		to_text(arena, json_pack("{s:{s:[s]}}", "privileged", "hashedPassword",
					 password && text_is_utf8(password) ? password : "!"));
}

void bind_user_plan(struct arena *arena, const struct bound_users *users, struct mount_plan *plan)
{
	for (size_t i = 0; i < users->count; i++) {
		const struct bound_user *user = &users->items[i];
		struct id_request *ids;

		if (!user->host_home)
			continue;
		ids = arena_allocate(arena, sizeof(*ids));
		ids->rule = ID_RULE_ONLY;
		*ARRAY_ADD(arena, &ids->pairs) =
			(struct owner_pair){user->host_uid, user->id, 1, /* is_group= */ false};
		*ARRAY_ADD(arena, &ids->pairs) =
			(struct owner_pair){user->host_gid, user->id, 1, /* is_group= */ true};
		*ARRAY_ADD(arena, plan) = (struct mount_operation){
			.kind = OPERATION_BIND,
			.place = SOURCE_HOST,
			.source = user->host_home,
			.target = user->home,
			.flags = MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV,
			.recursive = true,
			.ids = ids,
		};
	}
}

/* --- Files --- */

static int write_record(int directory_fd, const char *name, const char *suffix, const char *text,
			mode_t mode)
{
	/* Room for two names and what follows them. */
	char file[672];
	auto_close int fd = -EBADF;

	(void)snprintf(file, sizeof(file), "%s.%s", name, suffix);
	fd = openat(directory_fd, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int link_record(int directory_fd, const struct bound_user *user, const char *suffix)
{
	char link[64], target[320];

	(void)snprintf(link, sizeof(link), "%u.%s", user->id, suffix);
	(void)snprintf(target, sizeof(target), "%s.%s", user->name, suffix);
	return symlinkat(target, directory_fd, link) < 0 ? -errno : 0;
}

static int write_user(int directory_fd, const struct bound_user *user, const struct strings *groups)
{
	TRY(write_record(directory_fd, user->name, "user", user->user_record, 0444));
	TRY(write_record(directory_fd, user->name, "group", user->group_record, 0444));
	TRY(write_record(directory_fd, user->name, "user-privileged", user->privileged_record,
			 0600));
	TRY(link_record(directory_fd, user, "user"));
	TRY(link_record(directory_fd, user, "group"));
	TRY(link_record(directory_fd, user, "user-privileged"));
	for (size_t i = 0; i < groups->count; i++) {
		char name[640];

		(void)snprintf(name, sizeof(name), "%s:%s", user->name, groups->items[i]);
		TRY(write_record(directory_fd, name, "membership", "{}\n", 0444));
	}
	return 0;
}

/* What the home is mounted on, or all that there is of it. */
static int make_home(int homes_fd, const struct bound_user *user, const struct id_maps *maps)
{
	uint32_t uid = maps ? id_map_to_outside(&maps->users, user->id) : user->id;
	uint32_t gid = maps ? id_map_to_outside(&maps->groups, user->id) : user->id;
	auto_close int fd = -EBADF;

	if (uid == UINT32_MAX || gid == UINT32_MAX)
		return -ERANGE;
	if (mkdirat(homes_fd, user->name, 0700) < 0)
		return -errno;
	fd = openat(homes_fd, user->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || fchown(fd, uid, gid) < 0 ? -errno : 0;
}

static int make_directory(int host_fd, const char *name)
{
	int fd;

	if (mkdirat(host_fd, name, 0755) < 0)
		return -errno;
	fd = openat(host_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int bind_user_write(int host_fd, const struct bound_users *users, const struct id_maps *maps)
{
	auto_close int homes_fd = make_directory(host_fd, "home"),
		       records_fd = make_directory(host_fd, "userdb");

	TRY(homes_fd);
	TRY(records_fd);
	for (size_t i = 0; i < users->count; i++) {
		TRY(make_home(homes_fd, &users->items[i], maps));
		TRY(write_user(records_fd, &users->items[i], &users->groups));
	}
	return 0;
}
