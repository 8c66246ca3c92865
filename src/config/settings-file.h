/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings files (systemd.nspawn(5)): where they are, whether they are trusted, what they say.
 * Zone: free.
 */
#pragma once

struct config;
struct said_list;

/*
 * Appends what the settings files of 'machine' say to 'ret', weakest first: the main file, then
 * its drop-ins. 'directory' is the tree, whose parent may hold a file that is not trusted. Values
 * are not looked at yet; lines that mean nothing are warned of. Text lives in the configuration's
 * arena. Files that are not there are no matter; one that cannot be read is a failure. Returns 0 or
 * a negative errno after exactly one message.
 */
int settings_files_read(struct config *config, const char *directory, const char *machine,
			struct said_list *ret);
