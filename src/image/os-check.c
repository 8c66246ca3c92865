/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules for what counts as an operating system.
 * Zone: free.
 */
#include "image/os-check.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "config/command-line.h"

/* True if something is mounted at 'path' or below. */
static bool is_mounted_below(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (config->mounts.items[i].kind != MOUNT_INACCESSIBLE &&
		    path_is_below(config->mounts.items[i].destination, path))
			return true;
	return false;
}

static bool root_is_mounted(const struct config *config)
{
	for (size_t i = 0; i < config->mounts.count; i++)
		if (strcmp(config->mounts.items[i].destination, "/") == 0)
			return true;
	return false;
}

/* The tree is but a place to mount on: the program comes from elsewhere, with all it needs. */
static bool program_is_mounted(const struct config *config)
{
	const char *program = config->words.count > 0 ? config->words.items[0] : "";

	for (size_t i = 0; i < config->mounts.count; i++) {
		const struct mount_request *request = &config->mounts.items[i];

		if (request->kind == MOUNT_BIND && strcmp(request->destination, "/") != 0 &&
		    path_is_below(program, request->destination))
			return true;
	}
	return false;
}

enum os_check os_check_place(const struct config *config, bool tree_is_unseen)
{
	if (config->no_os_check || !config->check_os_release)
		return OS_CHECK_NONE;
	if (config->start == START_BOOT)
		return tree_is_unseen || root_is_mounted(config) ||
				       is_mounted_below(config, "/usr") ||
				       is_mounted_below(config, "/etc")
			       ? OS_CHECK_ASSEMBLED
			       : OS_CHECK_TREE;
	if (is_mounted_below(config, "/usr") || program_is_mounted(config))
		return OS_CHECK_NONE;
	return tree_is_unseen || root_is_mounted(config) ? OS_CHECK_ROOT : OS_CHECK_TREE;
}

int os_check(const struct config *config, const struct os_tree *tree, const char *directory)
{
	if (tree->has_os_release || (tree->has_usr && config->start != START_BOOT))
		return 0;
	if (config->start == START_BOOT)
		(void)refuse(
			ENOENT,
			"The tree '%s' is no operating system: it has neither /etc/os-release nor /usr/lib/os-release",
			directory);
	else
		(void)refuse(
			ENOENT,
			"The tree '%s' is no operating system: it has neither /usr nor /etc/os-release",
			directory);
	if (command_line_suggest(config))
		return -ENOENT;
	if (!config->directory && !config->machine)
		hint("It is the current directory: name another with '--directory', or a machine with '--machine'");
	else
		hint("Look whether it is the right directory; '--no-os-check' starts it all the same");
	return -ENOENT;
}
