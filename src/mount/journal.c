/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links the journal directories of host and machine.
 * Zone: free for gathering and planning, owing for journal_prepare(). The host's directory is
 * trusted, the tree never is: it is resolved in-root, and what a link on the host leads to is
 * looked at again once it is there.
 */
#include "mount/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"

#define ID_LENGTH 32

/* --- Found --- */

static bool is_hosts_id(const uint8_t machine_id[16])
{
	auto_free char *text = NULL;
	uint8_t own[16];

	if (file_read(AT_FDCWD, "/etc/machine-id", 64, &text, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return parse_id128(text, own) == 0 && memcmp(own, machine_id, sizeof(own)) == 0;
}

static void format_directory(const uint8_t machine_id[16], char *path)
{
	path += sprintf(path, JOURNAL_DIRECTORY "/");
	for (size_t i = 0; i < 16; i++)
		path += sprintf(path, "%02x", machine_id[i]);
}

/*
 * A tree may claim the id of any machine, and so would get that machine's journal to read and to
 * write. Unasked, only the machine gets it that somebody once asked for: its name is written here.
 */
#define MARK "trusted.nspawn.machine"

static bool is_marked(const char *path, const char *machine)
{
	char name[HOSTNAME_MAX + 1] = "";
	ssize_t length = lgetxattr(path, MARK, name, sizeof(name) - 1);

	return length > 0 && strcmp(name, machine) == 0;
}

static bool is_asked(const struct config *config)
{
	return config->origin[SETTING_LINK_JOURNAL] != ORIGIN_DEFAULT;
}

void journal_facts_gather(const struct config *config, const char *machine,
			  const uint8_t machine_id[16], struct journal_facts *ret)
{
	char path[sizeof(JOURNAL_DIRECTORY) + 1 + ID_LENGTH];
	struct stat status;

	*ret = (struct journal_facts){.machine = machine, .has_id = machine_id != NULL};
	if (!machine_id || config->link_journal == LINK_JOURNAL_NO)
		return;
	if (config->link_journal == LINK_JOURNAL_AUTO) {
		format_directory(machine_id, path);
		/* A link is what an earlier '--link-journal=guest' left: done already. */
		if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode))
			return;
		ret->host_has_directory = is_asked(config) || is_marked(path, machine);
		if (!ret->host_has_directory)
			return;
	}
	ret->is_same_machine = is_hosts_id(machine_id);
}

/* --- Decided --- */

static const struct {
	enum journal_how how;
	bool is_try;
} ways[] = {
	[LINK_JOURNAL_AUTO] = {JOURNAL_BIND, true},
	[LINK_JOURNAL_NO] = {JOURNAL_LEAVE, true},
	[LINK_JOURNAL_HOST] = {JOURNAL_BIND, false},
	[LINK_JOURNAL_TRY_HOST] = {JOURNAL_BIND, true},
	[LINK_JOURNAL_GUEST] = {JOURNAL_LINK, false},
	[LINK_JOURNAL_TRY_GUEST] = {JOURNAL_LINK, true},
};
static_assert(ARRAY_LEN(ways) == LINK_JOURNAL_TRY_GUEST + 1, "a way for each word");

/* With or without the dashes of a UUID. */
static char *directory_of(struct arena *arena, const char *uuid)
{
	char *path = arena_format(arena, JOURNAL_DIRECTORY "/%s", uuid), *end;

	end = path + strlen(JOURNAL_DIRECTORY) + 1;
	for (const char *digit = uuid; *digit; digit++)
		if (*digit != '-')
			*end++ = *digit;
	*end = '\0';
	return path;
}

/* What the user mounts comes later, and neither a mount nor a link would be seen below it. */
static bool is_covered(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (path_is_below(path, config->mounts.items[i].destination))
			return true;
	return false;
}

/* A start that only tried goes on; 'r' is a negative errno, or 0 where we decline. */
static int give_up(const struct journal_plan *plan, int r, const char *why)
{
	if (plan->is_default) {
		debug("The journal '%s' is not linked, as %s", plan->directory, why);
		return 0;
	}
	if (plan->is_try) {
		warn(r, "The journal '%s' is not linked, as %s; starting without", plan->directory,
		     why);
		return 0;
	}
	if (r < 0)
		return fail(r, "Cannot link the journal '%s': %s", plan->directory, why);
	return refuse(EEXIST, "Cannot link the journal '%s': %s", plan->directory, why);
}

