/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes and releases lock files.
 * Zone: owing.
 */
#include "host/locks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/undo.h"
#include "host/places.h"
#include "host/registry.h"

static void free_lock(struct lock *lock)
{
	if (lock->fd >= 0)
		(void)close(lock->fd);
	free(lock->path);
	*lock = (struct lock){.fd = -EBADF};
}

enum lock_flags {
	LOCK_SHARED = 1 << 0,
	LOCK_MAKE_DIRECTORIES = 1 << 1,
	/* It is this lock's alone: emptied before, removed after, whoever made it. */
	LOCK_OWN_DIRECTORY = 1 << 2,
	LOCK_PATIENT = 1 << 3,
};

/* A child of a killed holder has the lock as well, until it comes to close what it inherited. */
#define PAUSE_NSEC 5000000L
#define PAUSES_MAX 40

/* More machines of one name than anybody starts by accident. */
#define NUMBERED_NAMES_MAX 999

#define auto_lock __attribute__((cleanup(free_lock)))

static size_t directory_length(const struct lock *lock)
{
	return (size_t)(path_last(lock->path) - lock->path - 1);
}

static int make_last_directory(struct lock *lock)
{
	size_t length = directory_length(lock);
	int r;

	lock->path[length] = '\0';
	r = mkdir(lock->path, lock->has_directory ? 0755 : 0700) < 0 ? -errno : 0;
	lock->path[length] = '/';
	if (r == 0 && lock->made_count < LOCK_DIRECTORIES_MAX)
		lock->made[lock->made_count++] = length;
	return r == -EEXIST ? 0 : r;
}

