/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * It tells what it manages only after it has seen the interface; what it will do stands in its
 * files (systemd.network(5)).
 * Zone: free.
 */
#include "net/networkd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/numbers.h"
#include "base/process.h"
#include "base/scope.h"
#include "base/text.h"

#define FILE_MAX_BYTES ((size_t)64 * 1024)
#define PROCESSES "/sys/fs/cgroup/system.slice/systemd-networkd.service/cgroup.procs"

/* Where one has the name of another the first counts. */
static const char *const directories[] = {
	"/etc/systemd/network",
	"/run/systemd/network",
	"/usr/local/lib/systemd/network",
	"/usr/lib/systemd/network",
};

/* A process of the service that lives in our network. */
static bool is_here(void)
{
	auto_free char *text = NULL;
	uint32_t pid;

	if (file_read(AT_FDCWD, PROCESSES, 4096, &text, NULL) < 0)
		return false;
	text[strcspn(text, BLANKS)] = '\0';
	if (parse_u32(text, &pid) < 0)
		return false;
	return process_shares_namespace((pid_t)pid, "net") == 1;
}

/* Patterns of which one has to match, none that begins with '!'. */
static bool matches_any(struct arena *arena, const char *value, const char *text)
{
	struct strings patterns = {0};
	bool is_inverse = *value == '!';

	text_words(arena, value + is_inverse, BLANKS, &patterns);
	for (size_t i = 0; i < patterns.count; i++)
		if (fnmatch(patterns.items[i], text, 0) == 0)
			return !is_inverse;
	return is_inverse;
}

struct reading {
	const char *link, *kind;
	bool is_specific; /* it names interfaces, rather than being for whatever there is */
	bool is_refused;  /* it is about others, or says to leave them alone */
};

static void read_assignment(struct arena *arena, const char *section, const char *key,
			    const char *value, struct reading *reading)
{
	bool flag = false;

	if (strcmp(section, "[Link]") == 0 && strcmp(key, "Unmanaged") == 0)
		reading->is_refused |= parse_bool(value, &flag) == 0 && flag;
	if (strcmp(section, "[Match]") != 0)
		return;
	/* The driver of what has no hardware is called like its kind. */
	if (strcmp(key, "Name") == 0 || strcmp(key, "Kind") == 0 || strcmp(key, "Driver") == 0) {
		const char *text = *key == 'N' ? reading->link : reading->kind;

		reading->is_specific |= value[0] != '*' && value[0] != '!';
		reading->is_refused |= !matches_any(arena, value, text);
	} else if (strcmp(key, "Type") == 0) {
		reading->is_refused |= !matches_any(
			arena, value, strcmp(reading->kind, "bridge") == 0 ? "bridge" : "ether");
	} else if (strcmp(key, "Virtualization") != 0 && strcmp(key, "Host") != 0 &&
		   strcmp(key, "Architecture") != 0) {
		/* By hardware address, wireless network and their like: not what we make. */
		reading->is_refused = true;
	}
}

bool networkd_file_matches(struct arena *arena, const char *text, const char *link,
			   const char *kind)
{
	struct reading reading = {.link = link, .kind = kind};
	struct strings lines = {0};
	const char *section = "";

	text_words(arena, text, "\n", &lines);
	for (size_t i = 0; i < lines.count; i++) {
		char *line = arena_copy(arena, lines.items[i] + strspn(lines.items[i], BLANKS));
		char *equals = strchr(line, '=');

		for (size_t end = strlen(line); end > 0 && strchr(BLANKS, line[end - 1]); end--)
			line[end - 1] = '\0';
		if (*line == '[')
			section = line;
		else if (equals && *line != '#' && *line != ';') {
			*equals = '\0';
			line[strcspn(line, BLANKS)] = '\0';
			read_assignment(arena, section, line,
					equals + 1 + strspn(equals + 1, BLANKS), &reading);
		}
	}
	return reading.is_specific && !reading.is_refused;
}

struct file {
	const char *name;
	size_t directory;
};

struct files {
	struct file *items;
	size_t count, room;
};

static bool has_file(const struct files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].name, name) == 0)
			return true;
	return false;
}

static void list_directory(struct arena *arena, size_t number, struct files *files)
{
	auto_closedir DIR *directory = opendir(directories[number]);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);

		if (length > 8 && strcmp(entry->d_name + length - 8, ".network") == 0 &&
		    !has_file(files, entry->d_name))
			*ARRAY_ADD(arena, files) = (struct file){
				.name = arena_copy(arena, entry->d_name), .directory = number};
	}
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

bool networkd_manages(struct arena *arena, const char *link, const char *kind)
{
	struct files files = {0};

	if (!is_here())
		return false;
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		list_directory(arena, i, &files);
	if (files.count > 0)
		qsort(files.items, files.count, sizeof(*files.items), compare_files);
	for (size_t i = 0; i < files.count; i++) {
		const char *path = arena_format(
			arena, "%s/%s", directories[files.items[i].directory], files.items[i].name);
		auto_free char *text = NULL;

		if (file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text, NULL) == 0 &&
		    networkd_file_matches(arena, text, link, kind))
			return true;
	}
	return false;
}
