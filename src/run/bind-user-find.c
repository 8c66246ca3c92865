/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks users of the host up, and for room for them in the tree.
 * Zone: free, doomed for bound_users_identify(). The password of the host's user goes into the
 * arena: it is a hash, for root inside to read as outside.
 */
#include "run/bind-user-find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "confine/capabilities.h"
#include "ids/id-map.h"
#include "run/host-accounts.h"

#define ACCOUNTS_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* --- The tree --- */

struct accounts {
	char *passwd, *group;
};

static void accounts_done(struct accounts *accounts)
{
	free(accounts->passwd);
	free(accounts->group);
}

static int read_one(int tree_fd, const char *path, char **ret)
{
	size_t length = 0;
	int r = path_read(tree_fd, path, ACCOUNTS_MAX_BYTES, ret, &length);

	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		*ret = strdup("");
		r = *ret ? 0 : -ENOMEM;
	}
	/* Nothing behind a NUL is hidden from us. */
	for (size_t i = 0; r >= 0 && i < length; i++)
		if (!(*ret)[i])
			(*ret)[i] = ' ';
	return r < 0 ? fail(r, "Cannot read '%s' of the tree", path) : 0;
}

static int refuse_taken(const char *name, const char *what)
{
	(void)refuse(EEXIST, "The tree has a %s '%s' of its own, which the host's cannot become",
		     what, name);
	hint("The owners of a directory can be mapped instead: --bind=PATH:PATH:owner=HOST>GUEST");
	return -EEXIST;
}

static int find_room(const struct accounts *accounts, const struct bound_users *users,
		     struct bound_user *user)
{
	if (bind_user_has_name(accounts->passwd, user->name))
		return refuse_taken(user->name, "user");
	if (bind_user_has_name(accounts->group, user->name))
		return refuse_taken(user->name, "group");
	user->id = bind_user_choose_id(accounts->passwd, accounts->group, users);
	if (user->id == 0)
		return refuse(ENOSPC, "No id from %u to %u is free in the tree for the user '%s'",
			      BIND_USER_FIRST, BIND_USER_LAST, user->name);
	return 0;
}

/* Where the payload's libc would find it. */
static bool has_module(int tree_fd)
{
	static const char *const directories[] = {
		"/usr/lib64",
		"/usr/lib",
		"/usr/lib/x86_64-linux-gnu",
		"/usr/lib/aarch64-linux-gnu",
		"/usr/lib/i386-linux-gnu",
		"/usr/lib/arm-linux-gnueabihf",
		"/usr/lib/powerpc64le-linux-gnu",
		"/usr/lib/riscv64-linux-gnu",
		"/usr/lib/s390x-linux-gnu",
	};

	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/libnss_systemd.so.2", directories[i]);
		if (path_status(tree_fd, path, NULL) == 0)
			return true;
	}
	return false;
}

static bool can_ask(int tree_fd)
{
	auto_free char *text = NULL;
	char *rest, *line;

	if (!has_module(tree_fd) ||
	    path_read(tree_fd, "/etc/nsswitch.conf", ACCOUNTS_MAX_BYTES, &text, NULL) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "passwd:", 7) == 0)
			return strstr(line, "systemd") != NULL;
	return false;
}

/* --- The host --- */

static int refuse_name(const char *name, const char *why)
{
	return refuse(EINVAL, "The user '%s' cannot be known inside: %s", name, why);
}

static int check_identity(const char *name, const struct user_identity *identity)
{
	gid_t group;
	int r;

	if (identity->uid == 0)
		return refuse_name(name, "root inside is another one");
	if (identity->uid == ID_NOBODY || strcmp(name, "nobody") == 0)
		return refuse_name(name, "nobody is nobody everywhere");
	r = host_find_group(name, &group);
	if (r < 0 && r != -ESRCH)
		return fail(r, "Cannot look up the %s '%s' %s", "group", name, "on the host");
	if (r < 0 || group != identity->gid) {
		(void)refuse_name(name, "the group it is in first has another name");
		hint("Inside it gets a group of its own name only");
		return -EINVAL;
	}
	return 0;
}

/* A directory that is not the user's own, such as /usr/sbin, is nothing to hand in. */
static const char *find_home(struct arena *arena, const struct user_identity *identity)
{
	struct stat status;

	if (strcmp(identity->home, "/") == 0 || stat(identity->home, &status) < 0 ||
	    !S_ISDIR(status.st_mode) || status.st_uid != identity->uid) {
		note("The user '%s' has no home directory on the host, an empty one is shown",
		     identity->name);
		return NULL;
	}
	return arena_copy(arena, identity->home);
}

