/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors: reading and writing whole contents, and processes that are known by one.
 * Zone: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Writes all 'length' bytes, repeating after short writes and EINTR. */
int fd_write_all(int fd, const void *bytes, size_t length);

/*
 * Reads to end of file, at most 'max' bytes (-EFBIG beyond). *ret_text is malloc'ed,
 * NUL-terminated, owned by the caller; ret_length may be NULL.
 */
int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_length);

/*
 * As fd_read_all() for the file 'path' relative to 'dir_fd' (AT_FDCWD allowed). For files of the
 * host only.
 */
int file_read(int dir_fd, const char *path, size_t max, char **ret_text, size_t *ret_length);

/*
 * Opens and writes the existing file 'path' relative to 'dir_fd' in one write(2), as kernel
 * interfaces want.
 */
int file_write(int dir_fd, const char *path, const char *text);

/*
 * The kernel's own path of what 'fd' refers to, without links (proc(5), /proc/PID/fd). To be shown
 * or compared, not to be opened. PATH_MAX bytes.
 */
int fd_path(int fd, char *ret_path);

/* The process that a pidfd refers to, or a negative errno (pidfd_open(2), proc_pid_fdinfo(5)). */
pid_t fd_pid(int pidfd);

/* Waits until the child behind a pidfd has ended, and reaps it. */
void pidfd_wait(int pidfd);

/* Kills it first. */
void pidfd_end(int pidfd);

/*
 * Closes every descriptor from 'first' on but the 'count' of 'kept', which is sorted; negative ones
 * in it are none. 0 or a negative errno.
 */
int fd_close_others(unsigned int first, int *kept, size_t count);

/* True if 'fd' refers to a terminal. */
bool fd_is_terminal(int fd);

/*
 * Sets O_NONBLOCK on or off. The flag belongs to the open file description, which may be shared
 * with other processes: use it only on descriptors that we opened ourselves.
 */
int fd_set_nonblocking(int fd, bool nonblocking);
