/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads passwd(5) and group(5) of the guest, and makes home directories.
 * Zone: doomed.
 */
#include "confine/users.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"

/*
 * A file of this size holds more than ten thousand users; a larger one is an attempt to keep us
 * busy.
 */
#define ACCOUNTS_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define USER_NAME_MAX 256
#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

#define UID_16BIT_INVALID 65535

/*
 * The group of a number without an account. Not 0, which would make "any number" half a root, nor
 * the number itself, which may be that of a powerful group (42 is shadow in Debian): 65534 owns
 * nothing by convention.
 */
#define GROUP_OF_NOBODY 65534

void user_identity_done(struct user_identity *identity)
{
	free(identity->groups);
	free(identity->name);
	free(identity->home);
	free(identity->shell);
	*identity = (struct user_identity){0};
}

/*
 * Anything that cannot break the files' syntax, a command line or a terminal; which names exist the
 * guest decides.
 */
static bool is_user_name(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > USER_NAME_MAX || *text == '-' || *text == '+')
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7f || strchr(":,/\\", *text))
			return false;
	return true;
}

static bool is_all_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* As parse_uid(); 65535 is "no change" to the 16-bit system calls. */
static int parse_id(const char *text, uint32_t *ret)
{
	uint32_t id;

	if (parse_uid(text, &id) < 0 || id == UID_16BIT_INVALID)
		return -EINVAL;
	*ret = id;
	return 0;
}

/* --- files --- */

/* Cuts the next line off 'text'. */
static char *next_line(char **text)
{
	return strsep(text, "\n");
}

/* Splits 'line' at colons into exactly 'count' fields. */
static bool split_fields(char *line, char *fields[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		fields[i] = strsep(&line, ":");
	return fields[count - 1] && !line;
}

static int copy_text(char **target, const char *text)
{
	free(*target);
	*target = strdup(text);
	return *target ? 0 : -ENOMEM;
}

enum passwd_field {
	PASSWD_NAME,
	PASSWD_PASSWORD,
	PASSWD_UID,
	PASSWD_GID,
	PASSWD_GECOS,
	PASSWD_HOME,
	PASSWD_SHELL,
	_PASSWD_FIELD_COUNT,
};

static int fill_identity(char *const fields[], uid_t uid, gid_t gid, struct user_identity *ret)
{
	auto_user_identity struct user_identity identity = {.uid = uid, .gid = gid};

	TRY(copy_text(&identity.name, fields[PASSWD_NAME]));
	TRY(copy_text(&identity.home,
		      path_is_normalized(fields[PASSWD_HOME]) ? fields[PASSWD_HOME] : "/"));
	if (path_is_normalized(fields[PASSWD_SHELL]))
		TRY(copy_text(&identity.shell, fields[PASSWD_SHELL]));
	*ret = identity;
	identity = (struct user_identity){0};
	return 0;
}

int users_parse_passwd(const char *text, const char *name, uid_t uid, struct user_identity *ret)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		return -ENOMEM;
	while ((line = next_line(&rest))) {
		char *fields[_PASSWD_FIELD_COUNT];
		uint32_t line_uid, line_gid;

		/* Lines that are not strictly well formed (comments, NIS markers) name nobody. */
		if (!split_fields(line, fields, _PASSWD_FIELD_COUNT) ||
		    !is_user_name(fields[PASSWD_NAME]) ||
		    parse_id(fields[PASSWD_UID], &line_uid) < 0 ||
		    parse_id(fields[PASSWD_GID], &line_gid) < 0)
			continue;
		if (name ? strcmp(fields[PASSWD_NAME], name) == 0 : line_uid == uid)
			return fill_identity(fields, line_uid, line_gid, ret);
	}
	return -ESRCH;
}

static int add_group(struct user_identity *identity, gid_t gid)
{
	gid_t *larger;

	if (gid == identity->gid)
		return 0;
	for (size_t i = 0; i < identity->group_count; i++)
		if (identity->groups[i] == gid)
			return 0;
	if (identity->group_count == GROUPS_MAX)
		return -E2BIG;
	larger = reallocarray(identity->groups, identity->group_count + 1, sizeof(gid_t));
	if (!larger)
		return -ENOMEM;
	identity->groups = larger;
	identity->groups[identity->group_count++] = gid;
	return 0;
}

