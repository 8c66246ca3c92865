/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small loops around read(2) and write(2).
 * Zone: any.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

int fd_write_all(int fd, const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length > 0) {
		ssize_t written = write(fd, next, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		next += written;
		length -= (size_t)written;
	}
	return 0;
}

int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_length)
{
	auto_free char *text = NULL;
	size_t used = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (used + 1 >= room) {
			char *larger = realloc(text, room = room ? room * 2 : 4096);

			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		got = read(fd, text + used, room - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > max)
			return -EFBIG;
	}
	text[used] = '\0';
	if (ret_length)
		*ret_length = used;
	*ret_text = steal_ptr(text);
	return 0;
}

int file_read(int dir_fd, const char *path, size_t max, char **ret_text, size_t *ret_length)
{
	auto_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd_read_all(fd, max, ret_text, ret_length);
}

int file_write(int dir_fd, const char *path, const char *text)
{
	auto_close int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, strlen(text));
	if (written < 0)
		return -errno;
	return (size_t)written == strlen(text) ? 0 : -EIO;
}

pid_t fd_pid(int pidfd)
{
	auto_free char *text = NULL;
	char path[48];
	const char *line;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	TRY(file_read(AT_FDCWD, path, 4096, &text, NULL));
	line = strstr(text, "\nPid:");
	/* -1: it was waited for already. */
	return line && atoi(line + strlen("\nPid:")) > 0 ? atoi(line + strlen("\nPid:")) : -ESRCH;
}

void pidfd_wait(int pidfd)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
}

void pidfd_end(int pidfd)
{
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	pidfd_wait(pidfd);
}

static int compare_fds(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

int fd_close_others(unsigned int first, int *kept, size_t count)
{
	unsigned int next = first;

	qsort(kept, count, sizeof(kept[0]), compare_fds);
	for (size_t i = 0; i <= count; i++) {
		unsigned int end = i < count ? (unsigned int)kept[i] - 1 : ~0U;

		if (i < count && kept[i] < 0)
			continue;
		if (next <= end && close_range(next, end, 0) < 0)
			return -errno;
		next = end + 2;
	}
	return 0;
}

bool fd_is_terminal(int fd)
{
	return isatty(fd) == 1;
}

int fd_set_nonblocking(int fd, bool nonblocking)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_path(int fd, char *ret_path)
{
	char link[64];
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, ret_path, PATH_MAX - 1);
	if (length < 0)
		return -errno;
	ret_path[length] = '\0';
	return 0;
}
