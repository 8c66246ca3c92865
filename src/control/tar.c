/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes archives in the pax format: for each entry a header of records for what the old header
 * cannot say, the old header, the content.
 * Zone: free.
 */
#include "control/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "base/text.h"
#include "control/changes-walk.h"

#define BLOCK 512

/* The old header; numbers are octal text. */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[100], magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155];
	char padding[12];
};
static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* A stretch of data in a file with holes. */
struct stretch {
	off_t begin, end;
};

struct content {
	struct stretch *items;
	size_t count, room;
	off_t data; /* in all stretches */
	bool is_sparse;
	char *map; /* as text, with its padding */
	size_t map_length;
};

/* --- Bytes --- */

static int flush(struct tar *tar)
{
	int r = fd_write_all(tar->fd, tar->buffer, tar->used);

	tar->used = 0;
	return r;
}

static int put(struct tar *tar, const void *bytes, size_t length)
{
	while (length > 0) {
		size_t part = sizeof(tar->buffer) - tar->used;

		part = part < length ? part : length;
		memcpy(tar->buffer + tar->used, bytes, part);
		tar->used += part;
		bytes = (const char *)bytes + part;
		length -= part;
		if (tar->used == sizeof(tar->buffer))
			TRY(flush(tar));
	}
	return 0;
}

static int pad(struct tar *tar, uint64_t length)
{
	static const char zeros[BLOCK];

	return put(tar, zeros, (size_t)(-length % BLOCK));
}

/* --- Records --- */

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void put_record(FILE *records, const char *key, const void *value, size_t length)
{
	size_t rest = strlen(key) + length + 3, all = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", all) + rest != all)
		all = rest + strlen(digits);
	(void)fprintf(records, "%s %s=", digits, key);
	(void)fwrite(value, 1, length, records);
	(void)fputc('\n', records);
}

static void put_text(FILE *records, const char *key, const char *text)
{
	put_record(records, key, text, strlen(text));
}

static void put_number(FILE *records, const char *key, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	put_text(records, key, text);
}

static void put_time(FILE *records, const char *key, const struct timespec *time)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%jd.%09ld", (intmax_t)time->tv_sec, time->tv_nsec);
	put_text(records, key, text);
}

static int put_attributes(FILE *records, const struct tar_entry *entry)
{
	auto_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	char path[NAME_MAX + 40], key[XATTR_NAME_MAX + 16];
	ssize_t length, size;

	if (!list || !value)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", entry->directory_fd, entry->name);
	length = llistxattr(path, list, XATTR_LIST_MAX);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(list + i) + 1) {
		size = lgetxattr(path, list + i, value, XATTR_SIZE_MAX);
		if (size < 0 || changes_is_internal(list + i))
			continue;
		(void)snprintf(key, sizeof(key), "SCHILY.xattr.%s", list + i);
		put_record(records, key, value, (size_t)size);
	}
	return 0;
}

/* --- Content --- */

static int find_stretches(int fd, off_t size, struct content *ret)
{
	for (off_t at = 0; at < size;) {
		off_t begin = lseek(fd, at, SEEK_DATA), end;

		if (begin < 0 || begin >= size)
			break;
		end = lseek(fd, begin, SEEK_HOLE);
		end = end < 0 || end > size ? size : end;
		if (ret->count == ret->room) {
			size_t room = ret->room * 2 + 16;
			struct stretch *items = reallocarray(ret->items, room, sizeof(*items));

			if (!items)
				return -ENOMEM;
			ret->items = items;
			ret->room = room;
		}
		ret->items[ret->count++] = (struct stretch){begin, end};
		ret->data += end - begin;
		at = end;
	}
	ret->is_sparse = ret->data < size;
	return 0;
}

/* The list of stretches stands before the data, filled up to a block. */
static int make_map(struct content *content, off_t size)
{
	FILE *file = open_memstream(&content->map, &content->map_length);

	if (!file)
		return -ENOMEM;
	/* What ends in a hole ends with an empty stretch, so that the size is told here as well. */
	(void)fprintf(file, "%zu\n", content->count + 1);
	for (size_t i = 0; i < content->count; i++)
		(void)fprintf(file, "%jd\n%jd\n", (intmax_t)content->items[i].begin,
			      (intmax_t)(content->items[i].end - content->items[i].begin));
	(void)fprintf(file, "%jd\n0\n", (intmax_t)size);
	(void)fflush(file);
	for (size_t i = -content->map_length % BLOCK; i > 0; i--)
		(void)fputc('\0', file);
	return fclose(file) != 0 ? -ENOMEM : 0;
}

static int put_stretch(struct tar *tar, int fd, const struct stretch *stretch)
{
	static const char zeros[BLOCK];
	char text[16384];

	for (off_t at = stretch->begin; at < stretch->end;) {
		off_t left = stretch->end - at;
		ssize_t length = pread(
			fd, text, left < (off_t)sizeof(text) ? (size_t)left : sizeof(text), at);

		if (length < 0)
			return -errno;
		if (length == 0) { /* shorter meanwhile */
			length = left < BLOCK ? (ssize_t)left : BLOCK;
			TRY(put(tar, zeros, (size_t)length));
		} else {
			TRY(put(tar, text, (size_t)length));
		}
		at += length;
	}
	return 0;
}