/*
 * An init writes the id of its first boot down, and logs under it from then on. A command does
 * neither: each start would leave one more directory or link that leads to nothing.
 */
static bool is_without_journal(const struct config *config, const struct journal_facts *facts,
			       const struct journal_plan *plan)
{
	if (facts->has_id || config->start == START_BOOT)
		return false;
	if (!plan->is_try)
		warn(0,
		     "The tree has no machine id by which its journal could be linked, starting without");
	return true;
}

int journal_plan_make(struct arena *arena, const struct config *config,
		      const struct journal_facts *facts, const char *machine_uuid,
		      struct journal_plan *ret)
{
	const char *obstacle = NULL;

	*ret = (struct journal_plan){
		.how = ways[config->link_journal].how,
		.is_try = ways[config->link_journal].is_try,
		.is_default = config->link_journal == LINK_JOURNAL_AUTO,
		.mark = is_asked(config) ? facts->machine : NULL,
	};
	if (config->link_journal == LINK_JOURNAL_AUTO && !facts->host_has_directory)
		ret->how = JOURNAL_LEAVE;
	/* Many machines may run of one tree at once, all with its id, and nothing of them stays. */
	if (config->ephemeral)
		ret->how = JOURNAL_LEAVE;
	if (ret->how != JOURNAL_LEAVE && is_without_journal(config, facts, ret))
		ret->how = JOURNAL_LEAVE;
	if (ret->how == JOURNAL_LEAVE)
		return 0;
	ret->directory = directory_of(arena, machine_uuid);
	if (facts->is_same_machine) {
		/* A copy of the host: worth knowing in any case, as much else goes by that id. */
		ret->is_default = false;
		obstacle = "the tree has the machine id of the host";
	} else if (is_covered(config, ret->directory)) {
		obstacle = "something else is to be mounted over it";
	}
	if (!obstacle)
		return 0;
	ret->how = JOURNAL_LEAVE;
	return give_up(ret, 0, obstacle);
}

/* --- Made --- */

