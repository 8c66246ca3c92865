/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes and reads the one line that a running machine has in the lock file of its name.
 * Zone: owing for registry_write(), free for the rest.
 */
#include "host/registry.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/scope.h"
#include "base/text.h"
#include "host/locks.h"
#include "host/places.h"

#define VERSION_NUMBER 1
#define ENTRY_BYTES_MAX 32768

static const char *const kinds[] = {
	[REGISTRY_CHANGES_IN_TREE] = "tree",      [REGISTRY_CHANGES_OVERLAY] = "overlay",
	[REGISTRY_CHANGES_SNAPSHOT] = "snapshot", [REGISTRY_CHANGES_NONE] = "none",
	[REGISTRY_CHANGES_LOST] = "lost",
};

/* --- Writing: without the library, whose pages a plain start never touches --- */

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

static void put_entry(FILE *file, const struct registry_entry *entry)
{
	(void)fprintf(file, "{\"version\":%d,\"leader\":%d,\"supervisor\":%d,\"machine\":",
		      VERSION_NUMBER, (int)entry->leader, (int)entry->supervisor);
	put_text(file, entry->machine);
	(void)fputs(",\"tree\":", file);
	put_text(file, entry->tree);
	(void)fprintf(file, ",\"tree_device\":%" PRIu64 ",\"tree_inode\":%" PRIu64,
		      entry->tree_device, entry->tree_inode);
	(void)fprintf(file, ",\"kind\":\"%s\",\"changes\":", kinds[entry->kind]);
	put_text(file, entry->changes);
	(void)fprintf(file, ",\"owners_from\":%" PRId64 ",\"started_usec\":%" PRIu64 "}\n",
		      entry->owners_from, entry->started_usec);
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
	/* After a reboot there is an older line; readers take what ends in a new line. */
	if (pwrite(fd, text, length, 0) != (ssize_t)length)
		return -EIO;
	return ftruncate(fd, (off_t)length) < 0 ? -errno : 0;
}

/* --- Reading --- */

/* Decodes; NULL for what is no text, or empty. */
static const char *get_text(struct arena *arena, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	char *decoded = text ? arena_copy(arena, text) : NULL, *end = decoded;
	unsigned int byte;

	if (!text || !*text)
		return NULL;
	for (; *text; text++)
		if (*text == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2]) && sscanf(text + 1, "%2x", &byte) == 1) {
			*end++ = (char)byte;
			text += 2;
		} else {
			*end++ = *text;
		}
	*end = '\0';
	return decoded;
}

static uint64_t get_number(const json_t *json, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json, key));
}

static int read_entry(struct arena *arena, const char *text, struct registry_entry *ret)
{
	json_t *json = json_loads(text, 0, NULL);
	const char *kind = json_string_value(json_object_get(json, "kind"));
	bool is_known = get_number(json, "version") == VERSION_NUMBER;

	*ret = (struct registry_entry){
		.machine = get_text(arena, json, "machine"),
		.leader = (pid_t)get_number(json, "leader"),
		.supervisor = (pid_t)get_number(json, "supervisor"),
		.tree = get_text(arena, json, "tree"),
		.tree_device = get_number(json, "tree_device"),
		.tree_inode = get_number(json, "tree_inode"),
		.kind = REGISTRY_CHANGES_LOST,
		.changes = get_text(arena, json, "changes"),
		.owners_from = (int64_t)get_number(json, "owners_from"),
		.started_usec = get_number(json, "started_usec"),
	};
	for (size_t i = 0; kind && i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			ret->kind = (enum registry_changes)i;
	json_decref(json);
	return is_known && ret->machine && ret->tree && ret->leader > 0 ? 0 : -EAGAIN;
}

/* The name alone does for a leader that ended, until its supervisor has tidied up. */
static int open_held(const struct places *places, const char *machine)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	auto_free char *path = NULL;
	auto_close int fd = -EBADF;

	if (!text_is_hostname(machine))
		return -ESRCH;
	if (asprintf(&path, "%s/name-%s", places->name_locks, machine) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
		return -errno;
	return whole.l_type == F_UNLCK ? -ESRCH : steal_fd(fd);
}

int registry_find(struct arena *arena, const struct places *places, const char *machine,
		  struct registry_entry *ret)
{
	auto_free char *text = NULL;
	auto_close int fd = open_held(places, machine);
	int r = fd < 0 ? fd : fd_read_all(fd, ENTRY_BYTES_MAX, &text, NULL);

	if (r == 0)
		r = read_entry(arena, text, ret);
	if (r == -ESRCH)
		return refuse(ESRCH, "No machine named '%s' is running", machine);
	if (r == -EAGAIN)
		return refuse(EAGAIN, "Machine '%s' is only about to start", machine);
	return r < 0 ? fail(r, "Cannot look for the machine '%s'", machine) : 0;
}
