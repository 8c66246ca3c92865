/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two sets of directories, and the check that a user's runtime directory is the user's.
 * Zone: free.
 */
#include "host/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "base/undo.h"

/* Where there is no login manager. */
#define PLACES_MADE "/tmp/nspawn-"

const struct places places_of_system = {
	.machines = "/run/nspawn",
	.inode_locks = "/run/systemd/nspawn/locks",
	.incoming = "/run/systemd/nspawn/propagate",
	.export = "/run/systemd/nspawn/unix-export",
	.logs = "/var/log/nspawn",
	.journals = "/run/systemd/nspawn/journal",
	.registry = "/run/systemd/machines",
	.settings = {"/etc/systemd/nspawn", "/run/systemd/nspawn"},
	.images =
		{
			"/etc/machines",
			"/run/machines",
			"/var/lib/machines",
			"/var/lib/container", /* where they were before 2015 */
			"/usr/local/lib/machines",
			"/usr/lib/machines",
		},
	.image_home = "/var/lib/machines",
	.units = "/etc/systemd/system",
	.changes = "/var/tmp",
};

/* A relative one is to be ignored (XDG Base Directory Specification). */
static const char *absolute(const char *path)
{
	return path && *path == '/' ? path : NULL;
}

/* 'special' if it is a directory, else 'usual' below the home, else NULL. */
static const char *directory_of_user(struct arena *arena, const char *special, const char *home,
				     const char *usual)
{
	if (absolute(special))
		return special;
	return absolute(home) ? arena_format(arena, "%s/%s", home, usual) : NULL;
}

void places_of_user(struct arena *arena, const struct places_environment *environment,
		    struct places *ret)
{
	const char *runtime = environment->runtime, *home = environment->home;
	const char *config = directory_of_user(arena, environment->config_home, home, ".config");
	const char *state = directory_of_user(arena, environment->state_home, home, ".local/state");
	size_t settings = 0, images = 0;

	*ret = (struct places){
		.is_user = true,
		.runtime = runtime,
		.machines = arena_format(arena, "%s/nspawn", runtime),
		.inode_locks = arena_format(arena, "%s/nspawn/.locks", runtime),
		.journals = arena_format(arena, "%s/nspawn/.journal", runtime),
		.registry = arena_format(arena, "%s/systemd/machines", runtime),
		.changes = "/var/tmp",
	};
	if (state)
		ret->logs = arena_format(arena, "%s/nspawn/log", state);
	if (config)
		ret->units = arena_format(arena, "%s/systemd/user", config);
	if (config)
		ret->settings[settings++] = arena_format(arena, "%s/systemd/nspawn", config);
	ret->settings[settings] = arena_format(arena, "%s/systemd/nspawn", runtime);
	ret->images[images++] = arena_format(arena, "%s/machines", runtime);
	if (state)
		ret->images[images++] = arena_format(arena, "%s/machines", state);
	ret->image_home = ret->images[images - 1];
	if (absolute(home))
		ret->images[images] = arena_format(arena, "%s/.local/lib/machines", home);
}

/* Nobody else may put anything there, or take it away. */
static int check_own(const char *path)
{
	auto_close int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	return status.st_uid == geteuid() && (status.st_mode & 0077) == 0 ? 0 : -EPERM;
}

static int explain_runtime(int r, const char *path)
{
	(void)fail(r, "There is no runtime directory: '%s' is not ours alone", path);
	hint("Log in as the user, which makes one, or set XDG_RUNTIME_DIR to a directory of mode 0700");
	return r;
}

static int find_runtime(struct arena *arena, const char **ret)
{
	const char *asked = absolute(getenv("XDG_RUNTIME_DIR"));
	const char *usual = arena_format(arena, "/run/user/%u", geteuid());
	int r;

	*ret = asked;
	if (asked && check_own(asked) == 0)
		return 0;
	if (asked)
		note("'%s' of $XDG_RUNTIME_DIR is not a directory of ours alone, looking elsewhere",
		     asked);
	*ret = usual;
	if (check_own(usual) == 0)
		return 0;
	/* Its name is known to all: whoever made it, it counts only if it is ours. */
	*ret = arena_format(arena, PLACES_MADE "%u", geteuid());
	r = check_own(*ret);
	return r < 0 && r != -ENOENT ? explain_runtime(r, *ret) : 0;
}

static void remove_made(void *argument)
{
	(void)rmdir(argument); /* unless another machine has something in it */
}

int places_make(const struct places *places, struct undo *undo)
{
	const char *path = places->runtime;
	int r;

	if (!path || !text_has_prefix(path, PLACES_MADE))
		return 0;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return explain_runtime(-errno, path);
	undo_push(undo, remove_made, (void *)path, "runtime directory");
	r = check_own(path);
	return r < 0 ? explain_runtime(r, path) : 0;
}

int places_find(struct arena *arena, enum scope scope, struct places *ret)
{
	struct places_environment environment;

	if (scope == SCOPE_SYSTEM && geteuid() != 0) {
		(void)refuse(EPERM, "Option '--system' needs root privileges");
		hint("Leave it out: a machine of your own needs none");
		return -EPERM;
	}
	if (scope == SCOPE_SYSTEM || (scope == SCOPE_AUTO && geteuid() == 0)) {
		*ret = places_of_system;
		return 0;
	}
	TRY(find_runtime(arena, &environment.runtime));
	/* Left over from whoever became this user: not ours. */
	environment.home = getenv("HOME");
	if (environment.home && faccessat(AT_FDCWD, environment.home, X_OK, AT_EACCESS) < 0)
		environment.home = NULL;
	environment.config_home = getenv("XDG_CONFIG_HOME");
	environment.state_home = getenv("XDG_STATE_HOME");
	places_of_user(arena, &environment, ret);
	return 0;
}
