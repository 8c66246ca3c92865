/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds and opens settings files. One that is not trusted may be a trap: a link to somebody's
 * secret, a FIFO that nobody writes to, a file without end.
 * Zone: free.
 */
#include "config/settings-file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "config/config.h"
#include "config/settings-text.h"

#define TRUSTED_MAX_BYTES ((size_t)1024 * 1024)
#define UNTRUSTED_MAX_BYTES ((size_t)64 * 1024)
#define TRUSTED_DROP_INS_MAX 256
#define UNTRUSTED_DROP_INS_MAX 16

/* Directories of the administrator's, or of the user's own. */
#define SETTINGS_TRUSTED_MAX 2

struct file {
	struct settings_source source; /* its path */
	int directory_fd;              /* or AT_FDCWD, */
	const char *name;              /* and what it is called from there */
};

static int give_up(const struct file *file, int r)
{
	if (file->source.is_trusted)
		return fail(r, "Cannot read the settings file '%s'", file->source.file);
	warn(r, "Cannot use the settings file '%s', ignoring it", file->source.file);
	return 0;
}

/* A link to /dev/null is an empty file: it hides the weaker ones. */
static bool is_null_device(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

static int open_file(const struct file *file, struct stat *ret_status)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	auto_close int fd = -EBADF;

	if (!file->source.is_trusted) {
		flags |= O_NOFOLLOW;
		if (fstatat(file->directory_fd, file->name, ret_status, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		/* Some devices act when they are only opened. */
		if (!S_ISREG(ret_status->st_mode))
			return -ELOOP;
	}
	fd = openat(file->directory_fd, file->name, flags);
	if (fd < 0 || fstat(fd, ret_status) < 0)
		return -errno;
	return steal_fd(fd);
}

/* Beside a tree that cannot be looked for either, as will be said of the tree. */
static bool is_out_of_reach(const struct settings_source *source)
{
	auto_free char *above = NULL;

	if (source->is_trusted)
		return false;
	above = strndup(source->file, (size_t)(path_last(source->file) - source->file));
	return above && *above && faccessat(AT_FDCWD, above, X_OK, AT_EACCESS) < 0;
}

/* Returns 1 if there is such a file, whether it could be used or not, and 0 if there is none. */
static int read_file(struct arena *arena, const struct file *file, struct said_list *ret)
{
	size_t max = file->source.is_trusted ? TRUSTED_MAX_BYTES : UNTRUSTED_MAX_BYTES, length;
	auto_free char *text = NULL;
	struct stat status;
	auto_close int fd = open_file(file, &status);
	int r;

	if (fd == -ENOENT ||
	    (fd == -EACCES && file->directory_fd == AT_FDCWD && is_out_of_reach(&file->source)))
		return 0;
	/* What these mean is a link or no file; anything else is trouble, whoever owns the file. */
	if (fd < 0 && fd != -ELOOP && fd != -ENXIO && fd != -ENODEV)
		return fail(fd, "Cannot open the settings file '%s'", file->source.file);
	if (fd >= 0 && file->source.is_trusted && is_null_device(&status))
		return 1;
	if (fd < 0 || !S_ISREG(status.st_mode)) {
		if (file->source.is_trusted)
			return refuse(EINVAL, "The settings file '%s' is no regular file",
				      file->source.file);
		warn(0, "The settings file '%s' is no regular file, ignoring it",
		     file->source.file);
		return 1;
	}
	r = fd_read_all(fd, max, &text, &length);
	if (r < 0) {
		TRY(give_up(file, r));
		return 1;
	}
	debug("Read the settings file '%s'", file->source.file);
	settings_text_parse(arena, &file->source, text, length, ret);
	return 1;
}

/* --- Drop-ins --- */

struct drop_in {
	const char *name;
	struct said_list said;
};

struct drop_ins {
	struct drop_in *items;
	size_t count, room;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_drop_ins(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static bool is_hidden(const struct drop_ins *drop_ins, const char *name)
{
	for (size_t i = 0; i < drop_ins->count; i++)
		if (strcmp(drop_ins->items[i].name, name) == 0)
			return true;
	return false;
}

static bool is_drop_in_name(const char *name)
{
	size_t length = strlen(name);

	return *name != '.' && length > strlen(".conf") &&
	       strcmp(name + length - strlen(".conf"), ".conf") == 0;
}

/* The names in order, or -E2BIG. */
static int list_drop_ins(struct arena *arena, DIR *directory, size_t max, struct strings *ret)
{
	const struct dirent *entry;

	for (errno = 0; (entry = readdir(directory)); errno = 0) {
		if (!is_drop_in_name(entry->d_name))
			continue;
		if (ret->count == max)
			return -E2BIG;
		strings_add(arena, ret, arena_copy(arena, entry->d_name));
	}
	if (errno != 0)
		return -errno;
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_names);
	return 0;
}

static int read_directory(struct arena *arena, const struct settings_source *source, DIR *directory,
			  struct drop_ins *drop_ins)
{
	struct file file = {.source = *source};
	struct strings names = {0};
	size_t max = source->is_trusted ? TRUSTED_DROP_INS_MAX : UNTRUSTED_DROP_INS_MAX;
	int r = list_drop_ins(arena, directory, max, &names);

	if (r < 0)
		return give_up(&file, r);
	for (size_t i = 0; i < names.count; i++) {
		struct said_list said = {0};

		if (is_hidden(drop_ins, names.items[i]))
			continue;
		file.directory_fd = dirfd(directory);
		file.name = names.items[i];
		file.source.file = arena_format(arena, "%s/%s", source->file, file.name);
		TRY(read_file(arena, &file, &said));
		*ARRAY_ADD(arena, drop_ins) = (struct drop_in){file.name, said};
	}
	return 0;
}

static int read_drop_ins(struct arena *arena, const struct settings_source *source,
			 struct drop_ins *drop_ins)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	auto_close int fd = open(source->file, source->is_trusted ? flags : flags | O_NOFOLLOW);
	auto_closedir DIR *directory = NULL;

	if (fd < 0 && (errno == ENOENT || (errno == EACCES && is_out_of_reach(source))))
		return 0;
	if (fd < 0 && !source->is_trusted && (errno == ENOTDIR || errno == ELOOP)) {
		warn(0, "'%s' is no directory of settings files, ignoring it", source->file);
		return 0;
	}
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory)
		return fail(-errno, "Cannot open the settings files in '%s'", source->file);
	(void)steal_fd(fd);
	return read_directory(arena, source, directory, drop_ins);
}

/* --- Places --- */

int settings_files_read_from(struct arena *arena, const struct settings_place *places, size_t count,
			     const char *machine, struct said_list *ret)
{
	struct drop_ins drop_ins = {0};
	int found = 0;

	for (size_t i = 0; i < count && !found; i++) {
		struct file file = {
			.source = {arena_format(arena, "%s/%s.nspawn", places[i].path, machine),
				   places[i].is_trusted},
			.directory_fd = AT_FDCWD,
		};

		file.name = file.source.file;
		TRY(found = read_file(arena, &file, ret));
	}
	for (size_t i = 0; i < count; i++) {
		const struct settings_source source = {
			arena_format(arena, "%s/%s.nspawn.d", places[i].path, machine),
			places[i].is_trusted,
		};

		TRY(read_drop_ins(arena, &source, &drop_ins));
	}
	if (drop_ins.count > 0)
		qsort(drop_ins.items, drop_ins.count, sizeof(*drop_ins.items), compare_drop_ins);
	for (size_t i = 0; i < drop_ins.count; i++)
		for (size_t j = 0; j < drop_ins.items[i].said.count; j++)
			*ARRAY_ADD(arena, ret) = drop_ins.items[i].said.items[j];
	return 0;
}

int settings_files_read(struct config *config, const char *const *trusted, const char *directory,
			const char *machine, struct said_list *ret)
{
	const char *name = path_last(directory);
	struct settings_place places[SETTINGS_TRUSTED_MAX + 1];
	size_t count = 0;

	if (config->settings == SETTINGS_NO)
		return 0;
	for (; *trusted && count < SETTINGS_TRUSTED_MAX; trusted++)
		places[count++] = (struct settings_place){*trusted, true};
	/* Beside the tree, without the slash before its name: "/srv/tree" has "/srv", "/x" has "".
	 */
	if (*name)
		places[count++] = (struct settings_place){
			arena_copy_n(&config->arena, directory, (size_t)(name - directory) - 1),
			config->settings == SETTINGS_TRUSTED,
		};
	return settings_files_read_from(&config->arena, places, count, machine, ret);
}
