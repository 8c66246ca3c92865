/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn export: the tree of a running machine with all its changes, as an archive.
 * Zone: owing for the unfinished archive, free besides.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/scope.h"
#include "control/changes-walk.h"
#include "control/changes.h"
#include "control/inside.h"
#include "control/pack.h"

struct linked {
	dev_t device;
	ino_t inode;
	const char *path;
};

struct export
{
	struct arena arena;
	const char *machine;
	struct registry_entry entry;
	struct changes_walk walk;
	struct pack pack;
	int fd;
	struct {
		struct linked *items;
		size_t count, room;
	} links;
	bool is_partial; /* something could not be read */
};

/* The ids are asked of the machine itself, and what they are on disk of who started it. */
static int read_owners(struct export *export)
{
	struct owners *owners = &export->pack.owners;
	char path[40];

	owners->from = export->entry.owners_from;
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)export->entry.leader);
	TRY(id_map_read(&export->arena, path, &owners->maps.users));
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)export->entry.leader);
	TRY(id_map_read(&export->arena, path, &owners->maps.groups));
	/* The leader is the supervisor's child, so its number cannot be another process's by now.
	 */
	return process_parent(export->entry.leader) == export->entry.supervisor ? 0 : -ESRCH;
}

static const char *find_link(struct export *export, const struct stat *status, const char *path)
{
	if (S_ISDIR(status->st_mode) || status->st_nlink < 2)
		return NULL;
	for (size_t i = 0; i < export->links.count; i++)
		if (export->links.items[i].device == status->st_dev &&
		    export->links.items[i].inode == status->st_ino)
			return export->links.items[i].path;
	*ARRAY_ADD(&export->arena, &export->links) =
		(struct linked){status->st_dev, status->st_ino, arena_copy(&export->arena, path)};
	return NULL;
}

/* What is gone or cannot be read is told, and the rest goes on. */
static int add(struct export *export, const struct pack_item *item)
{
	int r = pack_add(&export->pack, item);

	if (r < 0)
		return fail(r, "Cannot write the archive of machine '%s'", export->entry.machine);
	if (r > 0 && r != ENOENT) {
		export->is_partial = true;
		warn(-r, "Cannot read '/%s', leaving it out", item->path);
	}
	return 0;
}

static int add_change(void *argument, const struct change *change)
{
	struct export *export = argument;

	if (change->kind == CHANGE_REMOVED || change->is_end)
		return 0;
	return add(export, &(struct pack_item){change->now_fd, change->name, change->path + 1,
					       find_link(export, &change->now, change->path + 1)});
}

static int write_archive(const struct places *places, void *argument)
{
	struct export *export = argument;
	const char *name = export->machine;
	int r;

	TRY(registry_find(&export->arena, places, name, &export->entry));
	r = read_owners(export);
	if (r < 0)
		return fail(r, "Cannot read how the ids of machine '%s' are mapped", name);
	TRY(changes_open(&export->entry, &export->walk));
	r = pack_open(&export->pack, export->fd);
	if (r < 0)
		return fail(r, "Cannot write the archive of machine '%s'", name);
	TRY(add(export, &(struct pack_item){export->walk.changes_fd, ".", ".", NULL}));
	TRY(changes_walk(&export->walk));
	r = pack_finish(&export->pack);
	if (r < 0)
		return fail(r, "Cannot write the archive of machine '%s'", name);
	/* What was left out was said. */
	return export->is_partial ? -EIO : 0;
}

/* Whoever has the name has the whole archive. */
static int export_to_file(struct export *export, const char *path)
{
	auto_free char *partial = NULL;
	auto_close int fd = -EBADF;
	int r;

	if (asprintf(&partial, "%s.nspawn-%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(-errno, "Cannot make the file '%s'", partial);
	export->fd = fd;
	r = control_inside(export->machine, write_archive, export);
	if (r == 0 && rename(partial, path) < 0)
		r = fail(-errno, "Cannot make the file '%s'", path);
	if (r < 0)
		(void)unlink(partial);
	return r;
}

static int export_machine(struct export *export, const char *path)
{
	if (strcmp(path, "-") != 0)
		return export_to_file(export, path);
	if (isatty(STDOUT_FILENO) == 1)
		return refuse(EINVAL, "An archive is nothing for a terminal");
	export->fd = STDOUT_FILENO;
	return control_inside(export->machine, write_archive, export);
}

int control_export(int argc, char **argv)
{
	struct export export = {.walk = {.changes_fd = -EBADF,
					 .tree_fd = -EBADF,
					 .wants_all = true,
					 .function = add_change}};
	int r;

	if (argc != 3 || *argv[1] == '-') {
		(void)refuse(EINVAL, "'export' needs the name of a machine and a file");
		return EXIT_FAILURE;
	}
	export.walk.argument = &export;
	export.machine = argv[1];
	r = export_machine(&export, argv[2]);
	pack_done(&export.pack);
	changes_close(&export.walk);
	arena_done(&export.arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