static int put_content(struct tar *tar, const struct tar_entry *entry,
		       const struct content *content)
{
	if (content->is_sparse)
		TRY(put(tar, content->map, content->map_length));
	for (size_t i = 0; i < content->count; i++)
		TRY(put_stretch(tar, entry->fd, &content->items[i]));
	return pad(tar, (uint64_t)content->data);
}

/* --- Headers --- */

/* What does not fit is in a record, and 0 here. */
static void set_octal(char *field, size_t size, uint64_t number)
{
	char text[24];
	bool fits = number < UINT64_C(1) << (3 * (size - 1));

	(void)snprintf(text, sizeof(text), "%0*" PRIo64, (int)size - 1, fits ? number : 0);
	memcpy(field, text, size - 1);
}

static char type_of(const struct tar_entry *entry)
{
	if (entry->hard_link)
		return '1';
	switch (entry->status->st_mode & S_IFMT) {
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return '0';
	}
}

static int put_header(struct tar *tar, const char *path, const char *link,
		      const struct stat *status, char type, uint64_t size)
{
	struct header header = {.type = type};
	unsigned int sum = 8 * ' ';
	bool is_device = type == '3' || type == '4';
	char text[8];

	memcpy(header.name, path, strnlen(path, sizeof(header.name)));
	if (link)
		memcpy(header.link, link, strnlen(link, sizeof(header.link)));
	set_octal(header.mode, sizeof(header.mode), status->st_mode & 07777);
	set_octal(header.uid, sizeof(header.uid), status->st_uid);
	set_octal(header.gid, sizeof(header.gid), status->st_gid);
	set_octal(header.size, sizeof(header.size), size);
	set_octal(header.mtime, sizeof(header.mtime),
		  status->st_mtim.tv_sec < 0 ? 0 : (uint64_t)status->st_mtim.tv_sec);
	set_octal(header.major, sizeof(header.major), is_device ? major(status->st_rdev) : 0);
	set_octal(header.minor, sizeof(header.minor), is_device ? minor(status->st_rdev) : 0);
	memcpy(header.magic, "ustar", 6);
	memcpy(header.version, "00", 2);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += ((const unsigned char *)&header)[i];
	(void)snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header.checksum, text, 7);
	header.checksum[7] = ' ';
	return put(tar, &header, sizeof(header));
}

static int put_records(struct tar *tar, const struct tar_entry *entry, const char *path,
		       const char *link, const struct content *content, uint64_t size)
{
	const struct stat *status = entry->status;
	struct stat plain = {.st_mode = 0644};
	auto_free char *text = NULL;
	size_t length = 0;
	FILE *records = open_memstream(&text, &length);
	int r;

	if (!records)
		return -ENOMEM;
	if (!text_is_utf8(path) || (link && !text_is_utf8(link)))
		put_text(records, "hdrcharset", "BINARY");
	if (content->is_sparse) {
		put_text(records, "GNU.sparse.major", "1");
		put_text(records, "GNU.sparse.minor", "0");
		put_text(records, "GNU.sparse.name", path);
		put_number(records, "GNU.sparse.realsize", (uint64_t)status->st_size);
	} else if (strlen(path) > 100) {
		put_text(records, "path", path);
	}
	if (link && strlen(link) > 100)
		put_text(records, "linkpath", link);
	put_time(records, "mtime", &status->st_mtim);
	if (size >= UINT64_C(1) << 33)
		put_number(records, "size", size);
	if (status->st_uid >= 1U << 21)
		put_number(records, "uid", status->st_uid);
	if (status->st_gid >= 1U << 21)
		put_number(records, "gid", status->st_gid);
	r = entry->hard_link ? 0 : put_attributes(records, entry);
	if (fclose(records) != 0)
		r = -ENOMEM;
	TRY(r);
	TRY(put_header(tar, "PaxHeaders/entry", NULL, &plain, 'x', length));
	TRY(put(tar, text, length));
	return pad(tar, length);
}

static int put_entry(struct tar *tar, const struct tar_entry *entry, const struct content *content)
{
	const char *link = entry->hard_link ? entry->hard_link : entry->link;
	uint64_t size = (uint64_t)content->data + content->map_length;
	auto_free char *path = NULL;

	if (asprintf(&path, "%s%s", entry->path, S_ISDIR(entry->status->st_mode) ? "/" : "") < 0)
		return -ENOMEM;
	TRY(put_records(tar, entry, path, link, content, size));
	TRY(put_header(tar, content->is_sparse ? "GNUSparseFile.0/entry" : path, link,
		       entry->status, type_of(entry), size));
	return put_content(tar, entry, content);
}

int tar_add(struct tar *tar, const struct tar_entry *entry)
{
	struct content content = {0};
	int r = 0;

	if (entry->fd >= 0 && !entry->hard_link)
		r = find_stretches(entry->fd, entry->status->st_size, &content);
	if (r == 0 && content.is_sparse)
		r = make_map(&content, entry->status->st_size);
	if (r == 0)
		r = put_entry(tar, entry, &content);
	free(content.items);
	free(content.map);
	return r;
}

int tar_finish(struct tar *tar)
{
	static const char zeros[2 * BLOCK];

	TRY(put(tar, zeros, sizeof(zeros)));
	return flush(tar);
}