/* Makes the missing directories above lock->path and remembers which they were. */
static int make_directories(struct lock *lock)
{
	char *path = lock->path;
	int r;

	/* The others are there in most cases. */
	r = make_last_directory(lock);
	if (r != -ENOENT)
		return r;
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		if (!strchr(slash + 1, '/'))
			return make_last_directory(lock);
		*slash = '\0';
		r = mkdir(path, 0755) < 0 ? -errno : 0;
		*slash = '/';
		if (r == 0 && lock->made_count < LOCK_DIRECTORIES_MAX)
			lock->made[lock->made_count++] = (size_t)(slash - path);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

/*
 * True if the name still leads to what is open: the last holder may have removed the file before we
 * locked it.
 */
static bool is_still_named(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && lstat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

static int lock_fd(int fd, bool shared)
{
	struct flock whole = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int try_lock(struct lock *lock, bool shared, bool makes_directories)
{
	/*
	 * Each round lost means that another machine has just stopped; a hundred in a row are no
	 * accident.
	 */
	for (int tries = 0; tries < 100; tries++) {
		auto_close int fd = -EBADF;
		int r;

		fd = open(lock->path,
			  O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
		if (fd < 0 && errno == ENOENT && makes_directories) {
			TRY(make_directories(lock));
			continue;
		}
		if (fd < 0)
			return -errno;
		r = lock_fd(fd, shared);
		if (is_still_named(fd, lock->path)) {
			if (r == 0)
				lock->fd = steal_fd(fd);
			return r;
		}
	}
	return -EBUSY;
}

/* What a killed holder left beside the file: sockets and files, nothing that has depth. */
static void empty_directory(const struct lock *lock)
{
	auto_free char *path = strndup(lock->path, directory_length(lock));
	DIR *directory = path ? opendir(path) : NULL;
	const struct dirent *item;

	if (!directory)
		return;
	while ((item = readdir(directory)))
		if (strcmp(item->d_name, path_last(lock->path)) != 0)
			(void)unlinkat(dirfd(directory), item->d_name,
				       0); /* "." and ".." decline */
	(void)closedir(directory);
}

/* True without a look at it if we have just made it. */
static bool may_have_leftovers(const struct lock *lock)
{
	return lock->has_directory && (lock->made_count == 0 ||
				       lock->made[lock->made_count - 1] != directory_length(lock));
}

/* Where others still have files the directories stay; whoever comes next makes them again. */
static void remove_directories(struct lock *lock)
{
	while (lock->made_count > 0) {
		lock->path[lock->made[--lock->made_count]] = '\0';
		if (rmdir(lock->path) < 0)
			break;
	}
}

static void release_lock(void *argument)
{
	auto_lock struct lock lock = *(struct lock *)argument;

	((struct lock *)argument)->fd = -EBADF;
	((struct lock *)argument)->path = NULL;
	/*
	 * Only the last reader may remove a shared file, hence the try for the exclusive lock; on
	 * failure others use it.
	 */
	if (lock.fd < 0 || lock_fd(lock.fd, /* shared= */ false) < 0)
		return;
	/* Before somebody else can have it: what verbs noted beside the file ends with the machine.
	 */
	if (lock.has_directory && is_still_named(lock.fd, lock.path))
		empty_directory(&lock);
	if (is_still_named(lock.fd, lock.path))
		(void)unlink(lock.path); /* best effort: a file left behind blocks nobody */
	if (lock.made_count == 0 && lock.has_directory)
		lock.made[lock.made_count++] = directory_length(&lock);
	remove_directories(&lock);
}

/* Takes 'path' (malloc'ed, ours from here on). Silent: the callers know what the lock means. */
static int take_lock(struct locks *locks, char *path, enum lock_flags flags, struct undo *undo)
{
	auto_lock struct lock lock = {
		.fd = -EBADF,
		.path = path,
		.has_directory = flags & LOCK_OWN_DIRECTORY,
	};
	const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
	int r;

	if (!path)
		return -ENOMEM;
	r = try_lock(&lock, flags & LOCK_SHARED, flags & LOCK_MAKE_DIRECTORIES);
	for (int i = 0; r == -EBUSY && flags & LOCK_PATIENT && i < PAUSES_MAX; i++) {
		(void)nanosleep(&pause, NULL);
		r = try_lock(&lock, flags & LOCK_SHARED, flags & LOCK_MAKE_DIRECTORIES);
	}
	if (r < 0) {
		remove_directories(&lock);
		return r;
	}
	if (may_have_leftovers(&lock))
		empty_directory(&lock);
	assert(locks->count < LOCKS_MAX);
	locks->items[locks->count] = lock;
	undo_push(undo, release_lock, &locks->items[locks->count++], "lock");
	lock = (struct lock){.fd = -EBADF};
	return 0;
}

__attribute__((format(printf, 1, 2))) static char *make_path(const char *format, ...)
{
	char *path = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&path, format, arguments) < 0)
		path = NULL;
	va_end(arguments);
	return path;
}

static char *make_tree_path(const char *tree)
{
	const char *name = path_last(tree);

	return make_path("%.*s.#%s.lck", (int)(name - tree), tree, name);
}

/*
 * Device and inode in decimal, as systemd-nspawn names them, so that both tools meet in one file.
 */
static char *make_inode_path(const struct lock_request *request, const struct stat *status)
{
	return make_path("%s/inode-%ju:%ju", request->places->inode_locks,
			 (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
}

static char *make_name_path(const struct lock_request *request, const char *name)
{
	return make_path("%s/%s/" LOCKS_NAME_FILE, request->places->machines, name);
}

/* Who has it, if that is a machine that we may look at. */
static int refuse_busy_tree(const struct lock_request *request)
{
	auto_arena struct arena arena = {0};
	struct registry_entry *machines = NULL;
	size_t count = 0, i = 0;
	struct stat status;

	(void)refuse(EBUSY, "Tree '%s' is in use by another machine", request->tree);
	if (stat(request->tree, &status) < 0 ||
	    registry_list(&arena, request->places, &machines, &count) < 0)
		count = 0;
	while (i < count && (machines[i].tree_device != status.st_dev ||
			     machines[i].tree_inode != status.st_ino))
		i++;
	if (i < count)
		hint("Stop machine '%s', or let every machine use the tree with --read-only or --ephemeral",
		     machines[i].machine);
	else
		hint("Stop that machine, or let every machine use the tree with --read-only or --ephemeral");
	return -EBUSY;
}

static int explain_tree(const struct lock_request *request, int r)
{
	const char *tree = request->tree;

	if (r == -EBUSY)
		return refuse_busy_tree(request);
	(void)fail(r, "Cannot lock tree '%s'", tree);
	if (r == -EROFS)
		hint("The file system is read-only: use --read-only");
	return r;
}

static int explain_name(const char *machine)
{
	(void)refuse(EBUSY, "A machine named '%s' is running already", machine);
	hint("Give this one another name with --machine=");
	return -EBUSY;
}

/* A file may not be left there. */
static bool is_refusal(int r)
{
	return r == -EROFS || r == -EACCES || r == -EPERM;
}

/*
 * Where we may not leave a file, nobody with our rights can boot the tree for writing either; and
 * what a user may not leave beside the tree stands in the user's own directory as well.
 */
static bool is_dispensable(int r, const struct lock_request *request)
{
	return is_refusal(r) && (request->tree_is_shared || request->places->is_user);
}

static bool tree_is_lockable(const char *tree)
{
	return !path_is_below(tree, "/dev") && *path_last(tree) != '\0';
}

static int take_tree_locks(struct locks *locks, const struct lock_request *request,
			   struct undo *undo)
{
	const char *tree = request->tree;
	bool shared = request->tree_is_shared;
	enum lock_flags flags = LOCK_PATIENT | (shared ? LOCK_SHARED : 0);
	struct stat status;
	int r;

	if (!tree_is_lockable(tree))
		return 0;
	if (stat(tree, &status) < 0)
		return fail(-errno, "Cannot look at tree '%s'", tree);
	r = take_lock(locks, make_tree_path(tree), flags, undo);
	if (r < 0 && !is_dispensable(r, request))
		return r == -EBUSY && request->is_quiet_if_busy ? r : explain_tree(request, r);
	r = take_lock(locks, make_inode_path(request, &status), LOCK_MAKE_DIRECTORIES | flags,
		      undo);
	if (r < 0 && !(shared && is_refusal(r)))
		return r == -EBUSY && request->is_quiet_if_busy ? r : explain_tree(request, r);
	return 0;
}

/* "web" is followed by "web-2"; what gets too long for a host name loses its end first. */
static void number_name(const char *name, unsigned int number, char ret[LOCKS_NAME_MAX + 1])
{
	char suffix[16] = "";
	int room;

	if (number > 1)
		(void)snprintf(suffix, sizeof(suffix), "-%u", number);
	room = (int)(LOCKS_NAME_MAX - strlen(suffix));
	(void)snprintf(ret, LOCKS_NAME_MAX + 1, "%.*s%s", room, name, suffix);
}

static int take_name_lock(struct locks *locks, const struct lock_request *request,
			  struct undo *undo)
{
	unsigned int last = request->machine_may_be_numbered ? NUMBERED_NAMES_MAX : 1;
	int r = -EBUSY;

	assert(!strchr(request->machine, '/'));
	for (unsigned int number = 1; number <= last && r == -EBUSY; number++) {
		number_name(request->machine, number, locks->machine);
		r = take_lock(locks, make_name_path(request, locks->machine),
			      LOCK_MAKE_DIRECTORIES | LOCK_OWN_DIRECTORY |
				      (last == 1 ? LOCK_PATIENT : 0),
			      undo);
	}
	if (r == -EBUSY)
		return request->is_quiet_if_busy ? r : explain_name(request->machine);
	if (r < 0)
		return fail(r, "Cannot lock the machine name '%s'", locks->machine);
	locks->name = &locks->items[locks->count - 1];
	return 0;
}

bool locks_name_was_left(const struct locks *locks)
{
	return locks->name && may_have_leftovers(locks->name);
}

int locks_name_fd(const struct locks *locks)
{
	return locks->name ? locks->name->fd : -EBADF;
}

const char *locks_name_directory(struct arena *arena, const struct locks *locks)
{
	return locks->name ? arena_copy_n(arena, locks->name->path, directory_length(locks->name))
			   : NULL;
}

int locks_take(struct locks *locks, const struct lock_request *request, struct undo *undo)
{
	/*
	 * The name first: of two starts of one machine, the second should hear that the machine is
	 * running.
	 */
	if (request->machine)
		TRY(take_name_lock(locks, request, undo));
	if (request->tree)
		TRY(take_tree_locks(locks, request, undo));
	return 0;
}

int locks_take_file(struct locks *locks, const char *path, struct undo *undo)
{
	return take_lock(locks, make_path("%s", path), LOCK_MAKE_DIRECTORIES, undo);
}

/* --- Looking --- */

/* 0 if nobody holds a lock that would be in the way, -EBUSY, or what open(2) says. */
static int look_at_lock(const char *path, bool shared)
{
	struct flock whole = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
	auto_close int fd = -EBADF;

	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
		return -errno;
	return whole.l_type == F_UNLCK ? 0 : -EBUSY;
}

int locks_look_file(const char *path)
{
	return look_at_lock(path, /* shared= */ false);
}

static int look_at_name(const struct lock_request *request, struct locks_found *ret)
{
	unsigned int last = request->machine_may_be_numbered ? NUMBERED_NAMES_MAX : 1;
	auto_free char *path = NULL;
	int r = -EBUSY;

	for (unsigned int number = 1; number <= last && r == -EBUSY; number++) {
		number_name(request->machine, number, ret->machine);
		free(path);
		path = make_name_path(request, ret->machine);
		r = look_at_lock(path, false);
	}
	if (r == -EBUSY)
		r = explain_name(request->machine);
	else if (r < 0)
		(void)fail(r, "Cannot look at the lock '%s'", path);
	ret->name_path = steal_ptr(path);
	return r;
}

static int look_at_tree(const struct lock_request *request, struct locks_found *ret)
{
	const char *tree = request->tree;
	const char *unseen = NULL;
	struct stat status;
	int r, by_inode = 0;

	if (!tree_is_lockable(tree))
		return 0;
	ret->tree_path = make_tree_path(tree);
	r = look_at_lock(ret->tree_path, request->tree_is_shared);
	if (stat(tree, &status) == 0) {
		ret->inode_path = make_inode_path(request, &status);
		by_inode = look_at_lock(ret->inode_path, request->tree_is_shared);
	}
	if (r == -EBUSY || by_inode == -EBUSY)
		return refuse_busy_tree(request);
	unseen = r < 0 ? ret->tree_path : by_inode < 0 ? ret->inode_path : NULL;
	return unseen ? fail(r < 0 ? r : by_inode, "Cannot look at the lock '%s'", unseen) : 0;
}

int locks_look(const struct lock_request *request, struct locks_found *ret)
{
	int r = 0, by_tree = 0;

	if (request->machine)
		r = look_at_name(request, ret);
	if (request->tree)
		by_tree = look_at_tree(request, ret);
	return r < 0 ? r : by_tree;
}

void locks_found_done(struct locks_found *found)
{
	free(found->tree_path);
	free(found->inode_path);
	free(found->name_path);
	*found = (struct locks_found){0};
}
