/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds the tree and looks around.
 * Zone: free.
 */
#include "run/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "config/values.h"
#include "confine/capabilities.h"
#include "host/host.h"
#include "image/find.h"

static int find_directory(struct config *config, struct facts *facts)
{
	auto_free char *resolved = NULL;
	struct found_image found;

	if (config->machine && !config->directory) {
		TRY(image_find(&config->arena, config->machine, image_search_path, &found));
		facts->directory = found.path;
		config->read_only = config->read_only || found.is_read_only;
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
	(void)refuse(EINVAL, "Cannot make a machine name from '%s'", facts->directory);
	hint("Give one with --machine=");
	return -EINVAL;
}

static int open_directory(const struct facts *facts, int *ret_fd)
{
	struct stat root, status;
	auto_close int fd = open(facts->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(-errno, "Cannot open the tree '%s'", facts->directory);
	if (stat("/", &root) < 0 || fstat(fd, &status) < 0)
		return fail(-errno, "Cannot look at the tree '%s'", facts->directory);
	if (root.st_dev == status.st_dev && root.st_ino == status.st_ino) {
		(void)refuse(EINVAL, "Cannot run a machine on the host's own root directory");
		hint("Give the directory of another tree with --directory=");
		return -EINVAL;
	}
	*ret_fd = steal_fd(fd);
	return 0;
}

static int check_tree(const struct config *config, struct facts *facts, int directory_fd,
		      struct arena *arena)
{
	bool is_boot = config->start == START_BOOT;
	int r = os_tree_probe(arena, directory_fd, is_boot ? OS_TREE_BOOT : OS_TREE_COMMAND,
			      &facts->tree);

	if (r < 0)
		return fail(r, "Cannot look into the tree '%s'", facts->directory);
	if (is_boot && config->check_os_release && !facts->tree.has_os_release) {
		(void)refuse(
			ENOENT,
			"The tree '%s' is no operating system: it has neither /etc/os-release nor /usr/lib/os-release",
			facts->directory);
		hint("Set SYSTEMD_NSPAWN_CHECK_OS_RELEASE=0 to boot it all the same");
		return -ENOENT;
	}
	if (!is_boot && !facts->tree.has_usr) {
		(void)refuse(ENOENT, "The tree '%s' is no operating system: it has no /usr",
			     facts->directory);
		hint("Make that directory if you mean it");
		return -ENOENT;
	}
	return 0;
}

static void look_around(const struct config *config, struct facts *facts, struct arena *arena)
{
	facts->host_files.etc_is_writable = !config->read_only;
	host_file_facts_gather(arena, &facts->host_files);
	for (int fd = 0; fd < 3; fd++)
		facts->is_terminal[fd] = isatty(fd) == 1;
	facts->term = getenv("TERM");
	facts->colorterm = getenv("COLORTERM");
	facts->no_color = getenv("NO_COLOR");
	facts->activation_fds = host_count_activation_fds();
	facts->capabilities = capabilities_permitted();
	os_release_of_host(arena, &facts->host, &facts->host_os_release);
}

int facts_locate(struct config *config, struct facts *facts)
{
	TRY(find_directory(config, facts));
	return name_machine(config, facts, &config->arena);
}

int facts_gather(struct config *config, struct facts *facts, int *ret_directory_fd)
{
	auto_close int fd = -EBADF;
	int r;

	TRY(open_directory(facts, &fd));
	TRY(check_tree(config, facts, fd, &config->arena));
	look_around(config, facts, &config->arena);
	r = host_random(facts->random, sizeof(facts->random));
	if (r < 0)
		return fail(r, "Cannot get random bytes for the ids of this start");
	*ret_directory_fd = steal_fd(fd);
	return 0;
}
