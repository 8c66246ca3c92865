/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds the tree and looks around.
 * Zone: free.
 */
#include "run/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/colours.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/text.h"
#include "config/check.h"
#include "config/command-line.h"
#include "config/values.h"
#include "confine/capabilities.h"
#include "host/host.h"
#include "image/btrfs.h"
#include "image/find.h"
#include "image/os-check.h"
#include "image/template.h"
#include "mount/ephemeral.h"
#include "net/net-find.h"
#include "run/bind-user-find.h"
#include "run/owners.h"

/* Where a tree is to be that may not be there yet: its parent has to be. */
static int find_new_directory(struct config *config, struct facts *facts)
{
	auto_free char *resolved = NULL;
	const char *path, *name;

	if (!config->directory) {
		facts->directory = arena_format(&config->arena, "%s/%s", facts->places.image_home,
						config->machine);
		return 0;
	}
	path = facts->directory = config->directory;
	name = path_last(path);
	if (path_is_normalized(path) || !*name || strcmp(name, "..") == 0)
		return 0;
	resolved = realpath(arena_copy_n(&config->arena, path, (size_t)(name - path)), NULL);
	if (!resolved)
		return fail(-errno, "Cannot open the directory of the new tree '%s'", path);
	facts->directory = arena_format(&config->arena, "%s/%s",
					strcmp(resolved, "/") == 0 ? "" : resolved, name);
	return 0;
}

static int find_directory(struct config *config, struct facts *facts)
{
	auto_free char *resolved = NULL;
	struct found_image found;

	if (config_throws_template_away(config)) {
		facts->directory = config->template;
		return 0;
	}
	if (config->template && (config->directory || config->machine))
		return find_new_directory(config, facts);
	if (config->machine && !config->directory) {
		int r = image_find(&config->arena, config->machine, &facts->places, &found);

		if (r == -ENOENT)
			hint("Name a tree with --directory=, or put one into '%s/%s'",
			     facts->places.image_home, config->machine);
		TRY(r);
		facts->directory = found.path;
		facts->image_is_read_only = found.is_read_only;
		return 0;
	}
	facts->directory = config->directory ? config->directory : ".";
	/* What was typed names the machine, be it a link; but ".." names nothing. */
	if (path_is_normalized(facts->directory))
		return 0;
	resolved = realpath(facts->directory, NULL);
	if (!resolved)
		return fail(-errno, "Cannot open the tree '%s'", facts->directory);
	facts->directory = arena_copy(&config->arena, resolved);
	return 0;
}

static int name_machine(const struct config *config, struct facts *facts, struct arena *arena)
{
	facts->machine =
		config->machine ? config->machine : machine_name_from_path(arena, facts->directory);
	if (facts->machine)
		return 0;
	(void)refuse(EINVAL, "Cannot make a machine name from '%s': it has no letter or digit",
		     facts->directory);
	hint("Give one with --machine=");
	return -EINVAL;
}

static int open_directory(const struct config *config, struct facts *facts, int *ret_fd)
{
	struct stat root, status;
	auto_close int fd =
		open(facts->template ?: facts->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && facts->template)
		return fail(-errno, "Cannot open the template '%s'", facts->template);
	if (fd < 0)
		return fail(-errno, "Cannot open the tree '%s'", facts->directory);
	if (stat("/", &root) < 0 || fstat(fd, &status) < 0)
		return fail(-errno, "Cannot look at the tree '%s'", facts->directory);
	facts->is_host_root = root.st_dev == status.st_dev && root.st_ino == status.st_ino;
	if (facts->is_host_root && !config->ephemeral && config->volatile_mode == VOLATILE_NO) {
		(void)refuse(EINVAL, "Cannot run a machine on the host's own root directory");
		if (!command_line_suggest(config))
			hint("Give the directory of another tree with --directory=, or let '--ephemeral' throw all changes away");
		return -EINVAL;
	}
	*ret_fd = steal_fd(fd);
	return 0;
}

/*
 * A directory that is to be mounted over the root of the tree is what the payload finds: its
 * machine id and its init count. -EBADF: there is none, or it cannot be opened, which is told when
 * it is to be mounted.
 */
