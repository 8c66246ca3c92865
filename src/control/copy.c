/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nspawn copy-to, copy-from: files and trees between the host and a running machine.
 * Zone: owing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "control/copy-owners.h"
#include "control/copy-place.h"
#include "control/files.h"
#include "control/guest.h"
#include "control/inside.h"
#include "host/places.h"

#define STREAM_BYTES ((size_t)256 * 1024)

struct transfer {
	struct arena arena;
	const char *verb, *machine;
	bool is_into; /* the machine, else out of it */
	bool replaces;
	const char *from, *to; /* as they were given, or NULL */
	struct guest guest;
	struct copy_owners owners;
	struct copy_rules rules;
	struct copying copying;
};

static bool is_stream(const char *path)
{
	return strcmp(path, "-") == 0;
}

static bool ends_in_slash(const char *path)
{
	return *path && path[strlen(path) - 1] == '/';
}

/* --- Both ends --- */

static int open_at(const struct transfer *transfer, bool is_inside, const char *path, int flags)
{
	int fd = is_inside ? guest_resolve(&transfer->guest, path, flags)
			   : open(path, flags | O_CLOEXEC | O_NOCTTY);

	return fd >= 0 || is_inside ? fd : -errno;
}

static int open_parent_at(const struct transfer *transfer, bool is_inside, const char *path,
			  char *ret_name)
{
	auto_free char *parent = NULL;
	const char *name = path_last(path);
	int fd;

	if (is_inside)
		return guest_resolve_parent(&transfer->guest, path, ret_name);
	parent = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
	if (!parent)
		return -ENOMEM;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)strcpy(ret_name, name);
	return fd < 0 ? -errno : fd;
}

/* A link is copied, not followed, unless a slash behind it says that its target is meant. */
static int open_source(struct transfer *transfer)
{
	int fd = open_at(transfer, !transfer->is_into, transfer->from,
			 O_PATH | (ends_in_slash(transfer->from) ? O_DIRECTORY : O_NOFOLLOW));

	return fd < 0 ? fail(fd, "Cannot open '%s'", transfer->copying.from) : fd;
}

