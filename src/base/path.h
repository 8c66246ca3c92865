/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one resolver: every access to a file under a guest's root goes through here, by descriptor
 * and in-root. Symbolic links are followed as the guest would see them (absolute ones from its own
 * root), so that /var/run links and merged /usr work; magic links of procfs are never followed
 * (openat2(2), RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS). Also the lexical work on paths, which
 * touches no file.
 * Zone: any; allocates only in the functions that take an arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;

/*
 * Opens 'path' as a process whose root is 'root_fd' would. 'flags' as for open(2); O_CLOEXEC and
 * O_NOCTTY are added, and O_NONBLOCK should be given for files that may be FIFOs. Returns a
 * descriptor of the caller or a negative errno; -ELOOP means a magic link or a loop of links.
 */
int path_open(int root_fd, const char *path, int flags, mode_t mode);

/*
 * Opens the directory that holds the last component of 'path' and copies that component, which is
 * not itself followed, to 'ret_name' (NAME_MAX + 1 bytes). -EINVAL for the root, '.' and '..' as
 * last component.
 */
int path_open_parent(int root_fd, const char *path, char *ret_name);

enum path_kind {
	PATH_DIRECTORY,
	PATH_FILE,
};

/*
 * Opens (O_PATH) what is at 'path', making it and its missing parents (mode 0755, owner 'uid')
 * first if it is not there. An existing object of any kind is returned as it is: the caller looks
 * with fstat(2). A dangling link is -ENOENT: nothing is ever created through a link's text.
 */
int path_make(int root_fd, const char *path, enum path_kind kind, mode_t mode, uid_t uid);

/*
 * Reads a regular file of the guest, at most 'max' bytes. As fd_read_all(); -EINVAL if it is no
 * regular file.
 */
int path_read(int root_fd, const char *path, size_t max, char **ret_text, size_t *ret_length);

/* 0, -ENOENT, … ; fills *ret_mode (st_mode of what 'path' leads to) if it is not NULL. */
int path_status(int root_fd, const char *path, mode_t *ret_mode);

/* Reads the text of the link at 'path' (the last component is not followed) into the arena. */
int path_read_link(struct arena *arena, int root_fd, const char *path, char **ret_text);

/* "a//b/./c/" becomes "a/b/c"; '..' stays. In the arena. */
char *path_simplify(struct arena *arena, const char *path);

/* Absolute and simplified against the current directory; -errno if that cannot be told. */
int path_absolute(struct arena *arena, const char *path, char **ret_path);

/* True if a simplified absolute 'path' is 'prefix' or lies below it. */
bool path_is_below(const char *path, const char *prefix);

/*
 * True for an absolute path without empty, '.' and '..' components and without trailing slash (but
 * "/" itself).
 */
bool path_is_normalized(const char *path);

/* The part after the last slash. */
const char *path_last(const char *path);