static bool is_member(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")))
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* Cuts up 'text'. */
static int parse_groups(char *text, struct user_identity *identity)
{
	char *line;

	while ((line = next_line(&text))) {
		char *fields[4]; /* name, password, gid, members */
		uint32_t gid;

		if (!split_fields(line, fields, ARRAY_LEN(fields)) || parse_id(fields[2], &gid) < 0)
			continue;
		if (is_member(fields[3], identity->name))
			TRY(add_group(identity, gid));
	}
	return 0;
}

int users_parse_group(const char *text, const char *name, gid_t *ret)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		return -ENOMEM;
	while ((line = next_line(&rest))) {
		char *fields[4]; /* name, password, gid, members */
		uint32_t gid;

		if (!split_fields(line, fields, ARRAY_LEN(fields)) || parse_id(fields[2], &gid) < 0)
			continue;
		if (strcmp(fields[0], name) == 0) {
			*ret = gid;
			return 0;
		}
	}
	return -ESRCH;
}

static int read_accounts(int root_fd, const char *path, char **ret_text)
{
	int r = path_read(root_fd, path, ACCOUNTS_MAX_BYTES, ret_text, NULL);

	/* A tree without accounts knows nobody, which is a finding. */
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		*ret_text = strdup("");
		r = *ret_text ? 0 : -ENOMEM;
	}
	return r;
}

int users_find_group(int root_fd, const char *name, gid_t *ret)
{
	auto_free char *group = NULL;

	TRY(read_accounts(root_fd, "/etc/group", &group));
	return users_parse_group(group, name, ret);
}

static int fill_plain(uid_t uid, gid_t gid, const char *name, const char *home,
		      struct user_identity *ret)
{
	auto_user_identity struct user_identity identity = {.uid = uid, .gid = gid};

	if (name)
		TRY(copy_text(&identity.name, name));
	TRY(copy_text(&identity.home, home));
	*ret = identity;
	identity = (struct user_identity){0};
	return 0;
}

int users_find(int root_fd, const char *name_or_number, struct user_identity *ret)
{
	auto_user_identity struct user_identity identity = {0};
	auto_free char *passwd = NULL, *group = NULL;
	bool is_number = is_all_digits(name_or_number);
	uint32_t uid = 0;
	int r;

	if (is_number ? parse_id(name_or_number, &uid) < 0 : !is_user_name(name_or_number))
		return -EINVAL;
	/* Root needs no account: it is whom we run as anyway. */
	if (strcmp(name_or_number, "root") == 0 || (is_number && uid == 0))
		return fill_plain(0, 0, "root", "/root", ret);

	TRY(read_accounts(root_fd, "/etc/passwd", &passwd));
	r = users_parse_passwd(passwd, is_number ? NULL : name_or_number, uid, &identity);
	if (r == -ESRCH && is_number)
		return fill_plain(uid, GROUP_OF_NOBODY, NULL, "/", ret);
	TRY(r);
	TRY(read_accounts(root_fd, "/etc/group", &group));
	TRY(parse_groups(group, &identity));
	*ret = identity;
	identity = (struct user_identity){0};
	return 0;
}

/* --- home directories --- */

int users_make_home(int root_fd, const struct user_identity *identity)
{
	char name[NAME_MAX + 1], parent_path[PATH_MAX];
	auto_close int parent = -EBADF, made = -EBADF;
	size_t length;
	int r;

	if (!path_is_normalized(identity->home) || strcmp(identity->home, "/") == 0)
		return 0;
	r = path_status(root_fd, identity->home, NULL);
	if (r != -ENOENT)
		return r;
	length = (size_t)(path_last(identity->home) - identity->home);
	if (length >= sizeof(parent_path))
		return -ENAMETOOLONG;
	memcpy(parent_path, identity->home, length);
	parent_path[length] = '\0';
	if (length > 1)
		parent = path_make(root_fd, parent_path, PATH_DIRECTORY, 0755, 0);
	else
		parent = path_open(root_fd, "/", O_PATH | O_DIRECTORY, 0);
	TRY(parent);
	if (strlen(path_last(identity->home)) > NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(name, path_last(identity->home));
	if (mkdirat(parent, name, 0755) < 0)
		return -errno; /* EEXIST: a dangling link, which is not followed */
	made = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (made < 0 || fchown(made, identity->uid, identity->gid) < 0 || fchmod(made, 0755) < 0)
		return -errno;
	return 0;
}
