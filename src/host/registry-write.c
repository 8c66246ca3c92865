/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the one line that a running machine has in the lock file of its name. Without the JSON
 * library, whose pages a plain start never touches.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/scope.h"
#include "host/locks.h"
#include "host/registry-words.h"
#include "host/registry.h"

static void put_text(FILE *file, const char *text)
{
	(void)fputc('"', file);
	for (const unsigned char *c = (const unsigned char *)(text ? text : ""); *c; c++)
		if (*c < ' ' || *c > '~' || strchr("%\"\\", *c))
			(void)fprintf(file, "%%%02x", *c);
		else
			(void)fputc(*c, file);
	(void)fputc('"', file);
}

static void put_named_text(FILE *file, const char *name, const char *text)
{
	(void)fprintf(file, ",\"%s\":", name);
	put_text(file, text);
}

static void put_number(FILE *file, const char *name, int64_t number)
{
	(void)fprintf(file, ",\"%s\":%" PRId64, name, number);
}

static void put_flag(FILE *file, const char *name, bool flag)
{
	(void)fprintf(file, ",\"%s\":%s", name, flag ? "true" : "false");
}

static void put_tree(FILE *file, const struct registry_entry *entry)
{
	put_named_text(file, "tree", entry->tree);
	put_number(file, "tree_device", (int64_t)entry->tree_device);
	put_number(file, "tree_inode", (int64_t)entry->tree_inode);
	put_named_text(file, "kind", registry_changes_words[entry->kind]);
	put_named_text(file, "changes", entry->changes);
	put_number(file, "owners_from", entry->owners_from);
}

static void put_texts(FILE *file, const char *name, const struct strings *texts)
{
	(void)fprintf(file, ",\"%s\":[", name);
	for (size_t i = 0; i < texts->count; i++) {
		(void)fputs(i > 0 ? "," : "", file);
		put_text(file, texts->items[i]);
	}
	(void)fputc(']', file);
}

static void put_network(FILE *file, const struct registry_entry *entry)
{
	put_flag(file, "has_own_network", entry->has_own_network);
	(void)fputs(",\"interfaces\":[", file);
	for (size_t i = 0; i < entry->interfaces.count; i++)
		(void)fprintf(file, "%s%d", i > 0 ? "," : "", entry->interfaces.items[i]);
	(void)fputc(']', file);
	put_texts(file, "ports", &entry->ports);
	put_texts(file, "host_ports", &entry->host_ports);
}

static void put_confinement(FILE *file, const struct registry_entry *entry)
{
	put_number(file, "caps_bounding", (int64_t)entry->caps_bounding);
	put_number(file, "caps_ambient", (int64_t)entry->caps_ambient);
	put_flag(file, "no_new_privileges", entry->no_new_privileges);
	put_named_text(file, "filter", entry->filter);
	put_texts(file, "environment", &entry->environment);
}

static void put_entry(FILE *file, const struct registry_entry *entry)
{
	(void)fprintf(file, "{\"version\":%d", REGISTRY_VERSION);
	put_number(file, "leader", entry->leader);
	put_number(file, "supervisor", entry->supervisor);
	put_named_text(file, "machine", entry->machine);
	put_named_text(file, "uuid", entry->uuid);
	put_named_text(file, "service", entry->service);
	put_number(file, "started_usec", (int64_t)entry->started_usec);
	put_named_text(file, "start", entry->start);
	put_named_text(file, "init", entry->init);
	put_tree(file, entry);
	put_named_text(file, "unit", entry->unit);
	put_flag(file, "unit_is_users", entry->unit_is_users);
	put_named_text(file, "cgroup", entry->cgroup);
	put_number(file, "shift", entry->shift);
	put_network(file, entry);
	put_confinement(file, entry);
	put_flag(file, "is_ready", entry->is_ready);
	put_named_text(file, "status", entry->status);
	(void)fputs("}\n", file);
}

int registry_write(const struct locks *locks, const struct registry_entry *entry)
{
	auto_free char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	int fd = locks_name_fd(locks);

	if (!file)
		return -ENOMEM;
	put_entry(file, entry);
	if (fclose(file) != 0)
		return -ENOMEM;
	if (fd < 0)
		return -EBADF;
	/* An older line may be longer; readers take what ends in the first new line. */
	if (pwrite(fd, text, length, 0) != (ssize_t)length)
		return -EIO;
	return ftruncate(fd, (off_t)length) < 0 ? -errno : 0;
}

int registry_write_filter(const char *directory, const struct sock_filter *filter, size_t length)
{
	auto_close int directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -EBADF;

	if (directory_fd < 0)
		return -errno;
	fd = openat(directory_fd, REGISTRY_FILTER_FILE,
		    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd_write_all(fd, filter, length * sizeof(*filter));
}