/* Behind "-" and ".." there is no name that a copy could have. */
static int name_in_directory(const struct transfer *transfer, char ret_name[NAME_MAX + 1])
{
	const char *name = path_last(transfer->from);

	if (is_stream(transfer->from) || !*name || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return refuse(EISDIR, "'%s' is a directory", transfer->copying.to);
	(void)snprintf(ret_name, NAME_MAX + 1, "%s", name);
	return 0;
}

/*
 * A directory goes into one that is there, whose own the files in it become; anything else goes
 * into it with its name.
 */
static int open_place(struct transfer *transfer, bool is_directory, char name[NAME_MAX + 1],
		      struct copy_place *ret)
{
	int fd = open_at(transfer, transfer->is_into, transfer->to, O_PATH | O_DIRECTORY);
	int r = 0;

	ret->replaces = transfer->replaces;
	if (fd >= 0) {
		ret->directory_fd = fd;
		ret->name = is_directory ? NULL : name;
		return is_directory ? 0 : name_in_directory(transfer, name);
	}
	if (fd == -ENOENT && ends_in_slash(transfer->to) && !is_directory)
		r = fd;
	else
		r = fd = open_parent_at(transfer, transfer->is_into,
					path_simplify(&transfer->arena, transfer->to), name);
	if (r < 0)
		return fail(r, "Cannot open the directory for '%s'", transfer->copying.to);
	ret->directory_fd = fd;
	ret->name = name;
	return 0;
}

/*
 * Where owners of a mount are mapped, only somebody whom the machine knows can make a file; to be
 * the machine's root for that is no loss of rights (setfsuid(2), capabilities(7)).
 */
static int become_maker(const struct guest *guest)
{
	uid_t uid = id_map_to_outside(&guest->maps.users, 0);
	gid_t gid = id_map_to_outside(&guest->maps.groups, 0);

	if (guest->is_joined || !guest->has_own_ids)
		return 0;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
		return -errno;
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid ? 0 : -EPERM;
}

static int begin(struct transfer *transfer, const struct places *places)
{
	struct guest *guest = &transfer->guest;
	int r;

	TRY(guest_open(&transfer->arena, places, transfer->machine, guest));
	transfer->owners = (struct copy_owners){
		.machine = transfer->machine,
		.maps = guest->is_joined || !guest->has_own_ids ? NULL : &guest->maps,
		.is_into = transfer->is_into,
		.all_to_root = guest->is_joined,
	};
	copy_owners_rules(&transfer->owners, &transfer->rules);
	transfer->copying.rules = &transfer->rules;
	transfer->copying.is_layer = true;
	r = transfer->is_into ? become_maker(guest) : 0;
	return r < 0 ? fail(r, "Cannot make files for the root of machine '%s'", transfer->machine)
		     : 0;
}

/* --- The deed --- */

static int copy_from_stream(struct transfer *transfer)
{
	struct copy_place place = {.directory_fd = -EBADF};
	char name[NAME_MAX + 1];
	int r = open_place(transfer, /* is_directory= */ false, name, &place);

	if (r == 0)
		r = copy_stream_to_place(&transfer->copying, &place, STDIN_FILENO);
	scope_close(&place.directory_fd);
	return r;
}

static int copy_found(struct transfer *transfer)
{
	struct copy_place place = {.directory_fd = -EBADF};
	auto_close int from_fd = open_source(transfer);
	char name[NAME_MAX + 1];
	struct stat status;
	int r;

	TRY(from_fd);
	if (fstat(from_fd, &status) < 0)
		return fail(-errno, "Cannot open '%s'", transfer->copying.from);
	r = open_place(transfer, S_ISDIR(status.st_mode), name, &place);
	if (r == 0)
		r = copy_to_place(&transfer->copying, &place, from_fd);
	scope_close(&place.directory_fd);
	return r;
}

static int copy_held(struct transfer *transfer)
{
	auto_progress struct progress progress = {0};

	progress_start(&progress);
	transfer->copying.progress = &progress;
	transfer->copying.is_interruptible = true;
	return is_stream(transfer->from) ? copy_from_stream(transfer) : copy_found(transfer);
}

static int copy_bytes(int from_fd, int to_fd)
{
	auto_free char *buffer = malloc(STREAM_BYTES);
	ssize_t length;

	if (!buffer)
		return -ENOMEM;
	while ((length = read(from_fd, buffer, STREAM_BYTES)) != 0) {
		if (length < 0 && errno == EINTR)
			continue;
		TRY(length < 0 ? -errno : fd_write_all(to_fd, buffer, (size_t)length));
	}
	return 0;
}

/* Nothing is made, so nothing keeps a user from ending it; and nothing of it is a sentence. */
static int copy_to_stream(struct transfer *transfer)
{
	auto_close int path_fd = open_at(transfer, /* is_inside= */ true, transfer->from, O_PATH);
	auto_close int fd = -EBADF;
	struct stat status;
	char path[48];
	int r;

	if (path_fd < 0 || fstat(path_fd, &status) < 0)
		return fail(path_fd < 0 ? path_fd : -errno, "Cannot open '%s'",
			    transfer->copying.from);
	if (!S_ISREG(status.st_mode))
		return refuse(EINVAL, "'%s' is no regular file", transfer->copying.from);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(-errno, "Cannot open '%s'", transfer->copying.from);
	r = copy_bytes(fd, STDOUT_FILENO);
	return r < 0 ? fail(r, "Cannot copy '%s' to '%s'", transfer->copying.from, "-") : 0;
}

static int copy_inside(const struct places *places, void *argument)
{
	struct transfer *transfer = argument;
	struct interrupt interrupt;
	int r;

	if (is_stream(transfer->to)) {
		TRY(begin(transfer, places));
		return copy_to_stream(transfer);
	}
	interrupt_hold(&interrupt);
	r = begin(transfer, places);
	if (r == 0)
		r = copy_held(transfer);
	interrupt_release(&interrupt);
	return r;
}

/* --- What was asked for --- */

static int read_words(struct transfer *transfer, int argc, char **argv)
{
	const char *words[3] = {NULL, NULL, NULL};
	size_t count = 0;
	bool takes_options = true;

	for (int i = 1; i < argc; i++) {
		if (takes_options && strcmp(argv[i], "--") == 0)
			takes_options = false;
		else if (takes_options && strcmp(argv[i], "--force") == 0)
			transfer->replaces = true;
		else if (takes_options && *argv[i] == '-' && argv[i][1])
			return refuse(EINVAL, "'%s' does not know the option '%s'", argv[0],
				      argv[i]);
		else if (count == ARRAY_LEN(words) || !*argv[i])
			return refuse(EINVAL, "'%s' cannot do anything with '%s'", argv[0],
				      argv[i]);
		else
			words[count++] = argv[i];
	}
	if (count < 2)
		return refuse(EINVAL, "'%s' needs the name of a machine and a path", argv[0]);
	transfer->machine = words[0];
	transfer->from = words[1];
	transfer->to = words[2];
	return 0;
}

static const char *name_end(struct transfer *transfer, bool is_inside, const char *path)
{
	return is_inside ? arena_format(&transfer->arena, "%s:%s", transfer->machine, path) : path;
}

static int check_words(struct transfer *transfer)
{
	char *path = NULL;
	const char *inside;

	if (!transfer->to && is_stream(transfer->from))
		return refuse(EINVAL, "'%s' needs a path for what it reads", transfer->verb);
	if (!transfer->to && transfer->is_into &&
	    path_absolute(&transfer->arena, transfer->from, &path) < 0)
		return fail(-ENOENT, "Cannot tell where '%s' of '%s' is: no current directory",
			    transfer->from, transfer->verb);
	if (!transfer->to)
		transfer->to = path ?: transfer->from;
	inside = transfer->is_into ? transfer->to : transfer->from;
	if (*inside != '/')
		return refuse(EINVAL, "'%s' is no absolute path in the machine", inside);
	if (is_stream(transfer->to) && isatty(STDOUT_FILENO) == 1) {
		(void)refuse(EINVAL, "A file of a machine is nothing for a terminal");
		hint("It could hold anything, so pass it through a program that shows it safely, such as 'less'");
		return -EINVAL;
	}
	transfer->copying.from = name_end(transfer, !transfer->is_into, transfer->from);
	transfer->copying.to = name_end(transfer, transfer->is_into, transfer->to);
	return 0;
}

static int run(int argc, char **argv, bool is_into)
{
	struct transfer transfer = {.verb = argv[0], .is_into = is_into, .guest = GUEST_NONE};
	int r = read_words(&transfer, argc, argv);

	if (r == 0)
		r = check_words(&transfer);
	if (r == 0)
		r = control_inside(transfer.machine, copy_inside, &transfer);
	guest_close(&transfer.guest);
	copying_done(&transfer.copying);
	arena_done(&transfer.arena);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int control_copy_to(int argc, char **argv)
{
	return run(argc, argv, /* is_into= */ true);
}

int control_copy_from(int argc, char **argv)
{
	return run(argc, argv, /* is_into= */ false);
}
