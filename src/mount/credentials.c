/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads credentials and shows them to the payload.
 * Zone: free for reading, owing for mounting.
 */
#include "mount/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/text.h"
#include "mount/detached.h"
#include "mount/mount-plan.h"

/* One byte more than is allowed, to notice what is too long. */
#define ROOM_BYTES (CREDENTIAL_MAX_BYTES + 1)

/*
 * Memory for one secret: in no core dump, not in what is cloned from us, and, as far as our limits
 * go, not in swap.
 */
static int make_room(struct credential *credential)
{
	void *room = mmap(NULL, ROOM_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return -errno;
	credential->bytes = room;
	credential->mapped_bytes = ROOM_BYTES;
	if (madvise(room, ROOM_BYTES, MADV_WIPEONFORK) < 0 ||
	    madvise(room, ROOM_BYTES, MADV_DONTDUMP) < 0 ||
	    mlock2(room, ROOM_BYTES, MLOCK_ONFAULT) < 0)
		debug("The credential '%s' is in ordinary memory", credential->id);
	return 0;
}

static void forget(void *argument)
{
	struct credentials *credentials = argument;

	for (size_t i = 0; i < credentials->count; i++) {
		struct credential *credential = &credentials->items[i];

		if (!credential->bytes)
			continue;
		explicit_bzero(credential->bytes, credential->length);
		(void)munmap(credential->bytes, credential->mapped_bytes);
		credential->bytes = NULL;
	}
	credentials->count = 0;
}

static int read_text(struct credential *credential, const char *text)
{
	auto_arena struct arena scratch = {0};
	size_t length;
	char *bytes;
	int r = 0;

	TRY(text_unescape(&scratch, text, &bytes, &length));
	if (length > CREDENTIAL_MAX_BYTES)
		r = -EFBIG;
	else
		memcpy(credential->bytes, bytes, credential->length = length);
	explicit_bzero(bytes, length);
	return r;
}

static int read_all(struct credential *credential, int fd)
{
	while (credential->length < ROOM_BYTES) {
		ssize_t got = read(fd, credential->bytes + credential->length,
				   ROOM_BYTES - credential->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		credential->length += (size_t)got;
	}
	return -EFBIG;
}

/* By its descriptor: a path may be longer than an address. */
static int connect_to(int path_fd)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", path_fd);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(fd);
}

static int read_path(struct credential *credential, int directory_fd, const char *path)
{
	auto_close int fd = openat(directory_fd, path, O_RDONLY | O_NOCTTY | O_CLOEXEC),
		       path_fd = -EBADF;

	if (fd >= 0)
		return read_all(credential, fd);
	if (errno != ENXIO)
		return -errno;
	/* What cannot be opened is a socket (open(2)), or really nothing. */
	path_fd = openat(directory_fd, path, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	fd = connect_to(path_fd);
	return fd < 0 ? fd : read_all(credential, fd);
}

/* What the service manager gave to us can be handed on (systemd.exec(5)). */
static int read_inherited(struct credential *credential, const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	auto_close int fd = -EBADF;

	if (!directory || *directory != '/') {
		(void)refuse(ENOENT,
			     "Cannot pass on the credential '%s': we were started with none", name);
		hint("Write a path with a slash, like ./%s, for a file", name);
		return -ECANCELED; /* said already */
	}
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return read_path(credential, fd, name);
	(void)fail(-errno, "Cannot open the directory '%s' of our credentials", directory);
	return -ECANCELED; /* said already */
}

static int read_one(struct credential *credential, const struct credential_request *request)
{
	int r = make_room(credential);

	if (r >= 0 && request->text)
		r = read_text(credential, request->text);
	else if (r >= 0 && request->path)
		r = read_path(credential, AT_FDCWD, request->path);
	else if (r >= 0)
		r = read_inherited(credential, request->inherited);
	return r;
}

static int complain(const struct credential_request *request, int r)
{
	const char *from = request->path ? request->path : request->inherited;

	if (r == -ECANCELED)
		return r;
	if (r == -EFBIG)
		return refuse(EFBIG, "The credential '%s' is larger than 1 MiB", request->id);
	return fail(r, "Cannot read the credential '%s' from '%s'", request->id,
		    from ? from : "--set-credential");
}

/*
 * The arguments of a program are shown to everybody in its /proc/PID/cmdline. They are ours to
 * write to; nothing else has a secret in it.
 */
static void wipe_typed(struct config *config)
{
	for (size_t i = 0; i < config->said.count; i++) {
		const struct said *said = &config->said.items[i];
		char *secret = said->setting == SETTING_SET_CREDENTIAL && said->value
				       ? strchr(said->value, ':')
				       : NULL;

		if (secret)
			explicit_bzero(secret + 1, strlen(secret + 1));
	}
}

/*
 * As the payload's root made them they are for root alone. Only where no other user can be among
 * the payload, because its one user can become nobody else, anybody may read them.
 */
static bool are_for_everyone(const struct config *config)
{
	bool is_root = !config->user || strcmp(config->user, "root") == 0 ||
		       strcmp(config->user, "0") == 0;

	if (is_root || config->start == START_BOOT)
		return false;
	if (config->no_new_privileges && config->start == START_COMMAND)
		return true;
	warn(0,
	     "The user '%s' cannot read the credentials of the machine, passing them to root alone",
	     config->user);
	hint("With '--no-new-privileges=yes', and without '--as-pid2', that user can");
	return false;
}

int credentials_read(struct config *config, struct credentials *ret, struct undo *undo)
{
	if (config->credentials.count == 0)
		return 0;
	ret->items =
		arena_allocate(&config->arena, config->credentials.count * sizeof(*ret->items));
	undo_push(undo, forget, ret, "credentials");
	for (size_t i = 0; i < config->credentials.count; i++) {
		const struct credential_request *request = &config->credentials.items[i];
		struct credential *credential = &ret->items[ret->count++];
		int r;

		credential->id = request->id;
		r = read_one(credential, request);
		if (r < 0)
			return complain(request, r);
	}
	wipe_typed(config);
	ret->are_for_everyone = are_for_everyone(config);
	return 0;
}

static int write_file(int mount_fd, const struct credential *credential, mode_t mode,
		      uint32_t owner)
{
	auto_close int fd = openat(mount_fd, credential->id,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);

	if (fd < 0)
		return -errno;
	TRY(fd_write_all(fd, credential->bytes, credential->length));
	return fchown(fd, owner, owner) < 0 || fchmod(fd, mode) < 0 ? -errno : 0;
}

/* Not only this mount of it: whoever may mount inside cannot make it writable again. */
static int seal(int mount_fd)
{
	auto_close int context_fd = fspick(mount_fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);

	if (context_fd < 0 || fsconfig(context_fd, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(context_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return -errno;
	return 0;
}

static int fill(int mount_fd, const struct credentials *credentials, uint32_t owner)
{
	for (size_t i = 0; i < credentials->count; i++)
		TRY(write_file(mount_fd, &credentials->items[i],
			       credentials->are_for_everyone ? 0444 : 0400, owner));
	if (fchownat(mount_fd, ".", owner, owner, 0) < 0 ||
	    fchmodat(mount_fd, ".", credentials->are_for_everyone ? 0555 : 0500, 0) < 0)
		return -errno;
	return seal(mount_fd);
}

void credentials_lend(const struct credentials *credentials)
{
	for (size_t i = 0; i < credentials->count; i++)
		if (credentials->items[i].bytes)
			(void)madvise(credentials->items[i].bytes,
				      credentials->items[i].mapped_bytes, MADV_KEEPONFORK);
}

void credentials_take_back(const struct credentials *credentials)
{
	for (size_t i = 0; i < credentials->count; i++)
		if (credentials->items[i].bytes)
			(void)madvise(credentials->items[i].bytes,
				      credentials->items[i].mapped_bytes, MADV_WIPEONFORK);
}

void credentials_forget_lent(const struct credentials *credentials)
{
	credentials_take_back(credentials);
	for (size_t i = 0; i < credentials->count; i++)
		if (credentials->items[i].bytes)
			explicit_bzero(credentials->items[i].bytes,
				       credentials->items[i].mapped_bytes);
}

int credentials_mount(const struct credentials *credentials, uint32_t owner)
{
	/* Not tmpfs: that one is swapped. */
	auto_close int fd = -EBADF;
	int r;

	if (credentials->count == 0)
		return -EBADF;
	fd = detached_new("ramfs", "mode=0700",
			  MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC |
				  MOUNT_FLAG_NOSYMFOLLOW,
			  NULL, 0);
	r = fd < 0 ? fd : fill(fd, credentials, owner);
	if (r < 0)
		return fail(r, "Cannot make the file system of the credentials");
	return steal_fd(fd);
}