static const char *find_shell(struct arena *arena, const struct config *config,
			      const struct user_identity *identity)
{
	if (config->bind_user_shell)
		return config->bind_user_shell;
	return config->bind_user_shell_is_copied ? arena_copy(arena, identity->shell) : NULL;
}

static void describe(struct arena *arena, struct bound_user *user, const struct strings *groups)
{
	auto_free char *real_name = host_find_real_name(user->name), *password = NULL;
	int r = host_find_password(user->name, &password);

	if (r < 0 && r != -ESRCH && r != -ENOENT)
		warn(r, "Cannot read the password of the user '%s', leaving it out", user->name);
	bind_user_describe(arena, user, real_name, password, groups);
	if (password)
		explicit_bzero(password, strlen(password));
}

/* As the mount itself would be, only later. */
static int refuse_unmappable(const char *home)
{
	(void)refuse(EPERM, "Only root can map the owners of '%s'", home);
	hint("Leave out '--bind-user=', or start the machine as root");
	return -EPERM;
}

static int find_one(const struct config *config, struct arena *arena, const char *name,
		    const struct accounts *accounts, struct bound_users *users)
{
	auto_user_identity struct user_identity identity = {0};
	struct bound_user user = {.name = name};
	int r;

	for (size_t i = 0; i < users->count; i++)
		if (strcmp(users->items[i].name, name) == 0)
			return 0;
	r = host_find_user(name, &identity);
	if (r == -ESRCH || r == -EINVAL)
		return refuse(ESRCH, "There is no %s '%s' %s", "user", name, "on the host");
	if (r < 0)
		return fail(r, "Cannot look up the %s '%s' %s", "user", name, "on the host");
	TRY(check_identity(name, &identity));
	TRY(find_room(accounts, users, &user));
	user.host_uid = identity.uid;
	user.host_gid = identity.gid;
	user.host_home = find_home(arena, &identity);
	if (user.host_home && !(capabilities_permitted() & CAPABILITY(SYS_ADMIN)))
		return refuse_unmappable(user.host_home);
	user.home = arena_format(arena, BIND_USER_HOMES "/%s", name);
	user.shell = find_shell(arena, config, &identity);
	describe(arena, &user, &users->groups);
	*ARRAY_ADD(arena, users) = user;
	return 0;
}

int bound_users_find(const struct config *config, int tree_fd, struct bound_users *ret)
{
	struct arena *arena = (struct arena *)&config->arena;
	__attribute__((cleanup(accounts_done))) struct accounts accounts = {0};

	if (config->bind_users.count == 0)
		return 0;
	TRY(read_one(tree_fd, "/etc/passwd", &accounts.passwd));
	TRY(read_one(tree_fd, "/etc/group", &accounts.group));
	ret->groups = config->bind_user_groups;
	for (size_t i = 0; i < config->bind_users.count; i++)
		TRY(find_one(config, arena, config->bind_users.items[i], &accounts, ret));
	ret->guest_cannot_ask = !can_ask(tree_fd);
	if (ret->guest_cannot_ask)
		note("The tree does not look for users in /run/host/userdb (nss-systemd): its programs know no name of '%s'",
		     ret->items[0].name);
	return 0;
}

/* --- Inside --- */

static int copy_texts(const struct bound_user *user, struct user_identity *identity)
{
	identity->name = strdup(user->name);
	identity->home = strdup(user->home);
	identity->shell = user->shell ? strdup(user->shell) : NULL;
	return identity->name && identity->home && (identity->shell || !user->shell) ? 0 : -ENOMEM;
}

/* Groups that the tree does not have are left out, as nss-systemd does. */
static int copy_groups(const struct strings *groups, int root_fd, struct user_identity *identity)
{
	identity->groups = calloc(groups->count + 1, sizeof(gid_t));
	if (!identity->groups)
		return -ENOMEM;
	for (size_t i = 0; i < groups->count; i++)
		if (users_find_group(root_fd, groups->items[i],
				     &identity->groups[identity->group_count]) == 0)
			identity->group_count++;
	return 0;
}

int bound_users_identify(const struct bound_users *users, int root_fd, const char *name_or_number,
			 struct user_identity *ret)
{
	uint32_t number = 0;
	bool is_number = parse_uid(name_or_number, &number) == 0;

	for (size_t i = 0; i < users->count; i++) {
		const struct bound_user *user = &users->items[i];
		auto_user_identity struct user_identity identity = {.uid = user->id,
								    .gid = user->id};

		if (is_number ? user->id != number : strcmp(user->name, name_or_number) != 0)
			continue;
		TRY(copy_texts(user, &identity));
		TRY(copy_groups(&users->groups, root_fd, &identity));
		*ret = identity;
		identity = (struct user_identity){0};
		return 0;
	}
	return -ESRCH;
}
