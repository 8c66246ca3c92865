/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine may change anything at any time. So a file is looked at by a descriptor of itself
 * (O_PATH), which cannot wait for anybody; and who replaces one looks at what came out.
 * Zone: owing.
 */
#include "mount/host-files-later.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define TEMPORARY_MAX 48

int host_files_become(uid_t owner)
{
	(void)setfsgid(owner);
	(void)setfsuid(owner);
	return (uid_t)setfsuid((uid_t)-1) == owner ? 0 : -EPERM;
}

/*
 * Opens a regular file that is itself in the directory: no link, and nothing that is mounted there.
 * -ESTALE for whatever else.
 */
static int open_file(int place_fd, const char *name, int flags)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	auto_close int found = (int)syscall(SYS_openat2, place_fd, name, &how, sizeof(how));
	struct stat status;
	char path[64];
	int fd;

	if (found < 0 || fstat(found, &status) < 0 || !S_ISREG(status.st_mode))
		return -ESTALE;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static bool has_text(int fd, const char *text)
{
	size_t bytes = strlen(text), used = 0;
	char part[4096];
	ssize_t got;

	while ((got = pread(fd, part, sizeof(part), (off_t)used)) > 0) {
		if ((size_t)got > bytes - used || memcmp(part, text + used, (size_t)got) != 0)
			return false;
		used += (size_t)got;
	}
	return got == 0 && used == bytes;
}

static bool file_has_text(int place_fd, const char *name, const char *text)
{
	auto_close int fd = open_file(place_fd, name, O_RDONLY);

	return fd >= 0 && has_text(fd, text);
}

/* --- Another content --- */

static int make_temporary(int place_fd, const char *name, const char *text,
			  char ret_name[TEMPORARY_MAX])
{
	auto_close int fd = -EBADF;
	uint64_t number = 0;
	int r;

	(void)!getrandom(&number, sizeof(number), 0);
	(void)snprintf(ret_name, TEMPORARY_MAX, ".#%.24s%016jx", name, (uintmax_t)number);
	fd = openat(place_fd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(place_fd, ret_name, 0);
	return r;
}

/* Both stay, so that what the machine may have written meanwhile can be put back. */
static int exchange(int place_fd, const char *name, const char *temporary, const char *told)
{
	if (renameat2(place_fd, temporary, place_fd, name, RENAME_EXCHANGE) < 0)
		/* Some file systems cannot: there it is as anybody replaces a file. */
		return errno == EINVAL && renameat(place_fd, temporary, place_fd, name) == 0
			       ? 0
			       : -errno;
	if (file_has_text(place_fd, temporary, told))
		return 0;
	(void)renameat2(place_fd, temporary, place_fd, name, RENAME_EXCHANGE);
	return -ESTALE;
}

static int replace(int place_fd, const char *name, const char *told, const char *text)
{
	char temporary[TEMPORARY_MAX];
	int r;

	if (!file_has_text(place_fd, name, told))
		return -ESTALE;
	TRY(make_temporary(place_fd, name, text, temporary));
	r = exchange(place_fd, name, temporary, told);
	(void)unlinkat(place_fd, temporary, 0);
	return r;
}

/*
 * Whoever has it open or mounted has this very file. One write, padded with empty lines: nobody
 * finds a part of it.
 */
static int write_over(int fd, const char *told, const char *text)
{
	size_t length = strlen(text), before = strlen(told);
	size_t bytes = length > before ? length : before;
	auto_free char *padded = malloc(bytes + 1);

	if (!padded)
		return -ENOMEM;
	if (!has_text(fd, told))
		return -ESTALE;
	memcpy(padded, text, length);
	memset(padded + length, '\n', bytes - length);
	if (pwrite(fd, padded, bytes, 0) < 0 || ftruncate(fd, (off_t)length) < 0)
		return -errno;
	return 0;
}

int host_files_tell(int place_fd, const char *name, const char *told, const char *text)
{
	struct stat status;

	if (fstat(place_fd, &status) < 0)
		return -errno;
	return S_ISDIR(status.st_mode) ? replace(place_fd, name, told, text)
				       : write_over(place_fd, told, text);
}

/* --- As it was --- */

/* Moves the other lines together; returns how many bytes they are. */
static size_t drop_lines(char *text, size_t bytes, const char *mark)
{
	size_t marked = strlen(mark), used = 0, next;

	for (size_t at = 0; at < bytes; at = next) {
		const char *end = memchr(text + at, '\n', bytes - at);
		size_t length = end ? (size_t)(end - text) - at : bytes - at;

		next = at + length + (end ? 1 : 0);
		if (length >= marked && memcmp(text + at + length - marked, mark, marked) == 0)
			continue;
		memmove(text + used, text + at, next - at);
		used += next - at;
	}
	return used;
}

/* As many bytes as there are, or a negative errno. */
static ssize_t read_bytes(int fd, char *ret, size_t room)
{
	size_t used = 0;
	ssize_t got;

	while ((got = pread(fd, ret + used, room - used, (off_t)used)) > 0)
		used += (size_t)got;
	if (got < 0)
		return -errno;
	return used < room ? (ssize_t)used : -EFBIG;
}

static int take_lines(int place_fd, const char *name, const char *mark, char *text)
{
	auto_close int fd = open_file(place_fd, name, O_RDWR);
	ssize_t bytes = fd < 0 ? fd : read_bytes(fd, text, FILE_MAX_BYTES);
	size_t left;

	if (bytes < 0)
		return (int)bytes;
	left = drop_lines(text, (size_t)bytes, mark);
	if (left == (size_t)bytes)
		return 0;
	if (left == 0)
		return unlinkat(place_fd, name, 0) < 0 ? -errno : 0;
	if (pwrite(fd, text, left, 0) < 0 || ftruncate(fd, (off_t)left) < 0)
		return -errno;
	return 0;
}

int host_files_take_back(int place_fd, const char *name, const char *mark)
{
	char *text = mmap(NULL, FILE_MAX_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	int r;

	if (text == MAP_FAILED)
		return -errno;
	r = take_lines(place_fd, name, mark, text);
	(void)munmap(text, FILE_MAX_BYTES);
	return r;
}