static bool is_mount_point(int fd, const char *name, unsigned int flags)
{
	struct statx status;

	return statx(fd, name, (int)(AT_SYMLINK_NOFOLLOW | flags), 0, &status) == 0 &&
	       (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* The directory in the tree, which a tree that is started read-only must have already. */
static int open_inside(const struct journal_plan *plan, int tree_fd, bool tree_is_read_only)
{
	auto_close int fd = tree_is_read_only
				    ? path_open(tree_fd, plan->directory, O_PATH, 0)
				    : path_make(tree_fd, plan->directory, PATH_DIRECTORY, 0755, 0);
	struct stat status;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	return S_ISDIR(status.st_mode) ? steal_fd(fd) : -ENOTDIR;
}

/*
 * Frees the name on the host for what is to be made. Returns 1 if there is a directory that serves,
 * 0 if there is nothing, or as give_up() does, which *ret_is_over then says.
 */
static int clear_name(const struct journal_plan *plan, int parent_fd, const char *name,
		      bool *ret_is_over)
{
	struct stat status;

	*ret_is_over = false;
	if (fstatat(parent_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	/* All that a link can be is what another start or another way of linking left. */
	if (S_ISLNK(status.st_mode)) {
		(void)unlinkat(parent_fd, name, 0);
		return 0;
	}
	*ret_is_over = true;
	if (!S_ISDIR(status.st_mode))
		return give_up(plan, 0, "there is something else than a directory on the host");
	if (is_mount_point(parent_fd, name, 0))
		return give_up(plan, 0, "it is a mount point on the host");
	*ret_is_over = false;
	return 1;
}

static bool is_empty(int fd)
{
	auto_close int own_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_closedir DIR *directory = own_fd < 0 ? NULL : fdopendir(own_fd);

	if (!directory)
		return true;
	(void)steal_fd(own_fd);
	for (struct dirent *entry; (entry = readdir(directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return true;
}

/* Best effort: a file system without such attributes has to be asked for each time. */
static void mark(int parent_fd, const char *name, const char *machine)
{
	auto_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fsetxattr(fd, MARK, machine, strlen(machine), 0) < 0)
		debug("The directory of the journal cannot be marked as that of machine '%s'",
		      machine);
}

static int bind_from_host(const struct journal_plan *plan, int parent_fd, int inside_fd,
			  int *ret_mount_fd)
{
	const char *name = path_last(plan->directory);
	bool is_over;
	int r = clear_name(plan, parent_fd, name, &is_over);

	if (is_over)
		return r;
	if (r == 0 && mkdirat(parent_fd, name, 0755) < 0)
		return give_up(plan, -errno, "the directory on the host cannot be made");
	r = open_tree(parent_fd, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return give_up(plan, -errno, "the directory on the host cannot be mounted");
	*ret_mount_fd = r;
	if (plan->mark)
		mark(parent_fd, name, plan->mark);
	if (!is_empty(inside_fd))
		note("What '%s' in the tree holds is hidden by the host's while the machine runs",
		     plan->directory);
	return 0;
}

/* Where the directory really is, whatever links of the tree lead to it. */
static int find_real_path(int fd, char path[PATH_MAX])
{
	TRY(fd_path(fd, path));
	return *path == '/' ? 0 : -ENOENT;
}

static bool leads_to(int parent_fd, const char *name, int fd)
{
	struct stat there, wanted;

	return fstatat(parent_fd, name, &there, 0) == 0 && fstat(fd, &wanted) == 0 &&
	       there.st_dev == wanted.st_dev && there.st_ino == wanted.st_ino;
}

static int link_to_guest(const struct journal_plan *plan, int parent_fd, int inside_fd)
{
	const char *name = path_last(plan->directory);
	char path[PATH_MAX], present[PATH_MAX];
	ssize_t length = readlinkat(parent_fd, name, present, sizeof(present));
	bool is_over;
	int r = find_real_path(inside_fd, path);

	if (r < 0)
		return give_up(plan, r, "the directory in the tree has no path");
	if (length == (ssize_t)strlen(path) && memcmp(present, path, (size_t)length) == 0)
		return 0;
	r = clear_name(plan, parent_fd, name, &is_over);
	if (is_over)
		return r;
	if (r == 1 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0)
		return give_up(plan, -errno, "the directory on the host cannot give way to a link");
	if (symlinkat(path, parent_fd, name) < 0)
		return give_up(plan, -errno, "the link on the host cannot be made");
	if (leads_to(parent_fd, name, inside_fd))
		return 0;
	/* Someone changes the tree while we look at it. */
	(void)unlinkat(parent_fd, name, 0);
	return give_up(plan, 0, "the directory in the tree is not where it was");
}

int journal_prepare(const struct journal_plan *plan, int tree_fd, bool tree_is_read_only,
		    int *ret_mount_fd)
{
	auto_close int parent_fd = -EBADF, inside_fd = -EBADF;

	*ret_mount_fd = -EBADF;
	if (plan->how == JOURNAL_LEAVE)
		return 0;
	parent_fd = open(JOURNAL_DIRECTORY, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0 && plan->is_try) {
		/* As units ask for it on every host, be there journals or not. */
		debug("The host keeps no journals in '" JOURNAL_DIRECTORY "'");
		return 0;
	}
	if (parent_fd < 0) {
		int r = fail(-errno, "The host keeps no journals in '%s'", JOURNAL_DIRECTORY);

		hint("Make that directory, or use '--link-journal=try-%s'",
		     plan->how == JOURNAL_BIND ? "host" : "guest");
		return r;
	}
	inside_fd = open_inside(plan, tree_fd, tree_is_read_only);
	if (inside_fd < 0)
		return give_up(plan, inside_fd, "there can be no such directory in the tree");
	if (is_mount_point(inside_fd, "", AT_EMPTY_PATH))
		return give_up(plan, 0, "it is a mount point in the tree");
	return plan->how == JOURNAL_BIND ? bind_from_host(plan, parent_fd, inside_fd, ret_mount_fd)
					 : link_to_guest(plan, parent_fd, inside_fd);
}
