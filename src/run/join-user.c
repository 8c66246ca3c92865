/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks up users and groups of a running machine in its files.
 * Zone: doomed.
 */
#include "run/join-user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"

#define PASSWD_MAX_BYTES ((size_t)4 * 1024 * 1024)

/* users_find() needs no files for root, who has a shell there all the same. */
static void find_shell_of_root(int root_fd, struct user_identity *user)
{
	auto_user_identity struct user_identity found = {0};
	auto_free char *text = NULL;

	if (path_read(root_fd, "/etc/passwd", PASSWD_MAX_BYTES, &text, NULL) < 0 ||
	    users_parse_passwd(text, "root", 0, &found) < 0 || found.uid != 0)
		return;
	free(user->shell);
	user->shell = steal_ptr(found.shell);
	if (strcmp(found.home, "/") == 0)
		return;
	free(user->home);
	user->home = steal_ptr(found.home);
}

static int find_user(int root_fd, const char *name, struct user_identity *ret)
{
	int r = users_find(root_fd, name, ret);

	if (r == -ESRCH || r == -ENOENT || r == -EINVAL) {
		(void)refuse(ESRCH, "There is no user '%s' in the machine", name);
		hint("Look at /etc/passwd there, or give a number");
		return -ESRCH;
	}
	return r < 0 ? fail(r, "Cannot look up the user '%s' in the machine", name) : 0;
}

static int find_group(int root_fd, const char *name, gid_t *ret)
{
	int r = parse_uid(name, ret) == 0 ? 0 : users_find_group(root_fd, name, ret);

	if (r == -ESRCH) {
		(void)refuse(ESRCH, "There is no group '%s' in the machine", name);
		hint("Look at /etc/group there, or give a number");
		return r;
	}
	return r < 0 ? fail(r, "Cannot look up the group '%s' in the machine", name) : 0;
}

int join_user_find(struct arena *arena, int root_fd, const char *who, bool has_shell,
		   struct user_identity *ret)
{
	auto_user_identity struct user_identity user = {0};
	const char *colon = strchr(who, ':');

	TRY(find_user(root_fd, colon ? arena_copy_n(arena, who, (size_t)(colon - who)) : who,
		      &user));
	if (user.uid == 0 && has_shell)
		find_shell_of_root(root_fd, &user);
	if (colon) {
		TRY(find_group(root_fd, colon + 1, &user.gid));
		user.group_count = 0;
	}
	*ret = user;
	user = (struct user_identity){0};
	return 0;
}
