/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings files (systemd.nspawn(5)): where they are and whether they are trusted.
 * Zone: free.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct config;
struct said_list;

/*
 * Appends what the settings files of 'machine' say to 'ret', weakest first: the main file, then
 * its drop-ins. 'directory' is the tree, whose parent may hold a file that is not trusted. Values
 * are not looked at yet; lines that mean nothing are warned of. Text lives in the configuration's
 * arena. Files that are not there are no matter; one that cannot be read is a failure. Returns 0 or
 * a negative errno after exactly one message.
 */
int settings_files_read(struct config *config, const char *const *trusted, const char *directory,
			const char *machine, struct said_list *ret);

/* A directory where settings files may be. */
struct settings_place {
	const char *path; /* absolute */
	bool is_trusted;
};

/*
 * The same for these places, the strongest first: the first main file counts, and the first drop-in
 * of each name.
 */
int settings_files_read_from(struct arena *arena, const struct settings_place *places, size_t count,
			     const char *machine, struct said_list *ret);
