/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that host_files_apply() wrote, changed in a machine that runs or is over. 'place_fd' is the
 * directory that they are in, as the machine sees it, where they are its own files; where one of
 * ours is mounted over it, that file. Nothing else is touched, whatever the machine has put in the
 * place.
 * Zone: owing; for a process that may wait for the machine's file systems.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * From here on this process opens files as 'owner', a machine's root seen from outside: of what it
 * owns it may do anything, as the machine itself. 0 or a negative errno.
 */
int host_files_become(uid_t owner);

/*
 * The file 'name' that has the content 'told' gets 'text', at once. -ESTALE if it has another
 * content or is no file any more: then it is the machine's, and stays. Or another negative errno.
 */
int host_files_tell(int place_fd, const char *name, const char *told, const char *text);

/*
 * Takes the lines that end with 'mark' out of the file 'name', and the file too if nothing else is
 * in it. 0 or a negative errno. Without the heap, for who shares it.
 */
int host_files_take_back(int place_fd, const char *name, const char *mark);