static int open_other_root(const struct config *config, int directory_fd)
{
	const struct mount_request *root = NULL;
	int fd;

	for (size_t i = 0; i < config->mounts.count; i++)
		if (strcmp(config->mounts.items[i].destination, "/") == 0)
			root = &config->mounts.items[i];
	if (!root || root->kind != MOUNT_BIND || !root->source)
		return -EBADF;
	fd = root->source_is_in_tree
		     ? path_open(directory_fd, root->source, O_PATH | O_DIRECTORY, 0)
		     : open(root->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -EBADF : fd;
}

static int check_tree(const struct config *config, struct facts *facts, int directory_fd,
		      struct arena *arena)
{
	bool is_boot = config->start == START_BOOT;
	auto_close int other_fd = open_other_root(config, directory_fd);
	int r = os_tree_probe(arena, other_fd < 0 ? directory_fd : other_fd,
			      is_boot ? OS_TREE_BOOT : OS_TREE_COMMAND, &facts->tree);

	if (r < 0)
		return fail(r, "Cannot look into the tree '%s'", facts->directory);
	/* A start looks again from inside; a plan has only our own eyes. */
	if (facts->tree.is_unseen && config->dry_run != DRY_RUN_NO)
		return fail(-EACCES, "Cannot look into the tree '%s'", facts->directory);
	return os_check_place(config, facts->tree.is_unseen) == OS_CHECK_TREE
		       ? os_check(config, &facts->tree, facts->directory)
		       : 0;
}

/* The id by which the machine keeps its journal, NULL if nobody can have heard of it. */
static const uint8_t *known_machine_id(const struct config *config, const struct facts *facts)
{
	if (facts->tree.machine_id_state == MACHINE_ID_VALID)
		return facts->tree.machine_id;
	return config->uuid_is_set ? config->uuid : NULL;
}

static void look_around(const struct config *config, struct facts *facts, int directory_fd,
			struct arena *arena)
{
	ids_facts_gather(arena, config, directory_fd, &facts->ids);
	facts->host_files.etc_is_writable = !config->read_only ||
					    config->volatile_mode == VOLATILE_YES ||
					    config->volatile_mode == VOLATILE_OVERLAY;
	host_file_facts_gather(arena, &facts->host_files);
	journal_facts_gather(config, facts->machine, known_machine_id(config, facts),
			     &facts->journal);
	net_facts_gather(config, &facts->net);
	limit_facts_gather(config, &facts->limits);
	label_facts_gather(config, &facts->labels);
	facts->is_in_user_namespace = host_is_in_user_namespace();
	facts->network_is_anothers = !config->private_network && host_network_is_anothers();
	for (int fd = 0; fd < 3; fd++)
		facts->is_terminal[fd] = isatty(fd) == 1;
	facts->colours_are_wanted = config->background && colours_are_wanted(STDOUT_FILENO);
	facts->term = getenv("TERM");
	facts->colorterm = getenv("COLORTERM");
	facts->no_color = getenv("NO_COLOR");
	facts->activation_fds = host_count_activation_fds();
	facts->capabilities = capabilities_permitted();
	facts->net.may_make_links = facts->capabilities & CAPABILITY(NET_ADMIN);
	os_release_of_host(arena, &facts->host, &facts->host_os_release);
}

/* By name, of the host and of what will be the tree's root. */
static int find_people(struct config *config, struct facts *facts, int directory_fd)
{
	auto_close int other_fd = open_other_root(config, directory_fd);
	int tree_fd = other_fd < 0 ? directory_fd : other_fd;

	TRY(owners_find(config, tree_fd));
	return bound_users_find(config, tree_fd, &facts->bound_users);
}

/* The directory that --pivot-root= makes the root, in which everything else then is. */
static int open_pivot(const struct config *config, const struct facts *facts, int *fd)
{
	int pivot_fd;

	if (!config->pivot_new)
		return 0;
	pivot_fd = path_open(*fd, config->pivot_new, O_PATH | O_DIRECTORY, 0);
	if (pivot_fd < 0)
		return fail(pivot_fd, "Cannot open the directory '%s' of the tree '%s' as its root",
			    config->pivot_new, facts->directory);
	(void)close(*fd);
	*fd = pivot_fd;
	return 0;
}

/* Empty directories are all that a volatile root takes the place of, but for /usr. */
static int check_volatile(const struct config *config, const struct facts *facts, int directory_fd)
{
	struct stat status;

	if (config->volatile_mode != VOLATILE_YES ||
	    fstatat(directory_fd, "bin", &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISLNK(status.st_mode))
		return 0;
	(void)refuse(EINVAL, "The tree '%s' cannot be volatile: its programs are not all in /usr",
		     facts->directory);
	hint("'--volatile=overlay' works with every tree");
	return -EINVAL;
}

/* A throw-away machine is one of many of its name, unless the user named it. */
static void name_ephemeral(const struct config *config, struct facts *facts, struct arena *arena)
{
	uint64_t number;

	if (!config->ephemeral || config->machine)
		return;
	memcpy(&number, facts->random + 24, sizeof(number));
	facts->machine = arena_format(arena, "%.*s-%016llx", HOSTNAME_MAX - 17, facts->machine,
				      (unsigned long long)number);
}

int facts_locate(struct config *config, struct facts *facts)
{
	TRY(places_find(&config->arena, config->scope, &facts->places));
	TRY(find_directory(config, facts));
	return name_machine(config, facts, &config->arena);
}

/* A snapshot must be on the tree's own file system, and is there nobody's business but root's. */
static void find_snapshot_directory(struct config *config, struct facts *facts, int directory_fd)
{
	const char *above = arena_format(&config->arena, "%s/..", facts->directory);
	auto_free char *beside = NULL;
	auto_close int usual_fd = -EBADF, beside_fd = -EBADF;

	if (!config->ephemeral || config->ephemeral_directory || config->read_only ||
	    !btrfs_is_subvolume(directory_fd))
		return;
	usual_fd = open(facts->places.changes, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (usual_fd >= 0 && btrfs_is_shared(directory_fd, usual_fd)) {
		facts->snapshot_directory = facts->places.changes;
		return;
	}
	beside = realpath(above, NULL);
	beside_fd = beside ? open(beside, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	if (beside_fd >= 0 && btrfs_is_shared(directory_fd, beside_fd))
		facts->snapshot_directory = arena_copy(&config->arena, beside);
}

/* What there is to be opened stays open also on failure. */
static int find_tree(struct config *config, struct facts *facts, int *ret_directory_fd)
{
	config->read_only = config->read_only || facts->image_is_read_only;
	TRY(open_directory(config, facts, ret_directory_fd));
	TRY(open_pivot(config, facts, ret_directory_fd));
	find_snapshot_directory(config, facts, *ret_directory_fd);
	TRY(check_volatile(config, facts, *ret_directory_fd));
	TRY(check_tree(config, facts, *ret_directory_fd, &config->arena));
	TRY(find_people(config, facts, *ret_directory_fd));
	/*
	 * All but /usr starts empty. Two machines of one id would share a journal and an address,
	 * so what runs beside the host gets another one.
	 */
	if (config->volatile_mode == VOLATILE_YES || facts->is_host_root)
		facts->tree.machine_id_state = MACHINE_ID_MISSING;
	return 0;
}

int facts_look(struct config *config, struct facts *facts, int *ret_directory_fd)
{
	int fd = -EBADF, r = find_tree(config, facts, &fd);

	look_around(config, facts, fd, &config->arena);
	(void)device_facts_gather(config, &config->arena, &facts->devices);
	name_ephemeral(config, facts, &config->arena);
	*ret_directory_fd = fd;
	return r;
}

int facts_gather(struct config *config, struct facts *facts, int *ret_directory_fd)
{
	auto_close int fd = -EBADF;
	int r;

	TRY(find_tree(config, facts, &fd));
	look_around(config, facts, fd, &config->arena);
	TRY(device_facts_gather(config, &config->arena, &facts->devices));
	r = host_random(facts->random, sizeof(facts->random));
	if (r < 0)
		return fail(r, "Cannot get random bytes for the ids of this start");
	name_ephemeral(config, facts, &config->arena);
	*ret_directory_fd = steal_fd(fd);
	return 0;
}
